use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

struct Own;

#[udf(wants = stream, provides = stream)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.edit(point).fields(&Own).send()?)
    }
}

fn main() {}
