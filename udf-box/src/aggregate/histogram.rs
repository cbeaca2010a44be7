//! The distribution of values in windows of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Task, Tick, udf};

use crate::common::number;
use crate::common::window::{Closed, Window};

/// How many values of a window are in each of your buckets.
#[udf(wants = stream, provides = stream, tick = every)]
pub struct Histogram {
    /// Field to read.
    #[option]
    field: FieldName,
    /// The upper bound of a bucket, which contains the bound. Call it once for each bucket, the lowest
    /// first.
    #[option(name = "bucket", len = 1..=200, example = 0.5)]
    buckets: Vec<f64>,
    /// Length of a window. Windows are aligned to 1970-01-01.
    #[option(default = "1m", range = "1ms"..)]
    every: Duration,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, buckets, every), max = max_groups)]
    windows: Groups<Window<Counts>>,
    /// The names of the fields of the buckets.
    names: Vec<String>,
}

/// The values of a window.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counts {
    /// The number of values in each bucket. The last one has no bound.
    buckets: Vec<i64>,
    min: f64,
    max: f64,
}

impl Counts {
    fn add(&mut self, value: f64, bounds: &[f64]) {
        if self.buckets.is_empty() {
            self.buckets.resize(bounds.len() + 1, 0);
            (self.min, self.max) = (value, value);
        }
        self.buckets[bounds.partition_point(|bound| *bound < value)] += 1;
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
    }
}

impl Histogram {
    /// Sends the counts of a window, each with those of the buckets below.
    fn send(
        &self,
        group: &Group,
        closed: &Closed<Counts>,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        let Counts { buckets, min, max } = &closed.value;
        let mut point = out.build_in(group).time(closed.end);
        let mut count = 0;
        for (name, bucket) in self.names.iter().zip(buckets) {
            count += bucket;
            point = point.field(name, count);
        }
        let count = buckets.iter().sum::<i64>();
        Ok(point.field("count", count).field("min", *min).field("max", *max).send()?)
    }
}

impl StreamUdf for Histogram {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        if !self.buckets.is_sorted_by(|one, next| one < next) || self.buckets[0].is_nan() {
            return Err(format!(
                "the bounds {:?} do not rise; call `.bucket` with the lowest bound first, and with \
                 each bound once",
                self.buckets
            )
            .into());
        }
        self.names = self.buckets.iter().map(|bound| format!("le_{bound}")).collect();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)?;
        let closed = Window::add(&mut self.windows, point, self.every, |counts| {
            counts.add(value, &self.buckets)
        });
        closed.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}

impl Tick for Histogram {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        let silent = Window::silent(&mut self.windows);
        silent.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}
