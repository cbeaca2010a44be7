use udf_runtime::{Emitter, FromPoint, Result, Stream, StreamUdf, udf};

#[derive(FromPoint)]
struct Cpu<'p> {
    #[tag]
    host: &'p str,
}

#[udf(wants = stream, provides = stream, pint = Cpu<'_>)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, _: &Cpu<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
