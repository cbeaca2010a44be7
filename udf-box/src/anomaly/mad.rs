//! The distance of a value from the median of the values before it.

use std::collections::VecDeque;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::spread::score;
use crate::common::{latest, number};

/// The median absolute deviation of values that scatter normally is this share of the standard
/// deviation.
const NORMAL: f64 = 0.674_489_750_196_081_7;

/// How many deviations a value is away from the median of the values before it. Outliers among these
/// hardly count.
#[udf(wants = stream, provides = stream)]
pub struct Mad {
    /// Field to judge.
    #[option]
    field: FieldName,
    /// Number of earlier values to compare with.
    #[option(default = 60, range = 2..=10_000)]
    size: usize,
    /// Number of earlier values that are needed for a score. Points before that are not sent.
    #[option(default = 10, range = 2..=10_000)]
    min_points: usize,
    /// Smallest deviation. Set it to ignore small changes of a value that is nearly constant.
    #[option(default = 0.0, range = 0.0..)]
    min_deviation: f64,
    /// Name of the field that is added.
    #[option(default = "mad")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    /// The latest values, the newest last.
    #[state(made_with = field, max = max_groups)]
    windows: Groups<VecDeque<f64>>,
    /// The values of the window at hand.
    sorted: Vec<f64>,
}

impl Mad {
    /// Returns the score of a value among earlier ones.
    fn score(sorted: &mut Vec<f64>, window: &VecDeque<f64>, value: f64, least: f64) -> f64 {
        // Quarters, because the difference of two huge values could overflow.
        sorted.clear();
        sorted.extend(window.iter().map(|value| value / 4.0));
        let center = median(sorted);
        sorted.iter_mut().for_each(|value| *value = (*value - center).abs());
        let deviation = median(sorted) / NORMAL;
        score(value / 4.0, center, deviation.max(least / 4.0))
    }
}

/// Returns the median, and changes the order of the values.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| is_even);
    lower.map_or(*upper, |lower| (lower + *upper) / 2.0)
}

impl StreamUdf for Mad {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        latest::check(self.min_points, self.size)
    }

    fn restored(&mut self) -> Result<()> {
        latest::fit(&mut self.windows, self.size);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)?;
        let window = self.windows.of(point);
        if window.len() >= self.min_points {
            let score = Mad::score(&mut self.sorted, window, value, self.min_deviation);
            out.edit(point).field(&self.r#as, score).send()?;
        }
        latest::push(window, value, self.size);
        Ok(())
    }
}
