use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default, range = 1..)]
    a: u8,
    #[option(default, len = 1..)]
    b: String,
    #[option(default, range = "1s"..)]
    c: std::time::Duration,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
