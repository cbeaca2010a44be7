//! Averages a field of a stream. Shows options, state by group, and editing a point.
//!
//! ```sh
//! cargo run --release --example moving_avg -- replay examples/data/cpu.lp -o field=usage_user -o size=10 --group-by cpu
//! ```

use std::collections::VecDeque;
use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

/// Mean of a field over its last `size` points, for each group.
#[udf(wants = stream, provides = stream)]
struct MovingAvg {
    /// Field to average.
    #[option]
    field: FieldName,
    /// Points in the window.
    #[option(range = 1..)]
    size: usize,
    /// Name of the field that is emitted.
    #[option(default = "avg")]
    r#as: FieldName,
    /// The latest values, the newest first.
    #[state(made_with = field)]
    windows: Groups<VecDeque<f64>>,
}

impl StreamUdf for MovingAvg {
    fn restored(&mut self) -> Result<()> {
        // If `size` was larger before, the restored windows are too long. A group without new
        // points would keep such a window.
        self.windows.iter_mut().for_each(|(_, window)| window.truncate(self.size));
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = point.number(&self.field)?;
        let window = self.windows.of(point);
        window.truncate(self.size - 1);
        window.push_front(value);
        let mean = window.iter().rev().sum::<f64>() / window.len() as f64;
        Ok(out.edit(point).only_field(&self.r#as, mean).send()?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<MovingAvg>()
}

#[cfg(test)]
#[path = "tests/moving_avg.rs"]
mod tests;
