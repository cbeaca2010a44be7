//! The time until a value reaches a threshold.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::{number, seconds};

/// Seconds until a field reaches a threshold, by its linear trend: when is the disk full?
#[udf(wants = stream, provides = stream)]
pub struct Forecast {
    /// Field with the value.
    #[option]
    field: FieldName,
    /// Value to reach.
    #[option(example = 100.0)]
    threshold: f64,
    /// Reaches the threshold from above, as free space does.
    #[option(flag)]
    falling: bool,
    /// Time after which a point has half of its weight in the trend.
    #[option(default = "1h", range = "1ms"..)]
    half_life: Duration,
    /// Longest forecast. A threshold that the trend does not reach before counts as this far away.
    #[option(default = "365d", range = "1s"..)]
    horizon: Duration,
    /// Name of the field with the seconds. The name with `_slope` has the change per second.
    #[option(default = "eta")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = field, max = max_groups)]
    trends: Groups<Trend>,
    slope: String,
}

/// A line through weighted points. Times are seconds from the latest one.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Trend {
    latest: i64,
    weight: f64,
    time: f64,
    value: f64,
    /// The weighted sum of the squares of the distances from the mean time, and of their products
    /// with the distances from the mean value.
    squares: f64,
    products: f64,
}

impl Trend {
    fn add(&mut self, time: i64, value: f64, half_life: f64) {
        let ahead = if self.weight > 0.0 { seconds(self.latest, time) } else { 0.0 };
        if ahead >= 0.0 {
            let decay = (-ahead / half_life).exp2();
            self.weight *= decay;
            self.squares *= decay;
            self.products *= decay;
            self.time -= ahead;
            self.latest = time;
        }
        // A late point gets the weight that it would have now if it had come in time.
        let (at, own) = (ahead.min(0.0), (ahead.min(0.0) / half_life).exp2());
        self.weight += own;
        let (later, larger) = (at - self.time, value - self.value);
        self.time += later * own / self.weight;
        self.value += larger * own / self.weight;
        self.squares += own * later * (at - self.time);
        self.products += own * later * (value - self.value);
    }

    /// Returns the slope, and the value of the line at the latest time. Returns `None` if all points
    /// have the same time, or if huge values have left the range of a float.
    fn line(&self) -> Option<(f64, f64)> {
        let slope = self.products / self.squares;
        let now = self.value - slope * self.time;
        (self.squares > 0.0 && slope.is_finite() && now.is_finite()).then_some((slope, now))
    }
}

impl StreamUdf for Forecast {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        self.slope = format!("{}_slope", &*self.r#as);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)?;
        let trend = self.trends.of(point);
        trend.add(point.time(), value, self.half_life.as_secs_f64());
        if !(trend.value + trend.products + trend.squares + trend.time).is_finite() {
            *trend = Trend::default();
        }
        let Some((slope, now)) = trend.line() else { return Ok(()) };
        let horizon = self.horizon.as_secs_f64();
        let sign = if self.falling { -1.0 } else { 1.0 };
        let (distance, speed) = (sign * (self.threshold - now), sign * slope);
        let eta = match distance {
            _ if distance <= 0.0 => 0.0,
            _ if speed <= 0.0 => horizon,
            _ => (distance / speed).min(horizon),
        };
        Ok(out.edit(point).field(&self.r#as, eta).field(&self.slope, slope).send()?)
    }
}
