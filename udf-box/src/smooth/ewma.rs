//! An exponentially weighted mean, for points at irregular times.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

use crate::common::{number, seconds};

/// Exponentially weighted mean of a field, with a half-life in time.
#[udf(wants = stream, provides = stream)]
pub struct Ewma {
    /// Field to smooth.
    #[option]
    field: FieldName,
    /// Time after which a value has half of its weight.
    #[option(range = "1ms"..)]
    half_life: Duration,
    /// Name of the field that is added.
    #[option(default = "ewma")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = field, max = max_groups)]
    means: Groups<Mean>,
}

/// The mean of the values so far. A weight of 0 means that there are none.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mean {
    /// The latest time, to which the weights relate.
    time: i64,
    weight: f64,
    mean: f64,
}

impl Mean {
    fn add(&mut self, time: i64, value: f64, half_life: f64) -> f64 {
        let ahead = if self.weight > 0.0 { seconds(self.time, time) } else { 0.0 };
        // A late value gets the weight that it would have now if it had come in time.
        let own = (ahead.min(0.0) / half_life).exp2();
        self.weight = self.weight * (-ahead.max(0.0) / half_life).exp2() + own;
        self.time = if ahead < 0.0 { self.time } else { time };
        let share = own / self.weight;
        // The difference of two values could overflow.
        self.mean = self.mean * (1.0 - share) + value * share;
        self.mean
    }
}

impl StreamUdf for Ewma {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)?;
        let half_life = self.half_life.as_secs_f64();
        let mean = self.means.of(point).add(point.time(), value, half_life);
        Ok(out.edit(point).field(&self.r#as, mean).send()?)
    }
}
