// rustc asks for lifetimes here, which a UDF cannot have: it is told what to write instead, once.

use std::borrow::Cow;
use std::path::Path;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = "x")]
    text: &str,
    #[option]
    named: &'a std::path::Path,
    #[option]
    function: &dyn Fn(),
    #[option]
    twice: &&str,
    #[option]
    path: Option<&Path>,
    #[option]
    all: Vec<&str>,
    #[option]
    several: (u8, &str),
    #[state]
    kept: &[u8],
    memory: Vec<Cow<'_, str>>,
    allowed: Option<Box<dyn Fn(&str) -> &str + Send>>,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.memory.clear();
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
