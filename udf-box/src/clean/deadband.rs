//! Compression of a series by a swinging door.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, PointBuf, Result, Stream, StreamUdf, udf};

use crate::common::{number, seconds};

/// Drops points that lie on a straight line between the points that are kept (swinging door).
#[udf(wants = stream, provides = stream)]
pub struct Deadband {
    /// Field to compress.
    #[option]
    field: FieldName,
    /// Largest distance of a dropped value from the line between the points around it.
    #[option(range = 0.0.., example = 0.5)]
    deviation: f64,
    /// Longest time between two points that are kept. Defaults to no limit.
    #[option(range = "1ms"..)]
    max_gap: Option<Duration>,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = field, max = max_groups)]
    doors: Groups<Option<Door>>,
}

/// The lines from the point that was kept last to all points since.
#[derive(Debug, Serialize, Deserialize)]
struct Door {
    /// The point that was kept last.
    time: i64,
    value: f64,
    /// The slopes between which a line is near enough to all points since.
    lowest: f64,
    highest: f64,
    /// The latest point since, which is kept if the next one closes the door.
    last: Option<PointBuf>,
    last_value: f64,
}

impl Door {
    fn new(time: i64, value: f64) -> Self {
        let (lowest, highest) = (f64::NEG_INFINITY, f64::INFINITY);
        Door { time, value, lowest, highest, last: None, last_value: 0.0 }
    }

    /// Returns the latest time.
    fn latest(&self) -> i64 {
        self.last.as_ref().map_or(self.time, |last| last.as_point().time())
    }

    /// Returns whether a line to this point is near enough to all points since.
    fn is_open_for(&self, time: i64, value: f64) -> bool {
        let slope = (value - self.value) / seconds(self.time, time);
        (self.lowest..=self.highest).contains(&slope)
    }

    fn add(&mut self, point: &Point<'_>, value: f64, deviation: f64) {
        let passed = seconds(self.time, point.time());
        self.lowest = self.lowest.max((value - deviation - self.value) / passed);
        self.highest = self.highest.min((value + deviation - self.value) / passed);
        self.last = Some(point.to_buf());
        self.last_value = value;
    }
}

impl StreamUdf for Deadband {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let (time, value) = (point.time(), number(point, &self.field)?);
        let place = self.doors.of(point);
        let Some(door) = place else {
            *place = Some(Door::new(time, value));
            return Ok(out.pass(point)?);
        };
        if time <= door.latest() {
            return Ok(());
        }
        let max_gap = self.max_gap.map_or(f64::INFINITY, |max| max.as_secs_f64());
        let is_long = |door: &Door| seconds(door.time, time) > max_gap;
        if !door.is_open_for(time, value) || is_long(door) {
            if let Some(last) = door.last.take() {
                out.pass(&last.as_point())?;
                *door = Door::new(last.as_point().time(), door.last_value);
            }
            if is_long(door) {
                *door = Door::new(time, value);
                return Ok(out.pass(point)?);
            }
        }
        door.add(point, value, self.deviation);
        Ok(())
    }
}
