//! Values at regular times.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::{FieldName, OptionType};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::number;

/// The largest number of samples between two points.
const MOST: u128 = 10_000;

/// Values of a field at regular times, computed from points at irregular times.
#[udf(wants = stream, provides = stream)]
pub struct Sample {
    /// Field to sample.
    #[option]
    field: FieldName,
    /// Time between two samples. Samples are aligned to 1970-01-01.
    #[option(range = "1ms"..)]
    every: Duration,
    /// How a value between two points is computed.
    #[option(default = How::Linear)]
    how: How,
    /// Longest gap between two points that gets samples. Defaults to ten times `every`.
    #[option(range = "1ms"..)]
    max_gap: Option<Duration>,
    /// Name of the field of the samples. Defaults to `field`.
    #[option]
    r#as: Option<FieldName>,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = field, max = max_groups)]
    last: Groups<Option<Last>>,
}

/// The computation of a value between two points.
#[derive(Debug, OptionType)]
enum How {
    /// On the line between both points.
    Linear,
    /// The value of the earlier point.
    Last,
}

/// The latest point of a group.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Last {
    time: i64,
    value: f64,
}

impl Sample {
    fn max_gap(&self) -> Duration {
        self.max_gap.unwrap_or(self.every.saturating_mul(10))
    }

    fn send(
        &self,
        group: &Group,
        before: Last,
        after: Last,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        // The gap is limited, and the arithmetic of i128 cannot overflow.
        let (from, to) = (i128::from(before.time), i128::from(after.time));
        let every = self.every.as_nanos() as i128;
        let mut time = from.div_euclid(every) * every + every;
        while time <= to {
            let part = (time - from) as f64 / (to - from) as f64;
            let value = match self.how {
                How::Last if time == to => after.value,
                How::Last => before.value,
                How::Linear => before.value * (1.0 - part) + after.value * part,
            };
            let name = self.r#as.as_ref().unwrap_or(&self.field);
            let at = i64::try_from(time).expect("it lies between two times");
            out.build_in(group).time(at).field(name, value).send()?;
            time += every;
        }
        Ok(())
    }
}

impl StreamUdf for Sample {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        if self.max_gap().as_nanos() > MOST * self.every.as_nanos() {
            return Err(format!(
                "`.maxGap` is more than {MOST} times `.every`, so that a point could lead to more \
                 than {MOST} samples; shorten the one or lengthen the other"
            )
            .into());
        }
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let after = Last { time: point.time(), value: number(point, &self.field)? };
        let last = self.last.of(point);
        if last.is_some_and(|last| after.time <= last.time) {
            return Ok(());
        }
        let before = last.replace(after);
        let gap = |before: Last| (i128::from(after.time) - i128::from(before.time)) as u128;
        match before {
            Some(before) if gap(before) <= self.max_gap().as_nanos() => {
                self.send(&Group::from(point), before, after, out)
            }
            _ => Ok(()),
        }
    }
}
