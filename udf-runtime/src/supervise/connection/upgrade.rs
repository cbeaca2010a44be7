//! Hands the work of a worker over to one of a new program.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Connection;
use crate::agent::counters::Count;
use crate::supervise::Shared;
use crate::supervise::talk::Fault;
use crate::supervise::worker::{Got, Worker};

/// The maximum number of connections that start another worker at the same time.
const MOST_AT_ONCE: usize = 4;

/// A worker that is about to take over.
pub(super) struct Upgrade {
    worker: Worker,
    begun: Instant,
    phase: Phase,
    _turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It describes itself.
    Describing,
    /// The present worker is asked for a snapshot, and gets no input behind that request.
    AwaitingSnapshot,
    /// It restores the snapshot. The present worker is not read.
    Restoring,
}

/// One of the few connections that are upgraded at the same time.
struct Turn(Arc<Shared>);

impl Turn {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let taken = shared.upgrading.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |taken| {
            (taken < MOST_AT_ONCE).then_some(taken + 1)
        });
        taken.ok().map(|_| Turn(Arc::clone(shared)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.upgrading.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upgrade {
    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(super) fn is_restoring(&self) -> bool {
        self.phase == Phase::Restoring
    }
}

impl Connection {
    /// Begins an upgrade that was requested, or goes on with it.
    pub(super) fn look_after_upgrade(&mut self, now: Instant) {
        if self.is_ending() {
            self.upgrade = None;
            return;
        }
        if self.upgrade.is_none() {
            return self.begin_upgrade(now);
        }
        self.feed_candidate();
        let Some(upgrade) = &mut self.upgrade else { return };
        if let Some(budget) = self.limits.busy
            && now.duration_since(upgrade.begun) >= budget
        {
            return self.refuse_upgrade(&format!("the new worker is not ready after {budget:?}"));
        }
        if upgrade.worker.exited().is_some() {
            return self.bury_candidate(None);
        }
        let is_done = upgrade.worker.start.as_ref().is_none_or(|start| start.is_done().is_some());
        match upgrade.phase {
            // A snapshot that was requested before must be answered first.
            Phase::Describing
                if is_done
                    && !self.core.talk.awaits_answer_to_snapshot()
                    && !self.core.talk.is_repeating =>
            {
                upgrade.phase = Phase::AwaitingSnapshot;
                self.core.request_snapshot();
                self.core.talk.hold_at_snapshot();
            }
            Phase::AwaitingSnapshot => {
                if self.core.talk.is_held_at_base() {
                    let info = self.info.as_ref();
                    let window = info.map_or(Vec::new(), |info| self.core.window(info.wants));
                    if let Some(start) = &mut upgrade.worker.start {
                        start.restore(&self.core.talk.base, &window);
                    }
                    upgrade.phase = Phase::Restoring;
                } else {
                    self.core.request_snapshot();
                    self.core.talk.hold_at_snapshot();
                }
            }
            Phase::Restoring if is_done => self.end_upgrade(),
            _ => {}
        }
    }

    fn begin_upgrade(&mut self, now: Instant) {
        let requested = self.shared.upgrades.load(Ordering::SeqCst);
        let serves = self.worker.as_ref().is_some_and(|worker| worker.start.is_none());
        if requested == self.upgrades_seen || !serves || self.is_closed() {
            // A worker that starts now has the present program.
            if !serves {
                self.upgrades_seen = requested;
            }
            return;
        }
        if !self.core.talk.is_started || self.core.talk.is_repeating || self.search.is_some() {
            return;
        }
        let Some(turn) = Turn::take(&self.shared) else { return };
        self.upgrades_seen = requested;
        match Worker::spawn(&self.shared.program, self.limits.frame, self.info.clone()) {
            Ok(worker) => {
                let phase = Phase::Describing;
                self.upgrade = Some(Upgrade { worker, begun: now, phase, _turn: turn });
            }
            Err(error) => self.refuse_upgrade(&error),
        }
    }

    /// Keeps the present worker.
    fn refuse_upgrade(&mut self, why: &str) {
        tracing::error!("the upgrade failed, and the present worker goes on: {why}");
        self.upgrade = None;
        self.core.talk.release();
    }

    fn bury_candidate(&mut self, fault: Option<&str>) {
        if let Some(upgrade) = self.upgrade.take() {
            let reason = upgrade.worker.bury(fault);
            self.refuse_upgrade(&reason);
        }
    }

    fn feed_candidate(&mut self) {
        let Some(worker) = self.upgrade.as_mut().map(|upgrade| &mut upgrade.worker) else { return };
        while let Some(start) = &mut worker.start
            && !start.unsent().is_empty()
        {
            match write(worker) {
                0 => return,
                written => {
                    if let Some(start) = &mut worker.start {
                        start.note_sent(written);
                    }
                }
            }
        }
    }

    pub(super) fn read_candidate(&mut self) {
        let Some(worker) = self.upgrade.as_mut().map(|upgrade| &mut upgrade.worker) else { return };
        match worker.read() {
            Ok(Got::Some | Got::Nothing) => {}
            Ok(Got::End) => return self.bury_candidate(None),
            Err(fault) => return self.bury_candidate(Some(&fault)),
        }
        let fault = loop {
            let response = match worker.frames.buffered_frame() {
                Ok(None) => break None,
                Ok(Some(frame)) => Ok(frame.to_vec()),
                Err(error) => Err(Fault::Death(error.to_string())),
            };
            let taken = match (response, &mut worker.start) {
                (Ok(frame), Some(start)) => start.respond(&frame),
                (response, _) => response.map(drop),
            };
            if let Err(fault) = taken {
                break Some(fault);
            }
        };
        match fault {
            None => {}
            Some(Fault::Death(fault) | Fault::Error(fault)) => self.bury_candidate(Some(&fault)),
        }
    }

    fn end_upgrade(&mut self) {
        let Some(upgrade) = self.upgrade.take() else { return };
        let (new, begun) = (upgrade.worker.id(), upgrade.begun);
        // Killed, and not asked to finish: it would emit what the new one emits later.
        let old = self.worker.replace(upgrade.worker).map_or(0, |old| old.id());
        self.enlarge_worker();
        self.ended = None;
        self.progress = Instant::now();
        self.take_over();
        self.link.counters.add(Count::Upgrades, 1);
        tracing::info!(
            "upgraded: worker {new} took over from worker {old} after {} ms",
            begun.elapsed().as_millis()
        );
    }
}

fn write(worker: &Worker) -> usize {
    worker.start.as_ref().map_or(0, |start| worker.write(start.unsent()))
}
