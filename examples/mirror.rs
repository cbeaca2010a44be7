//! The smallest UDF: it returns every point of a stream unchanged.
//!
//! ```sh
//! cargo run --release --example mirror -- replay examples/data/cpu.lp
//! ```

use std::process::ExitCode;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

/// Returns every point unchanged.
#[udf(wants = stream, provides = stream)]
struct Mirror {}

impl StreamUdf for Mirror {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Mirror>()
}

#[cfg(test)]
#[path = "tests/mirror.rs"]
mod tests;
