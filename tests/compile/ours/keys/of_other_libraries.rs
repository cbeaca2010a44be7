// Keys that are usual elsewhere are answered with what is written here.

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(required)]
    a: i64,
    #[option(optional)]
    b: i64,
    #[option(help = "text")]
    c: i64,
    #[option(min = 1)]
    d: i64,
    #[option(rename = "size")]
    e: i64,
    #[option(choices("a", "b"))]
    f: String,
    #[option(multiple)]
    g: String,
    #[option(skip)]
    h: i64,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
