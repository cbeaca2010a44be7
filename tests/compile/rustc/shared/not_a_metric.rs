use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

static HITS: u64 = 0;

#[udf(wants = stream, provides = stream, metrics(HITS))]
struct Case {
    x: u8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
