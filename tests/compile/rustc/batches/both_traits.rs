use udf_runtime::{Batch, BatchUdf, BatchView, BeginBatch, Emitter, EndBatch, Point, Result, WholeBatchUdf, udf};

#[udf(wants = batch, provides = batch)]
struct Case {}

impl WholeBatchUdf for Case {
    fn batch(&mut self, _: &BatchView<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

impl BatchUdf for Case {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
