use std::time::Duration;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    every: Duration,
}

impl StreamUdf for Case {
    fn init(&mut self, task: &Task<Stream>) -> Result<()> {
        task.spawn("beat", |thread| {
            while thread.wait(self.every) {}
            Ok(())
        })
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
