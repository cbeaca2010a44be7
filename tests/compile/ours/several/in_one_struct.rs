// Every mistake is told in one compile, and nothing follows from them.

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = streem, provides = stream, tick = 10, colour = 3)]
struct Case {
    #[option(defalt = 3)]
    a: u8,
    #[option(default = "x", range = 5)]
    b: usize,
    #[option(name = "a-b", flag)]
    c: u8,
    #[option(default = 1)]
    d: Vec<u8>,
    #[option(len = 1.., conflicts = g)]
    e: i64,
    #[option]
    f: &'static str,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
