use udf_runtime::{Batch, Emitter, Point, Result, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
