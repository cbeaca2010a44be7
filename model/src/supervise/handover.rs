//! The handover to a worker of a new program.

use super::front::{Front, Worker};
use super::talk::Fault;
use super::udf::Version;

/// A worker that is about to take over.
pub(super) struct Upgrade {
    pub(super) worker: Worker,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    AwaitingSnapshot,
    Restoring,
}

impl Upgrade {
    pub(super) fn is_restoring(&self) -> bool {
        self.phase == Phase::Restoring
    }

    pub(super) fn is_starting(&self) -> bool {
        self.phase == Phase::Starting
    }
}

impl Front {
    pub(super) fn look_after_upgrade(&mut self) {
        if self.upgrade.is_none() {
            return self.begin_upgrade();
        }
        self.feed_candidate();
        let Some(upgrade) = &mut self.upgrade else { return };
        let is_done = upgrade.worker.start.as_ref().is_none_or(|start| start.is_done().is_some());
        match upgrade.phase {
            Phase::Starting
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
                    let window = self.info.as_ref().map(|info| self.core.window(info.wants));
                    if let Some(start) = &mut upgrade.worker.start {
                        start.restore(&self.core.talk.base, &window.unwrap_or_default());
                    }
                    upgrade.phase = Phase::Restoring;
                    self.look_after_upgrade();
                } else {
                    self.core.request_snapshot();
                    self.core.talk.hold_at_snapshot();
                }
            }
            Phase::Restoring if is_done => self.end_upgrade(),
            _ => {}
        }
    }

    /// Returns whether a request for an upgrade would be followed now. Otherwise, it waits.
    pub(super) fn may_begin_upgrade(&self) -> bool {
        self.upgrade.is_none()
            && self.worker.as_ref().is_some_and(|worker| worker.start.is_none())
            && !self.is_closed
            && self.core.talk.is_started
            && !self.core.talk.is_repeating
            && self.search.is_none()
    }

    fn begin_upgrade(&mut self) {
        let requested = self.world.lock().upgrades;
        if requested != self.upgrades && self.may_begin_upgrade() {
            self.upgrades = requested;
            let mut worker = self.spawn(self.info.clone(), self.next);
            if let (Some(start), Some(init)) = (&mut worker.start, self.core.talk.init()) {
                start.init(init);
            }
            self.upgrade = Some(Upgrade { worker, phase: Phase::Starting });
            self.feed_candidate();
        }
    }

    fn refuse_upgrade(&mut self) {
        if let Some(upgrade) = self.upgrade.take() {
            self.world.kill(upgrade.worker.id);
            self.core.talk.release();
        }
    }

    fn feed_candidate(&mut self) {
        let Some(Upgrade { worker, .. }) = &mut self.upgrade else { return };
        let Some(start) = &mut worker.start else { return };
        while !start.unsent().is_empty() {
            match self.world.write_to(worker.id, start.unsent()) {
                0 => return,
                written => start.note_sent(written),
            }
        }
    }

    pub(super) fn read_candidate(&mut self) {
        let Some(Upgrade { worker, .. }) = &mut self.upgrade else { return };
        if !matches!(worker.frames.fill(), Ok(true)) {
            return self.refuse_upgrade();
        }
        while let Ok(Some(frame)) = worker.frames.buffered_frame() {
            let Some(start) = &mut worker.start else { return };
            match start.respond(frame) {
                Ok(()) => {}
                Err(Fault::Death(_) | Fault::Error(_)) => return self.refuse_upgrade(),
            }
        }
    }

    fn end_upgrade(&mut self) {
        let Some(Upgrade { worker, .. }) = self.upgrade.take() else { return };
        if let Some(old) = self.worker.replace(worker) {
            self.world.kill(old.id);
        }
        self.version = self.next;
        self.take_over();
    }
}
