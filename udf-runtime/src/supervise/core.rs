//! The engine of a connection: it keeps the input since the last checkpoint, the requests in it,
//! and the output that was passed on. It reads no clock and no file, and starts nothing.

#[cfg(test)]
#[path = "core/tests.rs"]
mod tests;

use udf_proto::frame::FrameError;
use udf_proto::{EdgeType, Info};

use super::log::{Extent, Frame, Log};
use super::requests::{Input, classify};
use super::settings::Settings;
use super::store::Saved;
use super::talk::{Event, Fault, Talk};

/// The maximum number of bytes of whole requests that wait to be written to the worker. More is
/// only read when Kapacitor must finish its write.
const MOST_UNSENT: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Core {
    log: Log,
    pub(super) talk: Talk,
    /// The maximum number of bytes that are kept for a restart.
    memory: usize,
    /// The number of bytes from before a checkpoint that are kept for a worker without snapshots.
    window: usize,
}

/// A part of the input that is sent to the worker alone, to find the one that kills it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) extent: Extent,
    /// The requests of the step, one after the other.
    pub(super) frames: Vec<Vec<u8>>,
    /// Whether it is a point, or a batch that has ended.
    pub(super) is_data: bool,
}

impl Core {
    pub(super) fn new(settings: &Settings) -> Self {
        Core {
            log: Log::new(),
            talk: Talk::new(settings),
            memory: settings.memory,
            window: settings.replay,
        }
    }

