use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream, name = "moving-avg")]
struct Case {
    #[option(must_be = "even")]
    a: u8,
    #[option(validate = check, must_be = "")]
    b: u8,
    #[option(hidden)]
    c: u8,
    #[option(flag, must_be = "even")]
    d: bool,
}

fn check(_: &u8) -> std::result::Result<(), String> {
    Ok(())
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
