use udf_runtime::{Batch, Emitter, Point, Result, StreamUdf, udf};

#[udf(wants = stream, provides = batch)]
struct Case {
    kept: Vec<String>,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let first = out.begin(&Default::default());
        let second = out.begin(&Default::default());
        self.kept.push(point.name().to_owned());
        first.end(0)?;
        Ok(second.end(0)?)
    }
}

fn main() {}
