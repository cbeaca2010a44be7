use udf_runtime::{Emitter, Result, Stream, StreamUdf, udf};

struct Own;

#[udf(wants = stream, provides = stream, point = Own)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, _: &Own, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
