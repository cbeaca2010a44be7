use udf_runtime::{Batch, Emitter, Point, Result, StreamUdf, udf};

#[udf(wants = stream, provides = batch)]
struct Case {
    kept: Vec<String>,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        self.kept.push(point.name().to_owned());
        Ok(out.pass(point)?)
    }
}

fn main() {}
