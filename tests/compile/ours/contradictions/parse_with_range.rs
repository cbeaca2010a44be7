use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

struct Port;

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(parse, range = 1..)]
    x: Port,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
