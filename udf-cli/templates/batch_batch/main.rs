//! A UDF that keeps the greatest points of each batch.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::{Batch, BatchView, Emitter, Result, WholeBatchUdf, udf};

/// Points of each batch with the greatest values, greatest first.
#[udf(wants = batch, provides = batch)]
struct NewUdf {
    /// Field to compare.
    #[option]
    field: FieldName,
    /// Points to keep of each batch.
    #[option(default = 1, range = 1..)]
    count: usize,
}

impl WholeBatchUdf for NewUdf {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let mut ranked = batch.read(|point| Ok((point, point.number(&self.field)?)))?;
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let mut greatest = out.begin(batch.begin());
        for (point, _) in ranked.iter().take(self.count) {
            greatest.pass(point);
        }
        // The answer to an empty batch is an empty batch.
        Ok(greatest.end(batch.tmax())?)
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
