use udf_runtime::{
    Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Result, Stream, StreamUdf, udf,
};

#[udf(wants = stream, provides = batch, on_missing = pass)]
struct ToBatches {}

impl StreamUdf for ToBatches {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

#[udf(on_missing = "pass", wants = batch, provides = stream)]
struct OfBatches {}

impl BatchUdf for OfBatches {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

#[udf(wants = batch, provides = batch, on_missing = pass)]
struct Batches {}

impl BatchUdf for Batches {
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
    let _ = udf_runtime::main::<Batches>();
}
