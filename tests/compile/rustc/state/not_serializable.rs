use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[derive(Default)]
struct Own;

#[udf(wants = stream, provides = stream)]
struct Case {
    #[state]
    x: Own,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
