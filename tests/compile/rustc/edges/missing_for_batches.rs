// What is not known of the edges fits every handler.

use udf_runtime::{Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Result, udf};

#[udf(tick = "10s")]
struct Case {}

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
