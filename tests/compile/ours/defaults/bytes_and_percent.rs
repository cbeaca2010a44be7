use udf_runtime::options::{Bytes, Percent};
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = "10 lines")]
    a: Bytes,
    #[option(default = 10)]
    b: Bytes,
    #[option(default = 120)]
    c: Percent,
    #[option(default = "10%")]
    d: Percent,
    #[option(default = 10, range = 20.0..)]
    e: Percent,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
