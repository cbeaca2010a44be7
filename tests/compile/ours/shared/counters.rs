use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

static HITS: udf_runtime::Counter = udf_runtime::Counter::new("hits_total", "Hits.");

#[udf(wants = stream, provides = stream, counters(HITS))]
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
