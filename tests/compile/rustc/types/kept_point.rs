use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct U {
    #[state]
    last: Option<Point<'_>>,
    points: Vec<udf_runtime::Point>,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {}
