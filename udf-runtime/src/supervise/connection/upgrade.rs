//! Hands the work of a worker over to one of a new program.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Connection;
use crate::agent::counters::Count;
use crate::supervise::Shared;
use crate::supervise::talk::Fault;
use crate::supervise::worker::{Got, Worker};

/// The maximum number of connections that start another worker at the same time.
const MOST_AT_ONCE: usize = 4;

/// The time within which a new worker must be ready for a snapshot, without a `--busy-budget`.
const START_WITHIN: Duration = Duration::from_secs(300);

/// The time within which it must restore the snapshot. The input waits meanwhile.
const RESTORE_WITHIN: Duration = Duration::from_secs(30);

/// A worker that is about to take over.
pub(super) struct Upgrade {
    worker: Worker,
    begun: Instant,
    phase: Phase,
    /// When the present phase began.
    since: Instant,
    _turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It describes itself, and accepts the Init. The present worker serves meanwhile.
    Starting,
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

impl Phase {
    /// Returns how long this phase may take.
    fn limit(self, busy: Option<Duration>) -> Duration {
        let limit = busy.unwrap_or(START_WITHIN);
        if self == Phase::Restoring { limit.min(RESTORE_WITHIN) } else { limit }
    }
}

impl Upgrade {
    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(super) fn is_restoring(&self) -> bool {
        self.phase == Phase::Restoring
    }

    /// Returns whether the present worker serves as ever.
    pub(super) fn is_starting(&self) -> bool {
        self.phase == Phase::Starting
    }

    fn go_on(&mut self, phase: Phase, now: Instant) {
        (self.phase, self.since) = (phase, now);
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
        let limit = upgrade.phase.limit(self.limits.busy);
        if now.duration_since(upgrade.since) >= limit {
            return self.refuse_upgrade(&format!("the new worker is not ready after {limit:?}"));
        }
        if upgrade.worker.exited().is_some() {
            return self.bury_candidate(None);
        }
        let is_done = upgrade.worker.start.as_ref().is_none_or(|start| start.is_done().is_some());
        match upgrade.phase {
            // A snapshot that was requested before must be answered first.
            Phase::Starting
                if is_done
                    && !self.core.talk.awaits_answer_to_snapshot()
                    && !self.core.talk.is_repeating =>
            {
                upgrade.go_on(Phase::AwaitingSnapshot, now);
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
                    upgrade.go_on(Phase::Restoring, now);
                    // Without a snapshot, it is ready at once.
                    self.look_after_upgrade(now);
                } else {
                    if now >= self.checkpoints.not_before {
                        self.core.request_snapshot();
                    }
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
            return;
        }
        if !self.core.talk.is_started || self.core.talk.is_repeating || self.search.is_some() {
            return;
        }
        let Some(turn) = Turn::take(&self.shared) else { return };
        self.upgrades_seen = requested;
        match Worker::spawn(&self.shared.program, self.limits.frame, self.info.clone()) {
            Ok(mut worker) => {
                if let (Some(start), Some(init)) = (&mut worker.start, self.core.talk.init()) {
                    start.init(init);
                }
                let (begun, since, phase) = (now, now, Phase::Starting);
                self.upgrade = Some(Upgrade { worker, begun, phase, since, _turn: turn });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_waits_for_a_new_worker_for_a_short_time_only() {
        let minutes = |count: u64| Some(Duration::from_secs(60 * count));
        assert_eq!(Phase::Starting.limit(minutes(60)), Duration::from_secs(3600));
        assert_eq!(Phase::Starting.limit(None), START_WITHIN);
        for busy in [minutes(60), None] {
            assert_eq!(Phase::Restoring.limit(busy), RESTORE_WITHIN);
        }
        assert_eq!(Phase::Restoring.limit(Some(Duration::from_secs(1))), Duration::from_secs(1));
    }
}
