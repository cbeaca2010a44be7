use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

struct Own;

fn check(_: &u8) -> std::result::Result<(), Own> {
    Err(Own)
}

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(validate = check)]
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
