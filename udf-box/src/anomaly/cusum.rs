//! Lasting changes of the mean.

use std::collections::VecDeque;
use std::mem;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::number;
use crate::common::spread::Spread;

/// Finds small but lasting changes of the mean of a field, by cumulative sums of its deviations.
#[udf(wants = stream, provides = stream)]
pub struct Cusum {
    /// Field to judge.
    #[option]
    field: FieldName,
    /// Number of values from which the usual mean and deviation are learned, at the begin and after
    /// each change. These points are not sent.
    #[option(default = 30, range = 2..=10_000)]
    learn: usize,
    /// Deviation that does not count, in standard deviations. Half of the change to find is a good
    /// choice.
    #[option(default = 0.5, range = 0.0..=1000.0)]
    slack: f64,
    /// Sum at which a change is reported, in standard deviations.
    #[option(default = 5.0, above = 0.0, range = ..=1e6)]
    limit: f64,
    /// Smallest standard deviation. Set it to ignore small changes of a value that is nearly
    /// constant.
    #[option(default = 0.0, range = 0.0..)]
    min_deviation: f64,
    /// Name of the field that is true at a change. `cusum_high` and `cusum_low` have the same
    /// beginning.
    #[option(default = "cusum")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = field, max = max_groups)]
    groups: Groups<Sums>,
    high: String,
    low: String,
}

/// The sums of a group.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sums {
    /// The values that show the usual mean and deviation.
    learned: VecDeque<f64>,
    high: f64,
    low: f64,
}

impl StreamUdf for Cusum {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        self.high = format!("{}_high", &*self.r#as);
        self.low = format!("{}_low", &*self.r#as);
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        for (_, sums) in self.groups.iter_mut() {
            sums.learned.truncate(self.learn);
            sums.learned.shrink_to(self.learn);
        }
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)?;
        let sums = self.groups.of(point);
        if sums.learned.len() < self.learn {
            sums.learned.push_back(value);
            return Ok(());
        }
        let score = Spread::of(&sums.learned).score(value, self.min_deviation);
        sums.high = (sums.high + score - self.slack).max(0.0);
        sums.low = (sums.low - score - self.slack).max(0.0);
        let (high, low) = (sums.high, sums.low);
        let is_changed = high > self.limit || low > self.limit;
        if is_changed {
            drop(mem::take(sums));
        }
        let edit = out.edit(point).field(&self.r#as, is_changed);
        Ok(edit.field(&self.high, high).field(&self.low, low).send()?)
    }
}
