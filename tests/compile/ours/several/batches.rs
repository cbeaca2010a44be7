// The stub has the edges that were understood.

use udf_runtime::{Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Result, Stream, udf};

#[udf(wants = batch, provides = stream)]
struct ToStream {
    #[option(defalt = 3)]
    x: u8,
}

impl BatchUdf for ToStream {
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

#[udf(wants = batch, provides = batch)]
struct ToBatch<T: Send + 'static> {
    #[option(defalt = 3)]
    x: Vec<T>,
}

impl<T: Send + 'static> BatchUdf for ToBatch<T> {
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
    let _ = udf_runtime::main::<ToStream>();
    let _ = udf_runtime::main::<ToBatch<u8>>();
}
