//! A UDF whose `main` prints before it serves Kapacitor. The fault tests run it.

use std::process::ExitCode;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

/// Returns every point unchanged.
#[udf(wants = stream, provides = stream)]
struct Talkative {}

impl StreamUdf for Talkative {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() -> ExitCode {
    println!("starting up");
    udf_runtime::main::<Talkative>()
}
