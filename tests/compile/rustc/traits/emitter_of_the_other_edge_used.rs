use udf_runtime::{Batch, Emitter, Point, Result, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {}
