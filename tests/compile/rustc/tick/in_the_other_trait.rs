use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream, tick = "1s")]
struct U {
    #[option]
    size: u8,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }

    fn tick(&mut self, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
