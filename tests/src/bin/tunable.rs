//! A UDF with every kind of option, for the page of `play`.

use std::fs::File;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use udf_runtime::options::{FieldName, OptionType};
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[derive(Debug, Default, OptionType)]
enum Mode {
    /// Emits each point.
    #[default]
    Each,
    /// Emits each second point.
    Half,
}

/// Scales a field.
#[udf(wants = stream, provides = stream)]
struct Tunable {
    /// Field to scale.
    #[option]
    field: FieldName,
    /// Times that the value is added.
    #[option(default = 1, range = 1..=1000)]
    times: u32,
    /// Share of the value.
    #[option(default = 1.5, range = 0.5..)]
    share: f64,
    /// Points that are emitted.
    #[option(default)]
    mode: Mode,
    /// Added to the time.
    #[option(default = "0s")]
    shift: Duration,
    /// Removes the sign.
    #[option(flag)]
    absolute: bool,
    /// Text that is ignored.
    #[option]
    #[allow(dead_code, reason = "only the page shows it")]
    note: Option<String>,
    /// Names that are ignored.
    #[option]
    #[allow(dead_code, reason = "only the page shows it")]
    also: Vec<FieldName>,
    /// Smallest and greatest value.
    #[option(conflicts = absolute)]
    limits: Option<(f64, f64)>,
    /// File that the first point creates. Then the UDF hangs.
    #[option]
    hang: Option<String>,
    points: u64,
}

impl StreamUdf for Tunable {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        if let Some(path) = &self.hang {
            File::create(path)?;
            loop {
                thread::park();
            }
        }
        self.points += 1;
        if matches!(self.mode, Mode::Half) && self.points.is_multiple_of(2) {
            return Ok(());
        }
        let value = point.number(&self.field)? * self.share * f64::from(self.times);
        let value = if self.absolute { value.abs() } else { value };
        let value = self.limits.map_or(value, |(least, most)| value.max(least).min(most));
        let time = point.time() + i64::try_from(self.shift.as_nanos())?;
        Ok(out.edit(point).only_field("scaled", value).time(time).send()?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Tunable>()
}
