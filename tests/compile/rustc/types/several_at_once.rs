use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

use udf_runtime::options::OptionType;

struct Own;

#[derive(OptionType)]
struct Other(u8);

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    x: Own,
    #[option]
    y: Option<std::time::Instant>,
    #[option(range = 1..)]
    z: Other,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
