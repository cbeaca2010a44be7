//! A UDF that gathers the points of a stream into batches.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Batch, Emitter, Group, Point, Points, Result, StreamUdf, Task, udf};

/// Gathers the values of a field into batches, for each group.
#[udf(wants = stream, provides = batch)]
struct NewUdf {
    /// Field to gather.
    #[option]
    field: FieldName,
    /// Points in a batch.
    #[option(default = 10, range = 1..=100_000)]
    size: usize,
    /// Points that wait for their batch.
    #[state]
    waiting: Groups<Points>,
}

impl StreamUdf for NewUdf {
    fn init(&mut self, _: &Task<Batch>) -> Result<()> {
        // Kapacitor does not report that a group has ended.
        self.waiting.limit_count(100_000);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        // A point without the field is skipped here.
        point.number(&self.field)?;
        let waiting = self.waiting.of(point);
        waiting.push(point);
        if waiting.len() < self.size {
            return Ok(());
        }
        // Points may come out of order.
        let mut points: Vec<_> = waiting.iter().collect();
        points.sort_by_key(|point| point.time());
        let latest = points.last().unwrap_or(point).time();
        let mut batch = out.begin_in(&Group::from(point));
        for point in &points {
            let value = point.number(&self.field)?;
            batch.edit(point).only_field(&self.field, value).send()?;
        }
        waiting.clear();
        Ok(batch.end(latest)?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<NewUdf>()
}

#[cfg(test)]
mod tests {
    use udf_runtime::testing;

    use super::NewUdf;

    #[test]
    fn each_group_has_batches_of_its_own() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let mut task = udf.option("size=2").group_by("host").start();
        task.feed(include_str!("../sample.lp"));
        let batches = task.output();
        let [a, b] = &batches[..] else {
            panic!("{batches:?}")
        };
        assert_eq!((&*a.tags["host"], a.points.len()), ("a", 2));
        assert_eq!((&*b.tags["host"], b.points.len()), ("b", 2));
        assert_eq!(b.tmax, 1_700_000_010_000_000_000);
    }

    #[test]
    fn waiting_points_survive_a_restart() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let mut task = udf.option("size=2").start();
        task.feed("disk used=1 10");
        task.restart();
        task.feed("disk used=4 20");
        task.emits("disk used=1 10\ndisk used=4 20");
    }
}
