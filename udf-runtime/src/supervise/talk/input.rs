//! The requests that the front inserts into the input of a worker.

use udf_proto::Info;

use super::{Barrier, Behind, Inserted, Talk};
use crate::supervise::output::Checker;
use crate::supervise::requests;

impl Talk {
    /// Returns whether a request goes to the worker at `position`, before any other input.
    pub(in crate::supervise) fn inserted(&mut self, position: u64) -> bool {
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

    pub(in crate::supervise) fn unsent_inserted(&self) -> &[u8] {
        &self.pending[self.pending_at..]
    }

    /// Marks bytes as written. Returns false if they belong to no inserted request.
    pub(in crate::supervise) fn note_sent_inserted(&mut self, bytes: usize) -> bool {
        let is_inserted = self.pending_at < self.pending.len();
        if is_inserted {
            self.pending_at += bytes;
        }
        is_inserted
    }

    /// Returns the position up to which input can be sent at once.
    pub(in crate::supervise) fn next_stop(&self) -> u64 {
        let barrier = self.barrier.as_ref().map(|barrier| &barrier.inserted);
        let all = [self.restore.as_ref(), self.snapshot.as_ref(), barrier];
        let next = all.into_iter().flatten().filter(|next| !next.is_sent).map(|next| next.at);
        next.fold(self.hold, u64::min)
    }

    /// Returns whether an answer is due to a request up to `position`.
    pub(in crate::supervise) fn is_answer_due(&self, position: u64) -> bool {
        self.barrier.is_some() || self.requests.are_due(position)
    }

    fn place_barrier(&mut self, at: u64, behind: Behind) {
        // No clock of Kapacitor shows these times.
        self.last_time -= 1;
        let (time, mut frame) = (self.last_time, Vec::new());
        requests::append_keepalive(time, &mut frame);
        let inserted = Inserted { at, frame, is_sent: false };
        self.barrier = Some(Barrier { inserted, time, behind });
    }

    /// Asks the worker whether it has handled all input, which ends at `position`. An answer to a
    /// barrier that stands there before shows this as well.
    pub(in crate::supervise) fn ask_whether_handled(&mut self, position: u64) {
        if self.barrier.is_none() {
            self.place_barrier(position, Behind::All);
        }
    }

    /// Sends the input up to `position`, and nothing behind it until the worker has handled it.
    pub(in crate::supervise) fn step_to(&mut self, position: u64) {
        self.hold = position;
        self.place_barrier(position, Behind::Step);
    }

    /// Ends the steps. The repetition ends at `position`.
    pub(in crate::supervise) fn end_steps(&mut self, position: u64) {
        self.hold = u64::MAX;
        self.end_repetition_at(position);
    }

    fn end_repetition_at(&mut self, position: u64) {
        if !self.has_ended {
            self.place_barrier(position, Behind::Repetition);
        }
    }

    /// Sends nothing behind the requested snapshot.
    pub(in crate::supervise) fn hold_at_snapshot(&mut self) {
        self.hold = self.snapshot.as_ref().map_or(self.hold, |snapshot| snapshot.at);
    }

    /// Returns whether the snapshot is answered that input is held at.
    pub(in crate::supervise) fn is_held_at_base(&self) -> bool {
        self.hold == self.base.position
    }

    pub(in crate::supervise) fn release(&mut self) {
        self.hold = u64::MAX;
    }

    /// Begins with a new worker. `repeats_to` is the end of the input that the last one may have
    /// handled. If the worker `is_within_batch`, the rest of the batch is dropped: so was its begin.
    pub(in crate::supervise) fn take_over(
        &mut self,
        info: &Info,
        is_within_batch: bool,
        repeats_to: Option<u64>,
    ) {
        self.requests.rewind(self.base.position);
        self.ledger.rewind(repeats_to.is_some());
        self.checker = Checker::take_over(info.provides, is_within_batch);
        self.is_batch_dropped = is_within_batch;
        self.snapshot = None;
        self.wants_snapshot = false;
        self.restore.iter_mut().for_each(|restore| restore.is_sent = false);
        self.held = Vec::new();
        self.pending.clear();
        self.pending_at = 0;
        self.hold = u64::MAX;
        self.barrier = None;
        self.handled = 0;
        self.is_repeating = repeats_to.is_some();
        if let Some(position) = repeats_to {
            self.end_repetition_at(position);
        }
    }
}
