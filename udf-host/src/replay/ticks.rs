//! Ticks by the times of the data.

use super::error::ReplayError;
use crate::error::Error;
use crate::interface::Interface;

/// The most ticks without data between them: more than those of a day at a tick per second. A wrong
/// time in the input can make a gap of centuries, which would otherwise take hours.
const MOST_IDLE: i64 = 100_000;

/// The ticks of a UDF that were requested.
///
/// The first tick is due one interval after the time of the first data, and each tick runs before
/// the data that is not earlier. The order of the data never turns the clock back.
pub(super) struct Ticks<'a> {
    udf: &'a dyn Interface,
    every: i64,
    /// The time of the next tick. `None` before the first data.
    next: Option<i64>,
    /// The number of ticks that were left out.
    pub(super) skipped: u64,
}

impl<'a> Ticks<'a> {
    /// Returns the ticks of a UDF that has accepted its Init, if the UDF has any on request.
    pub(super) fn of(udf: &'a dyn Interface) -> Result<Option<Self>, ReplayError> {
        // A longer interval never comes.
        let every = udf.tick_every()?.and_then(|every| i64::try_from(every.as_nanos()).ok());
        Ok(every.map(|every| Ticks { udf, every, next: None, skipped: 0 }))
    }

    /// Returns whether [`before`](Self::before) must be called for data of this time.
    pub(super) fn are_due(&self, time: i64) -> bool {
        self.next.is_none_or(|next| time >= next)
    }

    /// Runs all ticks that are due before data of this time.
    pub(super) fn before(&mut self, time: i64) -> Result<(), Error> {
        let Some(next) = self.next else {
            self.next = time.checked_add(self.every);
            return Ok(());
        };
        if time < next {
            return Ok(());
        }
        let due = (i128::from(time) - i128::from(next)) / i128::from(self.every) + 1;
        let skipped = due - due.min(i128::from(MOST_IDLE));
        self.skipped += u64::try_from(skipped).unwrap_or(u64::MAX);
        let mut tick = i128::from(next) + skipped * i128::from(self.every);
        while let Ok(now) = i64::try_from(tick)
            && now <= time
        {
            self.udf.tick(now)?;
            tick += i128::from(self.every);
        }
        self.next = Some(i64::try_from(tick).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Runs the tick that is due after the last data.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.next.map_or(Ok(()), |next| self.before(next))
    }
}
