use udf_runtime::{Emitter, FromPoint, Result, Stream, StreamUdf, udf};

#[derive(FromPoint)]
struct Cpu<'p> {
    #[tag]
    host: &'p str,
}

#[udf(wants = stream, provides = stream, point = Cpu)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, cpu: &Cpu<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        let _ = cpu.host;
        Ok(())
    }
}

fn main() {}
