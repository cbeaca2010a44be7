use udf_runtime::{Batch, Emitter, Point, Result, StreamUdf, udf};

#[udf(wants = stream, provides = batch)]
struct Case {
    kept: Vec<String>,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let mut batch = out.begin(&Default::default());
        batch.pass(point);
        batch.end(0)?;
        batch.pass(point);
        self.kept.clear();
        Ok(())
    }
}

fn main() {}
