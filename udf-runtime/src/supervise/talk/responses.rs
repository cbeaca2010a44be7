//! Handles the responses of a worker, and decides which of them Kapacitor gets.

use std::mem::take;

use udf_proto::messages::response::Message;

use super::{Behind, Event, Fault, Talk, cannot_go_on, refused_options, refused_snapshot};
use crate::supervise::ledger::{Fate, Repetition};
use crate::supervise::output::Response;
use crate::supervise::requests::{Ask, Request};
use crate::supervise::settings::OnError;

impl Talk {
    /// Takes a response; see [`Core::respond`](super::core::Core::respond). `sent` is the position
    /// up to which the worker has got the input.
    #[inline]
    pub(in crate::supervise) fn respond(
        &mut self,
        frame: &[u8],
        whole: &[u8],
        sent: u64,
    ) -> Result<bool, Fault> {
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
            Response::Answer(ask, message) => self.answer(ask, *message, sent),
            Response::Error(error) => Err(match self.on_error {
                OnError::Restart => Fault::Death(format!("it reported an error: {error}")),
                OnError::Stop => Fault::Error(error),
            }),
        }
    }

    /// Takes a part of a batch. The batch is passed on as a whole, so that Kapacitor never has the
    /// begin of one without its end.
    fn batch(&mut self, whole: &[u8]) -> bool {
        if !self.is_batch_exposed && !self.is_batch_dropped {
            self.held.extend_from_slice(whole);
        }
        self.is_batch_exposed
    }

    fn end(&mut self, whole: &[u8]) -> bool {
        if take(&mut self.is_batch_dropped) {
            return false;
        }
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

    pub(in crate::supervise) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Passes on unknown output of a repetition before its end, because it is too much to keep.
    pub(in crate::supervise) fn pass_on_unknown(&mut self) {
        let new = self.ledger.release();
        self.out.extend(new.into_iter().flatten());
    }

    /// Passes on what is held, because it is too much to keep. A death of the worker cannot be
    /// repaired before the next checkpoint.
    pub(in crate::supervise) fn give_up_protection(&mut self) {
        self.is_unprotected = true;
        self.pass_on_unknown();
        self.ledger.give_up();
        if !self.held.is_empty() {
            self.is_batch_exposed = true;
            self.out.append(&mut self.held);
        }
    }

    fn answer(&mut self, ask: Ask, message: Message, sent: u64) -> Result<bool, Fault> {
        if let (Ask::Keepalive(time), Some(barrier)) = (ask, &self.barrier)
            && barrier.inserted.is_sent
            // A worker may answer without the time.
            && (time == barrier.time || time == 0)
        {
            let behind = barrier.behind;
            self.handled = barrier.inserted.at;
            self.barrier = None;
            match behind {
                Behind::Step => self.events.push(Event::Stepped),
                Behind::Repetition => self.settle(),
                Behind::All => {}
            }
            return Ok(false);
        }
        let is_accepted = match &message {
            Message::Init(answer) => answer.success,
            Message::Restore(answer) => answer.success,
            _ => true,
        };
        // An answer to a request that the worker has not got would split the output at a wrong place.
        let Talk { requests, snapshot, restore, .. } = self;
        let is_sent = |request: &Request| {
            let inserted = match request.ask {
                _ if !request.is_own => None,
                Ask::Snapshot => snapshot.as_ref(),
                _ => restore.as_ref(),
            };
            request.end <= sent && inserted.is_none_or(|inserted| inserted.is_sent)
        };
        let request = match requests.answer(ask, is_accepted, is_sent) {
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
                return Err(Fault::Error(cannot_go_on(&refused_options(&answer.error))));
            }
            Message::Restore(answer) if !answer.success && request.was_accepted => {
                return Err(Fault::Error(cannot_go_on(&refused_snapshot(&answer.error))));
            }
            Message::Restore(answer) if !answer.success && request.is_own => {
                return Err(Fault::Error(format!(
                    "the UDF refuses the saved checkpoint: {}; to begin without it, remove its file from --state-dir",
                    answer.error
                )));
            }
            Message::Snapshot(answer) => self.checkpoint(request, answer.snapshot),
            _ => {}
        }
        Ok(!request.is_own && !request.is_passed)
    }

    /// Ends the repetition.
    pub(in crate::supervise) fn settle(&mut self) {
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
        // Another worker cannot continue a batch that has begun, of the input or of the output. If
        // the answer of the last worker was no checkpoint for this reason, the ledger has output from
        // before and behind the request.
        if request.is_within_batch || self.checker.is_within_batch() || request.is_passed {
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
        if self.requests.next(Ask::Restore).is_none() {
            // Otherwise, it lies behind the position.
            self.restored = None;
            self.restore = None;
        }
        self.ledger.clear();
        self.requests.drop_before(position);
    }

    /// Returns whether nothing but requests has come since the last checkpoint, and all of them are
    /// answered.
    pub(in crate::supervise) fn is_idle(&self) -> bool {
        !self.has_data()
            && !self.is_repeating
            && !self.wants_snapshot
            && self.snapshot.is_none()
            && self.pending_at == self.pending.len()
            && self.held.is_empty()
            && !self.is_answer_due(u64::MAX)
    }

    /// Begins again at `position`, with an unchanged state.
    pub(in crate::supervise) fn rebase_idle(&mut self, position: u64) {
        let snapshot = self.restored.take().or_else(|| self.base.snapshot.take());
        self.rebase(position, snapshot);
    }
}
