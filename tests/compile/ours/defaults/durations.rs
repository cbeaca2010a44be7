use std::time::Duration;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = "10")]
    no_unit: Duration,
    #[option(default = "1 sec")]
    unknown_unit: Duration,
    #[option(default = "1m 30s")]
    spaces: Duration,
    #[option(default = "1.5s")]
    not_whole: Duration,
    #[option(default = "ten seconds")]
    words: Duration,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
