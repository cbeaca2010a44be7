// What follows on a forgotten comma is looked at all the same.

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream provides = stream)]
struct Case {
    #[option(default = 1 range = 1..)]
    a: i64,
    #[option(default = "x" name = "y")]
    b: String,
    #[option(default = limit() range = 1..)]
    c: i64,
    #[option(range = 1..5 default = 7)]
    d: i64,
    #[option(range = 1.. default = 0)]
    e: i64,
    #[option(name = "ff" alias = "g g")]
    f: i64,
    #[option(flag deprecated = "use `.f`")]
    g: bool,
    #[option(default = { 3 } range = 1..)]
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
