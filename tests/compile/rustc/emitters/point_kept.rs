use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    kept: Vec<&'static str>,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.kept.push(point.name());
        Ok(())
    }
}

fn main() {}
