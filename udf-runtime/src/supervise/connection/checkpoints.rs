//! Decides when the worker is asked for a snapshot.

use std::time::{Duration, Instant};

use super::Connection;
use super::upgrade::Upgrade;

/// The pause before another snapshot is requested if one was no checkpoint.
pub(super) const NO_CHECKPOINT: Duration = Duration::from_millis(100);

/// When the next checkpoint is due.
pub(super) struct Checkpoints {
    pub(super) last: Instant,
    /// When the present one was requested.
    pub(super) asked: Option<Instant>,
    /// How long the last one took.
    pub(super) cost: Duration,
    /// The size of the last snapshot.
    pub(super) bytes: usize,
    pub(super) not_before: Instant,
    /// Whether the last one was requested at the end of the input.
    pub(super) is_final: bool,
}

impl Checkpoints {
    pub(super) fn new(now: Instant) -> Self {
        Checkpoints {
            last: now,
            asked: None,
            cost: Duration::ZERO,
            bytes: 0,
            not_before: now,
            is_final: false,
        }
    }
}

impl Connection {
    /// Returns whether the state at the end of the input must be saved, before the worker finishes.
    /// Kapacitor takes no snapshot at its end.
    pub(super) fn is_final_checkpoint_due(&self) -> bool {
        self.saver.is_some()
            && self.core.talk.is_started
            && self.core.talk.has_data()
            && !self.core.talk.has_ended
            && !self.checkpoints.is_final
    }

    /// Requests a snapshot if a checkpoint is due.
    pub(super) fn request_checkpoint(&mut self, now: Instant) {
        let settings = &self.shared.settings;
        let is_possible = self.core.talk.is_started
            && !self.core.talk.is_repeating
            && !self.core.talk.wants_snapshot
            && !self.core.talk.awaits_answer_to_snapshot()
            && self.core.talk.has_data()
            && self.search.is_none()
            && self.upgrade.as_ref().is_none_or(Upgrade::is_starting)
            && (!self.is_closed() || self.is_final_checkpoint_due())
            && self.worker.as_ref().is_some_and(|worker| worker.start.is_none())
            && now >= self.checkpoints.not_before;
        if !is_possible {
            return;
        }
        let most = settings.checkpoint_bytes.max(self.checkpoints.bytes).min(settings.memory / 2);
        // A snapshot that takes long is taken less often.
        let age = settings.checkpoint_every.max(20 * self.checkpoints.cost);
        let is_due = self.core.kept_bytes() >= most
            || now.duration_since(self.checkpoints.last) >= age
            || self.is_closed()
            || self.core.talk.is_unprotected;
        if is_due {
            self.core.request_snapshot();
            self.checkpoints.asked = Some(now);
            self.checkpoints.is_final = self.is_closed();
        }
    }
}
