use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(input = stream, output = stream, rename = "mean")]
struct U {
    #[option]
    size: u8,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {}
