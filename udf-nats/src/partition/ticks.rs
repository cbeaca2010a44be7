//! Appends tick records to the input of a partition.
//!
//! A UDF with ticks gets each tick when its record is read back, so a replay repeats the ticks at
//! the same places. Two owners may append a record each, which is one tick more.

use std::time::Duration;

use crate::log::Clock;

/// When the next tick record is due.
#[derive(Debug)]
pub(super) struct Ticks {
    every: Duration,
    /// The time of the last record that was read or appended.
    last: i64,
    /// By the time that never goes back.
    pub(super) due: Duration,
}

impl Ticks {
    pub(super) fn new(every: Duration, clock: &impl Clock) -> Self {
        Ticks { every, last: clock.now(), due: clock.elapsed() + every }
    }

    /// Notes a record that was read, or that is appended now.
    pub(super) fn note(&mut self, time: i64, clock: &impl Clock) {
        if time <= self.last {
            return;
        }
        self.last = time;
        let age = u64::try_from(clock.now().saturating_sub(time)).unwrap_or(0);
        self.due = clock.elapsed() + self.every.saturating_sub(Duration::from_nanos(age));
    }

    /// Returns the time of a record, if it is due.
    pub(super) fn take(&mut self, clock: &impl Clock) -> Option<i64> {
        let elapsed = clock.elapsed();
        if elapsed < self.due {
            return None;
        }
        self.due = elapsed + self.every;
        // Times of ticks grow, also when the clock was set back.
        self.last = clock.now().max(self.last + 1);
        Some(self.last)
    }
}
