use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, udf};

#[udf(wants = stream, provides = stream, workers = 16)]
struct Case {}

impl ConcurrentUdf for Case {
    fn workers(&self) -> usize {
        16
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
