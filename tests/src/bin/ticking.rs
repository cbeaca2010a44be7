//! A UDF whose output comes with its ticks: it counts the points between them. The tests over NATS
//! run it.

use std::process::ExitCode;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Tick, udf};

/// Emits the number of points since the last tick that had some, and the number of such ticks.
#[udf(wants = stream, provides = stream, tick = "50ms")]
struct Ticking {
    #[state]
    points: i64,
    #[state]
    ticks: i64,
}

impl StreamUdf for Ticking {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.points += 1;
        Ok(())
    }
}

impl Tick for Ticking {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        if self.points == 0 {
            return Ok(());
        }
        self.ticks += 1;
        let points = std::mem::take(&mut self.points);
        Ok(out.build("ticks").field("number", self.ticks).field("points", points).send()?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Ticking>()
}
