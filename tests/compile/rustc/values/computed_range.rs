use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

fn most() -> u8 {
    10
}

#[udf(wants = stream, provides = stream)]
struct Computed {
    #[option(range = 1..=most())]
    size: u8,
}

impl StreamUdf for Computed {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
