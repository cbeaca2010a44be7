//! A UDF that sends a point for each batch.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::{BatchView, Emitter, Group, Result, Stream, WholeBatchUdf, udf};

/// Mean of a field over each batch, as a point.
#[udf(wants = batch, provides = stream)]
struct NewUdf {
    /// Field to average.
    #[option]
    field: FieldName,
    /// Name of the field that is emitted.
    #[option(default = "mean")]
    r#as: FieldName,
}

impl WholeBatchUdf for NewUdf {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let values = batch.read(|point| point.number(&self.field))?;
        if values.is_empty() {
            return Ok(());
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        // The point is in the group of the batch.
        let point = out.build_in(&Group::from(batch.begin()));
        Ok(point.field(&self.r#as, mean).send()?)
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
    fn each_batch_has_a_mean() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let mut task = udf.group_by("host").start();
        task.feed(include_str!("../sample.lp"));
        task.emits(
            "disk,host=a mean=127 1700000020000000000
             disk,host=b mean=6 1700000010000000000",
        );
    }

    #[test]
    fn an_empty_batch_has_none() {
        let mut task = testing::udf::<NewUdf>().option("field=used").start();
        let empty = testing::WholeBatch {
            name: "disk".into(),
            ..Default::default()
        };
        task.feed_batch(&empty);
        task.emits_nothing();
    }
}