    /// Returns the room for a read from Kapacitor.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.log.room()
    }

    /// Takes bytes that were read from Kapacitor. `limits` are the maximum lengths of a frame before
    /// and after an Init. `load` returns the saved checkpoint of a task and node.
    ///
    /// # Errors
    /// Returns an error if the bytes are no frames.
    pub(super) fn read(
        &mut self,
        bytes: usize,
        limits: [usize; 2],
        mut load: impl FnMut(&str, &str) -> Option<Saved>,
    ) -> Result<(), FrameError> {
        let Core { log, talk, .. } = self;
        let limit = |talk: &Talk| limits[usize::from(talk.has_init())];
        log.add(bytes, limit(talk), |frame| {
            talk.input(&frame, &mut load);
            limit(talk)
        })?;
        if let Some(extent) = talk.left_out.take() {
            log.leave_out(extent);
        }
        talk.place_snapshot(log.end());
        self.look_at_memory();
        Ok(())
    }

    /// Gives up protection if the memory is full, and no snapshot can make room: within a batch, and
    /// before an Init.
    fn look_at_memory(&mut self) {
        let is_stuck = self.talk.is_within_batch || !self.talk.is_started;
        if is_stuck && self.is_full() && !self.may_get_room() {
            self.talk.is_unprotected = true;
        }
    }

    /// Returns whether the end of a repetition, or the answer to a snapshot, may make room.
    fn may_get_room(&self) -> bool {
        self.talk.is_repeating || self.talk.next_snapshot().is_some()
    }

    /// Takes the end of the input.
    ///
    /// # Errors
    /// Returns an error if the input ends within a frame.
    pub(super) fn check_end(&self) -> Result<(), FrameError> {
        self.log.check_end()
    }

    /// Returns whether more should be read from Kapacitor. If Kapacitor `must_finish` its write,
    /// more is read than the worker takes.
    pub(super) fn may_read(&self, must_finish: bool) -> bool {
        // A single request may be larger than the memory.
        let waits_for_rest = self.log.partial() > 0 && self.log.end() <= self.kept_from();
        let is_backlog = self.log.end() - self.log.sent() >= MOST_UNSENT;
        (!self.is_full() || waits_for_rest) && (!is_backlog || must_finish)
    }

    fn is_full(&self) -> bool {
        self.kept_bytes() >= self.memory
    }

    /// Returns the position of the first input that may be needed again.
    fn kept_from(&self) -> u64 {
        match self.talk.is_unprotected {
            // The answer to a snapshot makes the input behind its request needed again.
            true => self.log.sent().min(self.talk.next_snapshot().unwrap_or(u64::MAX)),
            false => self.talk.base.position,
        }
    }

    /// Returns the number of bytes that are kept for a restart.
    pub(super) fn kept_bytes(&self) -> usize {
        self.log.bytes_after(self.kept_from()) + self.talk.ledger.bytes()
    }

    /// Requests a snapshot at the next place outside of a batch, unless one is requested.
    pub(super) fn request_snapshot(&mut self) {
        self.talk.wants_snapshot = !self.talk.awaits_answer_to_snapshot();
        self.talk.place_snapshot(self.log.end());
    }

    /// Returns the frames of data from before the base, for a worker without snapshots.
    pub(super) fn window(&self, wants: EdgeType) -> Vec<u8> {
        let mut window = Vec::new();
        let end = self.talk.base.position;
        let start = end.saturating_sub(self.window as u64);
        let mut is_within_batch = wants == EdgeType::Stream;
        let frames = self.log.frames(start).take_while(|frame| frame.extent.end <= end);
        for frame in frames.filter(|_| self.talk.base.snapshot.is_none()) {
            match classify(frame.body) {
                // The window may begin within a batch.
                Input::Point | Input::End if is_within_batch => {
                    window.extend_from_slice(frame.whole);
                }
                Input::Begin => {
                    is_within_batch = true;
                    window.extend_from_slice(frame.whole);
                }
                _ => {}
            }
        }
        window
    }

    /// Returns the next bytes for the worker.
    pub(super) fn unsent(&mut self) -> &[u8] {
        let Core { log, talk, .. } = self;
        match talk.inserted(log.sent()) {
            true => talk.unsent_inserted(),
            false => log.unsent(talk.next_stop()),
        }
    }

    /// Marks bytes of [`unsent`](Self::unsent) as written.
    pub(super) fn note_sent(&mut self, bytes: usize) {
        if !self.talk.note_sent_inserted(bytes) {
            self.log.note_sent(bytes);
            if self.talk.is_unprotected {
                self.log.drop_before(self.kept_from());
            }
        }
    }

    /// Returns whether the worker has handled everything that has arrived, so that its input can end.
    /// Asks the worker if this is unknown: one that exits with data unread must not pass for one
    /// that has finished.
    pub(super) fn may_end_input(&mut self) -> bool {
        let is_all_sent = self.unsent().is_empty() && self.log.sent() >= self.log.end();
        if !is_all_sent || self.talk.awaits_answer_to_snapshot() {
            return false;
        }
        if !self.talk.has_handled_data() {
            self.talk.ask_whether_handled(self.log.end());
            return false;
        }
        true
    }

    /// Returns whether the worker has something to do: input that it has not taken, or a request
    /// that it has not answered.
    pub(super) fn is_worker_due(&mut self) -> bool {
        !self.unsent().is_empty() || self.talk.is_answer_due(self.log.sent())
    }

    /// Returns whether the worker has something to do, or Kapacitor is within a batch or a request.
    pub(super) fn is_busy(&mut self) -> bool {
        self.talk.is_within_batch || self.log.partial() > 0 || self.is_worker_due()
    }

    /// Takes a response of the worker: its frame, and the frame with its length. Returns whether it
    /// is passed on, after the bytes of [`Talk::out`].
    ///
    /// # Errors
    /// Returns a fault if the response must not reach Kapacitor, or if it ends the task.
    #[inline]
    pub(super) fn respond(&mut self, frame: &[u8], whole: &[u8]) -> Result<bool, Fault> {
        let passes = self.talk.respond(frame, whole, self.log.sent())?;
        if self.is_too_much() {
            self.talk.pass_on_unknown();
        }
        // While the worker is within a batch, its snapshot is no checkpoint.
        let is_stuck = self.talk.held_bytes() > 0 && self.is_full() && !self.may_get_room();
        if is_stuck || self.is_too_much() {
            self.talk.give_up_protection();
        }
        if let Some(Event::Checkpoint { .. }) = self.talk.events.last() {
            self.log.drop_before(self.talk.base.position.saturating_sub(self.window as u64));
        }
        // Output takes memory, too.
        self.look_at_memory();
        Ok(passes)
    }

    /// Returns whether the output that is kept fills the memory alone.
    fn is_too_much(&self) -> bool {
        self.talk.ledger.bytes() + self.talk.held_bytes() > self.memory
    }

    /// Forgets requests that were answered, if no data has come since the last checkpoint.
    pub(super) fn forget_idle(&mut self) {
        let Core { log, talk, .. } = self;
        let is_idle = log.partial() == 0 && log.sent() >= log.end() && talk.is_idle();
        if is_idle && log.end() > talk.base.position {
            talk.rebase_idle(log.end());
            log.drop_before(log.end().saturating_sub(self.window as u64));
        }
    }

    /// Begins with a new worker, which has the state of the base. It gets all input since then.
    pub(super) fn take_over(&mut self, info: &Info, is_within_batch: bool) {
        // The last worker may have died before it got anything. Workers before may have sent output.
        let repeats = self.log.most_sent() > self.talk.base.position;
        self.log.rewind(self.talk.base.position);
        self.talk.take_over(info, is_within_batch, repeats.then_some(self.log.end()));
    }

    /// Sends the next part of the input to the worker alone. Returns none at the end of the input.
    pub(super) fn step(&mut self) -> Option<Step> {
        let mut frames = self.log.frames(self.log.sent());
        let first = frames.next()?;
        let mut step = Step {
            extent: first.extent,
            frames: vec![first.body.to_vec()],
            is_data: classify(first.body) == Input::Point,
        };
        if classify(first.body) == Input::Begin {
            for frame in frames {
                step.extent.end = frame.extent.end;
                let kind = classify(frame.body);
                if kind.is_data() {
                    step.frames.push(frame.body.to_vec());
                }
                if kind == Input::End {
                    step.is_data = true;
                    break;
                }
            }
        }
        self.talk.step_to(step.extent.end);
        Some(step)
    }

    /// Sends all input again.
    pub(super) fn end_steps(&mut self) {
        self.talk.end_steps(self.log.end());
    }

    /// Leaves the data of a part of the input out from now on. Requests in it are still answered.
    pub(super) fn leave_out(&mut self, part: Extent) {
        let mut holes: Vec<Extent> = Vec::new();
        let frames = self.log.frames(part.start).take_while(|frame| frame.extent.end <= part.end);
        for Frame { extent, .. } in frames.filter(|frame| classify(frame.body).is_data()) {
            match holes.last_mut().filter(|last| last.end == extent.start) {
                Some(last) => last.end = extent.end,
                None => holes.push(extent),
            }
        }
        holes.into_iter().for_each(|hole| self.log.leave_out(hole));
    }

    /// Returns the position up to which any worker may have read the input.
    pub(super) fn most_sent(&self) -> u64 {
        self.log.most_sent()
    }

    /// Returns the position up to which the present worker may have read the input.
    pub(super) fn sent(&self) -> u64 {
        self.log.sent()
    }

    /// Returns the number of bytes that a new worker gets again.
    pub(super) fn bytes_to_repeat(&self) -> u64 {
        self.log.most_sent().saturating_sub(self.talk.base.position)
    }

    /// Returns the number of bytes that workers have got again, since the last call.
    pub(super) fn take_repeated(&mut self) -> u64 {
        self.log.take_repeated()
    }
}
