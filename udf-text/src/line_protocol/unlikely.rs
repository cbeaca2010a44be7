//! Times that are likely to have another unit.

use super::precision::Precision;

/// Looks for a unit in which all times are moments of our time, unlike in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Times {
    seen: bool,
    likely: Option<Precision>,
}

impl Times {
    /// Takes notice of the time of a point.
    pub(super) fn see(&mut self, time: i64) {
        if self.seen && self.likely.is_none() {
            return;
        }
        let likely = Precision::likely(time).filter(|unit| *unit != Precision::Nanoseconds);
        self.likely = if self.seen { likely.filter(|_| likely == self.likely) } else { likely };
        self.seen = true;
    }

    /// The unit that all times seem to have.
    pub(super) fn likely(&self) -> Option<Precision> {
        self.likely
    }
}
