//! The rate of a counter that may begin anew.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, FieldValue, Point, Result, Stream, StreamUdf, udf};

use crate::common::{number, seconds};

/// Rate of a counter, also when the counter begins anew at 0 or wraps around.
#[udf(wants = stream, provides = stream)]
pub struct Rate {
    /// Field that holds the counter.
    #[option]
    field: FieldName,
    /// The time to which the rate relates.
    #[option(default = "1s", range = "1ms"..)]
    per: Duration,
    /// Number of values of a counter that wraps around, such as 4294967296 for 32 bits. Without it,
    /// a counter that falls has begun anew at 0.
    #[option(above = 0.0)]
    wraps_at: Option<f64>,
    /// Longest gap between two points that has a rate. Defaults to no limit.
    #[option(range = "1ms"..)]
    max_gap: Option<Duration>,
    /// Name of the field that is added.
    #[option(default = "rate")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = field, max = max_groups)]
    last: Groups<Option<Reading>>,
}

/// A value of the counter.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Reading {
    time: i64,
    count: Count,
}

/// Integers keep their type: a float is not exact above 2^53.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Count {
    Int(i64),
    Float(f64),
}

impl Count {
    fn number(self) -> f64 {
        match self {
            Count::Int(count) => count as f64,
            Count::Float(count) => count,
        }
    }

    /// Returns the increase since an earlier count.
    fn since(self, before: Count, wraps_at: Option<f64>) -> f64 {
        let grown = match (self, before) {
            (Count::Int(now), Count::Int(before)) => (i128::from(now) - i128::from(before)) as f64,
            _ => self.number() - before.number(),
        };
        match wraps_at {
            _ if grown >= 0.0 => grown,
            Some(size) if grown >= -size => grown + size,
            _ => self.number(),
        }
    }
}

impl StreamUdf for Rate {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let count = match point.field(&self.field) {
            Some(FieldValue::Int(count)) => Count::Int(count),
            _ => Count::Float(number(point, &self.field)?),
        };
        let (last, time) = (self.last.of(point), point.time());
        if last.is_some_and(|last| time <= last.time) {
            return Ok(());
        }
        let Some(before) = last.replace(Reading { time, count }) else { return Ok(()) };
        let gap = seconds(before.time, time);
        if self.max_gap.is_some_and(|max| gap > max.as_secs_f64()) {
            return Ok(());
        }
        let rate = count.since(before.count, self.wraps_at) / gap * self.per.as_secs_f64();
        if rate < 0.0 || !rate.is_finite() {
            // A negative value is no counter, and a difference may be out of range.
            return Ok(());
        }
        Ok(out.edit(point).field(&self.r#as, rate).send()?)
    }
}
