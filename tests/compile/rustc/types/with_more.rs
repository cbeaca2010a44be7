// What a type that is no option cannot have either is not told.

use std::collections::HashMap;
use udf_runtime::{Emitter, Result, Point, Stream, StreamUdf, udf};

struct Own;

#[udf(wants = stream, provides = stream)]
struct A {
    #[option(default = 5, range = 1.., len = ..3)]
    x: HashMap<String, i64>,
    #[option(default, range = 1.., validate = ok)]
    y: Own,
    #[option(example = 3)]
    z: Vec<Own>,
}
fn ok(_: &Own) -> Result<()> { Ok(()) }

impl StreamUdf for A {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let _ = (&self.x, &self.y, &self.z);
        Ok(out.pass(point)?)
    }
}

fn main() -> std::process::ExitCode {
    udf_runtime::main::<A>()
}
