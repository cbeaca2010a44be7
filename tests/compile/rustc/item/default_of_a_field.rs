use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct U {
    #[option]
    size: usize = 10,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {}
