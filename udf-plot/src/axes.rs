//! Axes in the terms of the drawing library.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::range::Range;
use crate::time_axis::TimeAxis;

/// The time axis for the library.
pub(crate) struct Times<'a> {
    pub(crate) axis: &'a TimeAxis,
    pub(crate) has_labels: bool,
}

impl Ranged for Times<'_> {
    type FormatOption = NoDefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        let span = self.axis.end.abs_diff(self.axis.start).max(1) as f64;
        let offset = i128::from(*value) - i128::from(self.axis.start);
        between(limit, offset as f64 / span)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<i64> {
        self.axis.ticks.iter().map(|(time, _)| *time).collect()
    }

    fn range(&self) -> std::ops::Range<i64> {
        self.axis.start..self.axis.end
    }
}

impl ValueFormatter<i64> for Times<'_> {
    fn format_ext(&self, value: &i64) -> String {
        if self.has_labels { label(&self.axis.ticks, *value) } else { String::new() }
    }
}

/// The value axis for the library.
pub(crate) struct Values {
    pub(crate) range: Range,
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Ranged for Values {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        between(limit, self.range.share(*value))
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.low..self.range.high
    }
}

impl ValueFormatter<f64> for Values {
    fn format_ext(&self, value: &f64) -> String {
        label(&self.ticks, *value)
    }
}

fn label<T: PartialEq>(ticks: &[(T, String)], value: T) -> String {
    let tick = ticks.iter().find(|(tick, _)| *tick == value);
    tick.map(|(_, label)| label.clone()).unwrap_or_default()
}

fn between((from, to): (i32, i32), share: f64) -> i32 {
    (f64::from(from) + f64::from(to - from) * share).round() as i32
}
