use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    seen: u64,
}

impl ConcurrentUdf for Case {
    fn workers(&self) -> usize {
        16
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        self.seen += 1;
        Ok(out.pass(point)?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
