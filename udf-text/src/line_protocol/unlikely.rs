//! Detects times that were read in the wrong unit.

use super::precision::Precision;

/// Detects the unit in which all times are between the years 2000 and 2050.
#[derive(Debug, Default)]
pub(super) struct Times {
    seen: bool,
    likely: Option<Precision>,
}

impl Times {
    /// Adds the time of a point.
    pub(super) fn see(&mut self, time: i64) {
        if self.seen && self.likely.is_none() {
            return;
        }
        let likely = Precision::likely(time).filter(|unit| *unit != Precision::Nanoseconds);
        self.likely = if self.seen { likely.filter(|_| likely == self.likely) } else { likely };
        self.seen = true;
    }

    /// Returns the unit that all times seem to have.
    pub(super) fn likely(&self) -> Option<Precision> {
        self.likely
    }
}
