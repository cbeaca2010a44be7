// Each of these is one mistake, although more than one rule is broken by it.

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = 300, range = 1..=10)]
    too_large: u8,
    #[option(default = 5, range = 1..=300)]
    end_too_large: u8,
    #[option(defalt = 3, deprecated = "use `.tooLarge`")]
    misspelt: u8,
    #[option(default 3, conflicts = misspelt)]
    no_equals: u8,
    #[option(parse, default = 5, range = 1..)]
    parsed: u8,
    #[option(nam = "function")]
    lambda: u8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
