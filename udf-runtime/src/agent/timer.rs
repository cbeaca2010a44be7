//! Ticks on request instead of by the wall clock, for tests and replays.
#![allow(dead_code, reason = "without the features `main` and `testing`, nothing requests ticks")]

use std::sync::Arc;
use std::time::Duration;

use crate::agent::sync::{Mutex, lock};

/// Requests the ticks of one agent; see `Agent::timer`.
#[derive(Clone, Default)]
pub(crate) struct Timer(Arc<Mutex<Option<Ticks>>>);

struct Ticks {
    every: Duration,
    tick: Box<dyn FnMut(i64) + Send>,
}

impl Timer {
    /// Returns the interval that the UDF asks for. `None` without ticks, and before the agent has
    /// handled its Init.
    pub(crate) fn every(&self) -> Option<Duration> {
        lock(&self.0).as_ref().map(|ticks| ticks.every)
    }

    /// Ticks once, unless the agent has no ticks or has ended. New points get this time.
    pub(crate) fn tick(&self, time: i64) {
        if let Some(ticks) = &mut *lock(&self.0) {
            (ticks.tick)(time);
        }
    }

    /// Accepts requests until the result is dropped.
    pub(super) fn start(&self, every: Duration, tick: impl FnMut(i64) + Send + 'static) -> Started {
        *lock(&self.0) = Some(Ticks { every, tick: Box::new(tick) });
        Started(self.clone())
    }
}

/// A timer that accepts requests. Dropping it waits for a tick that is running.
pub(super) struct Started(Timer);

impl Drop for Started {
    fn drop(&mut self) {
        *lock(&self.0.0) = None;
    }
}
