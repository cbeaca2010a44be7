use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[derive(udf_runtime::options::OptionType)]
enum Mode {
    A,
    B,
}

#[udf(wants = stream, provides = stream)]
struct U {
    #[option(flag)]
    mode: Mode,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {}
