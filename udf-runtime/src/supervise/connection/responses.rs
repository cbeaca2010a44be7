//! The worker's side of a connection.

use std::sync::atomic::Ordering;
use std::time::Instant;

use udf_host::diagnosis::{self, NoMessage};

use super::Connection;
use super::checkpoints::NO_CHECKPOINT;
use crate::agent::counters::Count;
use crate::supervise::talk::{Event, Fault, cannot_go_on};
use crate::supervise::worker::{Got, Worker};

impl Connection {
    /// Writes to the worker what it takes now.
    pub(super) fn feed(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        loop {
            let bytes = match &worker.start {
                Some(start) => start.unsent(),
                None => self.core.unsent(),
            };
            if bytes.is_empty() {
                break;
            }
            let written = worker.write(bytes);
            if written == 0 {
                break;
            }
            match &mut worker.start {
                Some(start) => start.note_sent(written),
                None => self.core.note_sent(written),
            }
            self.progress = Instant::now();
        }
        let serves = worker.start.is_none();
        let repeated = self.core.take_repeated();
        self.note_replayed(repeated);
        let is_end = serves && self.is_closed() && self.search.is_none();
        if is_end && !self.is_final_checkpoint_due() && self.core.may_end_input() {
            self.worker.iter_mut().for_each(Worker::end_input);
            self.core.talk.has_ended = true;
        }
    }

    /// Counts the input that workers have got again.
    pub(super) fn note_replayed(&mut self, bytes: u64) {
        self.link.counters.add(Count::Replayed, bytes);
        if let Some(replacing) = &mut self.replacing {
            replacing.bytes += bytes;
        }
    }

    pub(super) fn read_worker(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        match worker.read() {
            Ok(Got::Some | Got::Nothing) => {}
            Ok(Got::End) => self.ended = Some(Instant::now()),
            Err(fault) => return self.die(Some(&fault)),
        }
        self.take_responses();
    }

    fn take_responses(&mut self) {
        let Some(Worker { frames, start, .. }) = &mut self.worker else { return };
        let (before, is_new) = (self.core.talk.responses, start.is_some());
        // The bytes of the last responses in a row that are passed on. They are not copied if
        // Kapacitor takes them at once.
        let mut run = 0;
        let fault = loop {
            let length = match frames.buffered_frame() {
                Ok(Some(frame)) => frame.len(),
                Ok(None) => break None,
                Err(error) => break Some(Fault::Death(error.to_string())),
            };
            let whole = &frames.taken()[..frames.taken().len() - frames.rest().len()];
            let frame = &whole[whole.len() - length..];
            let took = match start {
                Some(start) => {
                    self.progress = Instant::now();
                    start.respond(frame).map(|()| false)
                }
                None => self.core.respond(frame, whole),
            };
            match took {
                Ok(true) if self.core.talk.out.is_empty() => run += whole.len(),
                Ok(passes) => {
                    let end = whole.len();
                    let before = frames.last_taken(run + end);
                    self.out.extend_from_slice(&before[..run]);
                    self.out.append(&mut self.core.talk.out);
                    run = if passes { end } else { 0 };
                }
                Err(fault) => {
                    let end = whole.len();
                    self.out.extend_from_slice(&frames.last_taken(run + end)[..run]);
                    run = 0;
                    break Some(explain(fault, frames.taken()));
                }
            }
        };
        let run = frames.last_taken(run);
        let written = match self.out.is_empty() {
            true => rustix::io::write(&self.output, run).unwrap_or(0),
            false => 0,
        };
        if written > 0 {
            self.link.counters.add(Count::BytesOut, written as u64);
            self.last_sign = Instant::now();
            self.out_moved = self.last_sign;
        }
        self.out.extend_from_slice(&run[written..]);
        if self.core.talk.responses != before {
            self.progress = Instant::now();
        }
        self.handle_events();
        match fault {
            None => {
                self.core.forget_idle();
                self.take_over();
            }
            Some(Fault::Death(fault)) => self.die(Some(&fault)),
            Some(Fault::Error(error)) if is_new => self.fail(cannot_go_on(&error)),
            Some(Fault::Error(error)) => self.fail(error),
        }
    }

