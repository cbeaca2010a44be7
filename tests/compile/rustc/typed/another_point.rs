use udf_runtime::{Emitter, FromPoint, Point, Result, Stream, StreamUdf, udf};

#[derive(FromPoint)]
struct Cpu {
    #[tag]
    host: String,
}

#[udf(wants = stream, provides = stream, point = Cpu)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
