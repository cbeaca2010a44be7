use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = 0.0, above = 0.0)]
    a: f64,
    #[option(above = 0.0, range = 1.0..)]
    b: f64,
    #[option(above = 1.0, range = ..=1.0)]
    c: f64,
    #[option(above = 1)]
    d: String,
    #[option(above = "x")]
    e: u8,
    #[option(below = 1)]
    f: u8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