    pub(super) fn handle_events(&mut self) {
        for event in std::mem::take(&mut self.core.talk.events) {
            match event {
                Event::Init { task, node } => {
                    let span = tracing::Span::current();
                    span.record("task", &task).record("node", &node);
                    self.named.get_or_insert((task, node));
                }
                Event::Started => {
                    self.allowance.start();
                    if let Some((task, node)) = self.named.take() {
                        self.link.pulse.name_task(&task, &node);
                    }
                    self.introduce();
                }
                Event::Checkpoint { is_passed } => {
                    let now = Instant::now();
                    self.link.counters.add(Count::Checkpoints, 1);
                    self.deaths.end_stretch();
                    if let Some(asked) = self.checkpoints.asked.take() {
                        self.checkpoints.cost = now.duration_since(asked);
                    }
                    self.checkpoints.last = now;
                    let snapshot = self.core.talk.base.snapshot.as_ref();
                    self.checkpoints.bytes = snapshot.map_or(0, Vec::len);
                    let is_final = self.is_closed();
                    match (snapshot, &mut self.saver) {
                        (None, _) => self.log_empty(),
                        (Some(snapshot), Some(saver))
                            if is_passed
                                || is_final
                                || now.duration_since(self.saved)
                                    >= self.shared.settings.checkpoint_every =>
                        {
                            saver.save(snapshot, self.core.talk.given);
                            self.saved = now;
                        }
                        _ => {}
                    }
                }
                Event::NoCheckpoint => {
                    self.checkpoints.not_before = Instant::now() + NO_CHECKPOINT;
                    // A search holds input as well.
                    if self.upgrade.is_some() {
                        self.core.talk.release();
                    }
                }
                Event::Settled { known, differs } => {
                    // Another worker has handled the same input.
                    self.deaths.end_stretch();
                    self.settled(known, differs);
                }
                Event::Stepped => self.next_step(),
                Event::RestoredSaved => {
                    tracing::info!(
                        "the saved checkpoint is later than the state of Kapacitor, and is restored"
                    );
                }
                Event::Unasked(ask) => {
                    if let Some(held_back) = self.unasked.pass() {
                        tracing::warn!(
                            "the worker answered a request that it did not get ({}); its answer was dropped{held_back}",
                            ask.name()
                        );
                    }
                }
            }
        }
    }

    /// Logs once the guarantees, which apply to all connections.
    fn introduce(&self) {
        if !self.shared.is_introduced.swap(true, Ordering::Relaxed) {
            let timers = match self.shared.settings.at_least_once {
                true => "may then be doubled, and none is dropped",
                false => "may then be doubled or missing",
            };
            tracing::info!(
                "the UDF is supervised: a worker that dies is replaced; output that follows from input is sent \
                 exactly once, output of timers and of other threads {timers}"
            );
        }
    }

    fn log_empty(&self) {
        if !self.shared.has_logged_empty.swap(true, Ordering::Relaxed) {
            let replay = match self.shared.settings.replay {
                0 => "set --replay if it can be built again from recent input".to_owned(),
                bytes => format!("the last {bytes} bytes of input from before are replayed"),
            };
            tracing::info!(
                "the snapshots of the UDF are empty; if it keeps state, a crash loses it: {replay}"
            );
        }
    }
}

/// Replaces a death by text that was printed in the place of a response.
fn explain(fault: Fault, taken: &[u8]) -> Fault {
    match (fault, diagnosis::text(taken)) {
        (Fault::Death(_), Some(text)) => Fault::Death(NoMessage::Text(text).to_string()),
        (fault, _) => fault,
    }
}
