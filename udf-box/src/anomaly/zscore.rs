//! The distance of a value from the mean of the values before it.

use std::collections::VecDeque;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::{latest, number, spread};

/// How many standard deviations a value is away from the mean of the values before it.
#[udf(wants = stream, provides = stream)]
pub struct Zscore {
    /// Field to judge.
    #[option]
    field: FieldName,
    /// Number of earlier values to compare with.
    #[option(default = 60, range = 2..=10_000)]
    size: usize,
    /// Number of earlier values that are needed for a score. Points before that are not sent.
    #[option(default = 10, range = 2..=10_000)]
    min_points: usize,
    /// Smallest standard deviation. Set it to ignore small changes of a value that is nearly
    /// constant.
    #[option(default = 0.0, range = 0.0..)]
    min_deviation: f64,
    /// Name of the field that is added.
    #[option(default = "zscore")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    /// The latest values, the newest last.
    #[state(made_with = field, max = max_groups)]
    windows: Groups<VecDeque<f64>>,
}

impl StreamUdf for Zscore {
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
            let score = spread::Spread::of(window).score(value, self.min_deviation);
            out.edit(point).field(&self.r#as, score).send()?;
        }
        latest::push(window, value, self.size);
        Ok(())
    }
}
