//! The conversation with a worker: what is asked and answered, and what Kapacitor gets of it.

use std::mem::take;

use udf_proto::Info;
use udf_proto::messages::response::Message;

use super::ledger::{Fate, Ledger, Repetition};
use super::log::{Extent, Frame};
use super::output::{Checker, Response};
use super::requests::{self, Ask, Input, Request, Requests, classify};
use super::settings::{OnError, Settings};
use super::store::{Given, Saved};

/// Why a worker cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The worker has broken the protocol, which counts as a death.
    Death(String),
    /// The UDF has failed, and the reason goes to Kapacitor.
    Error(String),
}

/// The state that a new worker begins with.
#[derive(Debug, Default, Clone)]
pub(super) struct Base {
    /// The position of the first input that is not part of this state.
    pub(super) position: u64,
    /// The frame of the Init. None before the first checkpoint: the Init is in the log.
    pub(super) init: Option<Vec<u8>>,
    /// The snapshot. None if it is empty, or if there is none.
    pub(super) snapshot: Option<Vec<u8>>,
}

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Kapacitor has sent the Init of this task and node.
    Init { task: String, node: String },
    /// The worker has accepted the Init.
    Started,
    /// A new worker can begin with a new state. `is_passed` if Kapacitor has got it as well.
    Checkpoint { is_passed: bool },
    /// A snapshot is no checkpoint, since the worker is within a batch.
    NoCheckpoint,
    /// The worker has handled all input that the last one may have handled. It has sent `known`
    /// outputs again, and `differs` if it has sent others as well.
    Settled { known: u64, differs: bool },
    /// The worker has handled a [step](super::core::Step).
    Stepped,
    /// The saved checkpoint takes the place of the snapshot of Kapacitor.
    RestoredSaved,
    /// The worker has answered a request that it did not get.
    Unasked(Ask),
}

/// Counts of what has passed.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Traffic {
    pub(super) points_in: u64,
    pub(super) batches_in: u64,
    pub(super) points_out: u64,
    pub(super) batches_out: u64,
}

/// A request that the front inserts into the input.
#[derive(Debug)]
struct Inserted {
    at: u64,
    frame: Vec<u8>,
    is_sent: bool,
}

/// A keepalive behind which the worker has handled a part of the input.
#[derive(Debug)]
struct Barrier {
    inserted: Inserted,
    time: i64,
    is_step: bool,
}

/// The conversation with one worker after the other.
#[derive(Debug)]
pub(super) struct Talk {
    requests: Requests,
    pub(super) base: Base,
    /// The frame of an Init in the log.
    init: Option<Vec<u8>>,
    /// The snapshot of a Restore in the log.
    restored: Option<Vec<u8>>,
    /// The saved checkpoint, until it is clear whether it is restored.
    saved: Option<Saved>,
    /// The snapshots that Kapacitor has.
    pub(super) given: Given,
    pub(super) is_started: bool,
    pub(super) is_within_batch: bool,
    /// The end of the last data.
    data_end: u64,
    /// A range of the input that takes no part: the Restore that another one replaces.
    pub(super) left_out: Option<Extent>,
    /// A snapshot is requested at the next place outside of a batch.
    pub(super) wants_snapshot: bool,
    snapshot: Option<Inserted>,
    restore: Option<Inserted>,
    barrier: Option<Barrier>,
    /// The time of the last barrier. Each has another one.
    last_time: i64,
    /// The position behind which nothing is sent to the worker.
    hold: u64,
    /// A request that is being sent between two frames.
    pending: Vec<u8>,
    pending_at: usize,
    checker: Checker,
    pub(super) ledger: Ledger,
    /// A batch of the worker that has not ended.
    held: Vec<u8>,
    /// Whether the begin of such a batch was passed on, because the batch is too large to be held.
    is_batch_exposed: bool,
    /// Output that is passed on before the response at hand.
    pub(super) out: Vec<u8>,
    pub(super) is_repeating: bool,
    /// Whether a worker has got the end of the input. A repetition then ends with the worker.
    pub(super) has_ended: bool,
    /// The number of responses, without signs of life that nobody asked for.
    pub(super) responses: u64,
    /// Whether input or output since the last checkpoint is no longer known, so that a death of the
    /// worker cannot be repaired.
    pub(super) is_unprotected: bool,
    on_error: OnError,
    pub(super) events: Vec<Event>,
    pub(super) traffic: Traffic,
}

