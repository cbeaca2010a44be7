use udf_runtime::{Emitter, FromPoint, Result, Stream, StreamUdf, udf};

#[derive(FromPoint)]
struct Cpu<'p> {
    #[tag]
    host: &'p str,
}

#[udf(wants = stream, provides = stream, point = Cpu<'p>)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, point: &Cpu<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        let _ = point.host;
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
