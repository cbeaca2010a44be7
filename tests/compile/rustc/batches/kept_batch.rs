use udf_runtime::{Batch, BatchView, Emitter, Point, Result, WholeBatchUdf, udf};

#[udf(wants = batch, provides = batch)]
struct Case {
    kept: Vec<Point<'static>>,
}

impl WholeBatchUdf for Case {
    fn batch(&mut self, batch: &BatchView<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        self.kept.extend(batch.points());
        Ok(())
    }
}

fn main() {}
