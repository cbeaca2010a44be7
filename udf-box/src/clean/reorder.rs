//! Points in the order of their times.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, PointBuf, Result, Stream, StreamUdf, Tick, udf};

/// Holds points back for a time, and sends them in the order of their times.
#[udf(wants = stream, provides = stream, tick = delay)]
pub struct Reorder {
    /// Time for which a point waits for earlier ones, by the times of the points.
    #[option(default = "10s", range = "1ms"..)]
    delay: Duration,
    /// Passes points that come later than `delay`. Without it, they are dropped.
    #[option(flag)]
    pass_late: bool,
    /// Points of a group that may wait. With more, the earliest one does not wait any longer.
    #[option(default = 1000, range = 1..=100_000)]
    max_points: usize,
    /// Groups to keep. With more groups, the least recently used ones lose their points.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(max = max_groups)]
    queues: Groups<Queue>,
}

/// The points of a group that wait.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Queue {
    /// In the order of their times, and of their arrival.
    waiting: Vec<PointBuf>,
    latest: Option<i64>,
    /// The time of the point that was sent last.
    sent: Option<i64>,
    /// Whether no point has come since the last tick.
    is_quiet: bool,
}

impl Queue {
    fn add(&mut self, point: &Point<'_>) {
        let place = self.waiting.partition_point(|one| one.as_point().time() <= point.time());
        self.waiting.insert(place, point.to_buf());
        self.latest = self.latest.max(Some(point.time()));
        self.is_quiet = false;
    }

    /// Sends the first points.
    fn send(&mut self, count: usize, out: &mut Emitter<Stream>) -> Result<()> {
        for point in self.waiting.drain(..count) {
            self.sent = Some(point.as_point().time());
            out.pass(&point.as_point())?;
        }
        Ok(())
    }
}

impl StreamUdf for Reorder {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let queue = self.queues.of(point);
        if queue.sent.is_some_and(|sent| point.time() < sent) {
            return if self.pass_late { Ok(out.pass(point)?) } else { Ok(()) };
        }
        queue.add(point);
        let delay = i64::try_from(self.delay.as_nanos()).unwrap_or(i64::MAX);
        let until = queue.latest.unwrap_or(i64::MIN).saturating_sub(delay);
        let due = queue.waiting.partition_point(|one| one.as_point().time() <= until);
        queue.send(due.max(queue.waiting.len().saturating_sub(self.max_points)), out)
    }
}

impl Tick for Reorder {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        for (_, queue) in self.queues.iter_mut() {
            // A group that has become silent sends all of its points.
            if std::mem::replace(&mut queue.is_quiet, true) {
                queue.send(queue.waiting.len(), out)?;
            }
        }
        Ok(())
    }
}
