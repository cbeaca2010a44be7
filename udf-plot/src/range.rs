//! Ranges of values, up to the greatest floats.

/// The least and the greatest of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A range is too small beside another if it is less than this part of it.
const SMALL: f64 = 1.0 / 40.0;

impl Range {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Range> {
        let mut range = None;
        values.for_each(|value| Range::extend(&mut range, value));
        range
    }

    pub(crate) fn extend(range: &mut Option<Range>, value: f64) {
        let one = Range { low: value, high: value };
        *range = Some(range.map_or(one, |range| range.union(one)));
    }

    pub(crate) fn union(self, other: Range) -> Range {
        Range { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Returns half of the length, which cannot overflow.
    fn half(self) -> f64 {
        self.high / 2.0 - self.low / 2.0
    }

    /// Returns whether both are readable on one axis.
    pub(crate) fn fits(self, other: Range) -> bool {
        let union = self.union(other).half();
        let is_visible = |range: Range| range.half() == 0.0 || range.half() >= union * SMALL;
        // A constant may lie a bit outside.
        union <= self.half().max(other.half()) * 2.5 && is_visible(self) && is_visible(other)
            || union == 0.0
    }

    /// Returns whether the values are readable on an axis with the range `all`.
    pub(crate) fn is_readable_in(self, all: Range) -> bool {
        self.half() == 0.0 || self.half() >= all.half() / 8.0
    }

    /// Returns the range of an axis: with space at both ends, and from zero if zero is near.
    pub(crate) fn padded(self) -> Range {
        let pad = match self.half() {
            // A constant.
            0.0 if self.low.abs() < 1e-290 => 1.0,
            0.0 => self.low.abs() * 0.05,
            half => half * 0.1,
        };
        let near = pad * 4.0;
        let low = if (0.0..=near).contains(&self.low) { 0.0 } else { self.low - pad };
        let high = if (-near..=0.0).contains(&self.high) { 0.0 } else { self.high + pad };
        match self.low == self.high {
            true => Range { low: self.low - pad, high: self.high + pad },
            false => Range { low, high },
        }
        .finite()
    }

    fn finite(self) -> Range {
        Range { low: self.low.max(f64::MIN), high: self.high.min(f64::MAX) }
    }

    /// Returns the place of a value in the range, from 0 to 1.
    pub(crate) fn share(self, value: f64) -> f64 {
        let share = (value / 2.0 - self.low / 2.0) / self.half();
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 }
    }
}
