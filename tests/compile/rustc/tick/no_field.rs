use std::time::Duration;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Tick, udf};

#[udf(wants = stream, provides = stream, tick = evry)]
struct U {
    #[option]
    every: Duration,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

impl Tick for U {
    fn tick(&mut self, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