impl Talk {
    pub(super) fn new(settings: &Settings) -> Self {
        Talk {
            requests: Requests::default(),
            base: Base::default(),
            init: None,
            restored: None,
            saved: None,
            given: Given::new(None),
            is_started: false,
            is_within_batch: false,
            data_end: 0,
            left_out: None,
            wants_snapshot: false,
            snapshot: None,
            restore: None,
            barrier: None,
            last_time: 0,
            hold: u64::MAX,
            pending: Vec::new(),
            pending_at: 0,
            checker: Checker::new(),
            ledger: Ledger::new(settings.at_least_once),
            held: Vec::new(),
            is_batch_exposed: false,
            out: Vec::new(),
            is_repeating: false,
            has_ended: false,
            responses: 0,
            is_unprotected: false,
            on_error: settings.on_error,
            events: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    // What Kapacitor sends.

    /// Takes a frame from Kapacitor; see [`Core::read`](super::core::Core::read).
    #[inline]
    pub(super) fn input(
        &mut self,
        frame: &Frame<'_>,
        load: &mut impl FnMut(&str, &str) -> Option<Saved>,
    ) {
        match classify(frame.body) {
            Input::Point => {
                self.traffic.points_in += 1;
                self.data(frame.extent);
            }
            Input::Begin => {
                self.traffic.batches_in += 1;
                self.data(frame.extent);
                self.is_within_batch = true;
            }
            Input::End => {
                self.data(frame.extent);
                self.is_within_batch = false;
                self.place_snapshot(frame.extent.end);
            }
            Input::Init { task, node } => {
                if !self.has_init() {
                    self.saved = load(&task, &node);
                }
                // The last one before one is accepted.
                if !self.is_started {
                    self.init = Some(frame.whole.to_vec());
                }
                self.requests.add(frame.extent.end, Ask::Init, false);
                self.events.push(Event::Init { task, node });
            }
            Input::Restore { snapshot } => self.restore(frame.extent, snapshot),
            Input::Ask(ask) => self.requests.add(frame.extent.end, ask, false),
            Input::Other => {}
        }
    }

    #[inline]
    fn data(&mut self, extent: Extent) {
        if self.data_end == 0 {
            self.restore_saved(extent.start, None);
        }
        self.data_end = extent.end;
    }

    /// Returns whether data has come since the last checkpoint.
    pub(super) fn has_data(&self) -> bool {
        self.data_end > self.base.position
    }

    fn restore(&mut self, extent: Extent, snapshot: Vec<u8>) {
        self.given = Given::new(Some(&snapshot));
        if self.restore_saved(extent.start, Some(&snapshot)) {
            self.left_out = Some(extent);
        } else {
            self.restored = Some(snapshot);
        }
        self.requests.add(extent.end, Ask::Restore, false);
    }

    /// Restores the saved checkpoint at `at`, if it wins over the snapshot of Kapacitor. Returns
    /// whether it does.
    fn restore_saved(&mut self, at: u64, restored: Option<&[u8]>) -> bool {
        let Some(saved) = self.saved.take().filter(|saved| saved.wins(restored)) else {
            return false;
        };
        let mut frame = Vec::new();
        requests::append_restore(&saved.snapshot, &mut frame);
        if restored.is_none() {
            self.requests.add(at, Ask::Restore, true);
        }
        self.restore = Some(Inserted { at, frame, is_sent: false });
        self.restored = Some(saved.snapshot);
        self.events.push(Event::RestoredSaved);
        true
    }

    /// Returns whether an Init has come.
    pub(super) fn has_init(&self) -> bool {
        self.init.is_some() || self.base.init.is_some()
    }

    /// Places a snapshot request behind `at`, if one is wanted and possible.
    pub(super) fn place_snapshot(&mut self, at: u64) {
        if self.wants_snapshot && !self.is_within_batch && self.is_started {
            let mut frame = Vec::new();
            requests::append_snapshot(&mut frame);
            self.requests.add(at, Ask::Snapshot, true);
            self.snapshot = Some(Inserted { at, frame, is_sent: false });
            self.wants_snapshot = false;
        }
    }

    /// Returns whether a snapshot request was placed, and is not answered.
    pub(super) fn awaits_answer_to_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    // What the worker gets.

    /// Returns whether a request goes to the worker at `position`, before any other input.
    pub(super) fn inserted(&mut self, position: u64) -> bool {
        if self.pending_at < self.pending.len() {
            return true;
        }
        let barrier = self.barrier.as_mut().map(|barrier| &mut barrier.inserted);
        let all = [self.restore.as_mut(), self.snapshot.as_mut(), barrier];
        let due = all.into_iter().flatten().find(|next| !next.is_sent && next.at <= position);
        let Some(due) = due else { return false };
        due.is_sent = true;
        self.pending.clone_from(&due.frame);
        self.pending_at = 0;
        true
    }

    pub(super) fn unsent_inserted(&self) -> &[u8] {
        &self.pending[self.pending_at..]
    }

    /// Marks bytes as written. Returns false if they belong to no inserted request.
    pub(super) fn note_sent_inserted(&mut self, bytes: usize) -> bool {
        let is_inserted = self.pending_at < self.pending.len();
        if is_inserted {
            self.pending_at += bytes;
        }
        is_inserted
    }

    /// Returns the position up to which input can be sent at once.
    pub(super) fn next_stop(&self) -> u64 {
        let barrier = self.barrier.as_ref().map(|barrier| &barrier.inserted);
        let all = [self.restore.as_ref(), self.snapshot.as_ref(), barrier];
        let next = all.into_iter().flatten().filter(|next| !next.is_sent).map(|next| next.at);
        next.fold(self.hold, u64::min)
    }

    /// Returns whether an answer is due to a request up to `position`.
    pub(super) fn is_answer_due(&self, position: u64) -> bool {
        self.barrier.is_some() || self.requests.are_due(position)
    }

    fn place_barrier(&mut self, at: u64, is_step: bool) {
        // No clock of Kapacitor shows these times.
        self.last_time -= 1;
        let (time, mut frame) = (self.last_time, Vec::new());
        requests::append_keepalive(time, &mut frame);
        let inserted = Inserted { at, frame, is_sent: false };
        self.barrier = Some(Barrier { inserted, time, is_step });
    }

    /// Sends the input up to `position`, and nothing behind it until the worker has handled it.
    pub(super) fn step_to(&mut self, position: u64) {
        self.hold = position;
        self.place_barrier(position, true);
    }

    /// Ends the steps. The repetition ends at `position`.
    pub(super) fn end_steps(&mut self, position: u64) {
        self.hold = u64::MAX;
        self.end_repetition_at(position);
    }

    fn end_repetition_at(&mut self, position: u64) {
        if !self.has_ended {
            self.place_barrier(position, false);
        }
    }

    /// Sends nothing behind the requested snapshot.
    pub(super) fn hold_at_snapshot(&mut self) {
        self.hold = self.snapshot.as_ref().map_or(self.hold, |snapshot| snapshot.at);
    }

    /// Returns whether the snapshot is answered that input is held at.
    pub(super) fn is_held_at_base(&self) -> bool {
        self.hold == self.base.position
    }

    pub(super) fn release(&mut self) {
        self.hold = u64::MAX;
    }

    /// Begins with a new worker. `repeats_to` is the end of the input that the last one may have
    /// handled.
    pub(super) fn take_over(&mut self, info: &Info, repeats_to: Option<u64>) {
        self.requests.rewind();
        self.ledger.rewind();
        self.checker = Checker::new();
        self.checker.set_provides(info.provides);
        self.snapshot = None;
        self.wants_snapshot = false;
        self.restore.iter_mut().for_each(|restore| restore.is_sent = false);
        self.held = Vec::new();
        self.pending.clear();
        self.pending_at = 0;
        self.hold = u64::MAX;
        self.barrier = None;
        self.is_repeating = repeats_to.is_some();
        if let Some(position) = repeats_to {
            self.end_repetition_at(position);
        }
    }

    // What the worker sends.

    /// Takes a response; see [`Core::respond`](super::core::Core::respond).
    #[inline]
    pub(super) fn respond(&mut self, frame: &[u8], whole: &[u8]) -> Result<bool, Fault> {
        self.responses += 1;
        match self.checker.check(frame).map_err(Fault::Death)? {
            Response::Point if self.checker.is_within_batch() => Ok(self.batch(whole)),
            Response::Point => {
                let passes = self.ledger.decide(whole) == Fate::Pass;
                self.traffic.points_out += u64::from(passes);
                Ok(passes)
            }
            Response::Begin => Ok(self.batch(whole)),
            Response::End => Ok(self.end(whole)),
            Response::Answer(ask, message) => self.answer(ask, message),
            Response::Error(error) => Err(match self.on_error {
                OnError::Restart => Fault::Death(format!("it reported an error: {error}")),
                OnError::Stop => Fault::Error(error),
            }),
        }
    }

    /// Takes a part of a batch. The batch is passed on as a whole, so that Kapacitor never has the
    /// begin of one without its end.
    fn batch(&mut self, whole: &[u8]) -> bool {
        if !self.is_batch_exposed {
            self.held.extend_from_slice(whole);
        }
        self.is_batch_exposed
    }

    fn end(&mut self, whole: &[u8]) -> bool {
        if take(&mut self.is_batch_exposed) {
            self.traffic.batches_out += 1;
            return true;
        }
        self.held.extend_from_slice(whole);
        if self.ledger.decide(&self.held) == Fate::Pass {
            self.traffic.batches_out += 1;
            self.out.append(&mut self.held);
        }
        self.held.clear();
        false
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Passes on what is held, because it is too much to keep. A death of the worker cannot be
    /// repaired before the next checkpoint.
    pub(super) fn give_up_protection(&mut self) {
        self.is_unprotected = true;
        let Repetition { new, .. } = self.ledger.settle();
        self.out.extend(new.into_iter().flatten());
        self.ledger.clear();
        if !self.held.is_empty() {
            self.is_batch_exposed = true;
            self.out.append(&mut self.held);
        }
    }

    fn answer(&mut self, ask: Ask, message: Message) -> Result<bool, Fault> {
        if let (Ask::Keepalive(time), Some(barrier)) = (ask, &self.barrier)
            && barrier.inserted.is_sent
            // A worker may answer without the time.
            && (time == barrier.time || time == 0)
        {
            let is_step = barrier.is_step;
            self.barrier = None;
            if is_step {
                self.events.push(Event::Stepped)
            } else {
                self.settle()
            }
            return Ok(false);
        }
        let is_accepted = match &message {
            Message::Init(answer) => answer.success,
            Message::Restore(answer) => answer.success,
            _ => true,
        };
        let request = match self.requests.answer(ask, is_accepted) {
            Ok(request) => request,
            // A worker may send keepalives at any time. The front sends its own.
            Err(_) if matches!(ask, Ask::Keepalive(_)) => {
                self.responses -= 1;
                return Ok(false);
            }
            Err(None) => {
                self.events.push(Event::Unasked(ask));
                return Ok(false);
            }
            Err(Some(due)) => {
                let (due, ask) = (due.name(), ask.name());
                return Err(Fault::Death(format!(
                    "it answered {ask}, while the answer to {due} was due"
                )));
            }
        };
        match message {
            Message::Init(answer) if answer.success && !self.is_started => {
                self.is_started = true;
                self.events.push(Event::Started);
            }
            Message::Init(answer) if !answer.success && request.was_accepted => {
                return Err(Fault::Error(refused_options(&answer.error)));
            }
            Message::Restore(answer)
                if !answer.success && (request.is_own || request.was_accepted) =>
            {
                return Err(Fault::Error(refused_snapshot(&answer.error)));
            }
            Message::Snapshot(answer) => self.checkpoint(request, answer.snapshot),
            _ => {}
        }
        Ok(!request.is_own && !request.is_passed)
    }

    /// Ends the repetition.
    pub(super) fn settle(&mut self) {
        let Repetition { known, differs, new } = self.ledger.settle();
        self.out.extend(new.into_iter().flatten());
        self.is_repeating = false;
        self.events.push(Event::Settled { known, differs });
    }

    /// Takes a snapshot. The output before it belongs to input before its request, and nothing of
    /// that is needed again.
    fn checkpoint(&mut self, request: Request, snapshot: Vec<u8>) {
        if request.is_own {
            self.snapshot = None;
        } else if !request.is_passed {
            self.given.add(&snapshot);
        }
        // A batch that has begun cannot be continued by another worker.
        if !self.held.is_empty() || self.is_batch_exposed {
            self.events.push(Event::NoCheckpoint);
            return;
        }
        let Repetition { new, .. } = self.ledger.settle();
        self.out.extend(new.into_iter().flatten());
        self.rebase(request.end, Some(snapshot).filter(|snapshot| !snapshot.is_empty()));
        self.is_unprotected = false;
        self.events.push(Event::Checkpoint { is_passed: !request.is_own });
    }

    fn rebase(&mut self, position: u64, snapshot: Option<Vec<u8>>) {
        if self.is_started
            && let Some(init) = self.init.take()
        {
            self.base.init = Some(init);
        }
        self.base.position = position;
        self.base.snapshot = snapshot;
        self.restored = None;
        self.restore = None;
        self.ledger.clear();
        self.requests.drop_before(position);
    }

    /// Returns whether nothing but requests has come since the last checkpoint, and all of them are
    /// answered.
    pub(super) fn is_idle(&self) -> bool {
        !self.has_data()
            && !self.is_repeating
            && !self.wants_snapshot
            && self.snapshot.is_none()
            && self.pending_at == self.pending.len()
            && self.held.is_empty()
            && !self.is_answer_due(u64::MAX)
    }

    /// Begins again at `position`, with an unchanged state.
    pub(super) fn rebase_idle(&mut self, position: u64) {
        let snapshot = self.restored.take().or_else(|| self.base.snapshot.take());
        self.rebase(position, snapshot);
    }
}

/// Returns why options that a worker refuses end the task.
pub(super) fn refused_options(why: &str) -> String {
    format!("the worker was replaced, and the new one refuses the options: {why}")
}

/// Returns why a snapshot that a worker refuses ends the task.
pub(super) fn refused_snapshot(why: &str) -> String {
    format!("the worker was replaced, and the new one refuses the last checkpoint: {why}")
}
