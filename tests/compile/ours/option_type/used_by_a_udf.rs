// Nothing follows where a type is used that is wrong.

use udf_runtime::options::OptionType;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[derive(OptionType)]
enum Choice {
    One(u8),
}

#[derive(OptionType)]
struct Pair(Option<u8>, Choice);

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    pair: Pair,
    #[option]
    pairs: Vec<Pair>,
    #[option]
    maybe: Option<(Pair, u8)>,
    #[option(default = Choice::One(1))]
    choice: Choice,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
