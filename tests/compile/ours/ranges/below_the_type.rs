use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(range = ..0)]
    a: u8,
    #[option(len = ..0)]
    b: String,
    #[option(range = .."0s")]
    c: std::time::Duration,
    #[option(range = ..=0)]
    d: std::num::NonZeroU8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
