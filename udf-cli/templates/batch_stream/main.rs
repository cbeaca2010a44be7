//! A UDF that sends a point for each batch.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::{BatchUdf, BeginBatch, Emitter, EndBatch, Point, Result, Stream, udf};

/// Mean of a field over each batch, as a point.
#[udf(wants = batch, provides = stream)]
struct NewUdf {
    /// Field to average.
    #[option]
    field: FieldName,
    /// Name of the field that is emitted.
    #[option(default = "mean")]
    r#as: FieldName,
    /// Values of the batch that arrives.
    values: Vec<f64>,
    /// Its begin: the end does not carry the whole grouping.
    begin: BeginBatch,
}

impl BatchUdf for NewUdf {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Stream>) -> Result<()> {
        self.begin = begin.clone();
        self.values.clear();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.values.push(point.number(&self.field)?);
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Stream>) -> Result<()> {
        if self.values.is_empty() {
            return Ok(());
        }
        let mean = self.values.iter().sum::<f64>() / self.values.len() as f64;
        let mut point = out.build(&self.begin.name).time(end.tmax);
        // The tags and dimensions put the point into the group of the batch.
        point = point.by_name(self.begin.by_name);
        for (tag, value) in &self.begin.tags {
            point = point.tag(tag, value).dimension(tag);
        }
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
