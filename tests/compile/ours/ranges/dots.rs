use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(range = 1...3)]
    a: i64,
    #[option(range = 1..10..2)]
    b: i64,
    #[option(range = "1s..1h")]
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
