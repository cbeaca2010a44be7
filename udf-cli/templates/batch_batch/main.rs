//! A UDF that keeps the greatest points of each batch.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::{Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Points, Result, udf};

/// Points of each batch with the greatest values, greatest first.
#[udf(wants = batch, provides = batch)]
struct NewUdf {
    /// Field to compare.
    #[option]
    field: FieldName,
    /// Points to keep of each batch.
    #[option(default = 1, range = 1..)]
    count: usize,
    /// Begin of the batch that arrives.
    begin: BeginBatch,
    /// Its points, and their values in the same order.
    points: Points,
    values: Vec<f64>,
}

impl BatchUdf for NewUdf {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        self.begin = begin.clone();
        self.points.clear();
        self.values.clear();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        self.values.push(point.number(&self.field)?);
        self.points.push(point);
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
        let mut ranked: Vec<_> = self.points.iter().zip(&self.values).collect();
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let mut batch = out.begin(&self.begin);
        for (point, _) in ranked.into_iter().take(self.count) {
            batch.pass(&point);
        }
        // The answer to an empty batch is an empty batch.
        Ok(batch.end(end.tmax)?)
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
    fn the_greatest_point_of_each_batch_is_kept() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let mut task = udf.group_by("host").start();
        task.feed(include_str!("../sample.lp"));
        task.emits(
            "disk,host=a used=141 1700000020000000000
             disk,host=b used=7 1700000000000000000",
        );
    }

    #[test]
    fn a_count_of_zero_is_refused() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let expected = "`.count(0)`: the argument must be at least 1";
        assert!(udf.option("count=0").refusal().contains(expected));
    }
}
