//! The rate of a counter, for each group. The guide `docs/authoring.md` builds this UDF.

use std::process::ExitCode;
use std::time::Duration;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

/// The rate at which a counter grows, for each group.
#[udf(wants = stream, provides = stream)]
struct Rate {
    /// Field that holds the counter.
    #[option]
    field: FieldName,
    /// The time to which the rate relates.
    #[option(default = "1s", range = "1ms"..)]
    per: Duration,
    /// Name of the field that is emitted.
    #[option(default = "rate")]
    r#as: FieldName,
    /// Time and value of the last point.
    #[state]
    last: Groups<Option<(i64, f64)>>,
}

impl StreamUdf for Rate {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let (time, value) = (point.time(), point.number(&self.field)?);
        let Some((before, less)) = self.last.of(point).replace((time, value)) else {
            return Ok(());
        };
        if time <= before || value < less {
            // The counter has been reset, or the points are out of order.
            return Ok(());
        }
        let seconds = (time - before) as f64 / 1e9;
        let rate = (value - less) * self.per.as_secs_f64() / seconds;
        Ok(out.edit(point).only_field(&self.r#as, rate).send()?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Rate>()
}

#[cfg(test)]
mod tests {
    use udf_runtime::testing;

    use super::Rate;

    #[test]
    fn each_group_has_a_rate_of_its_own() {
        let mut task = testing::udf::<Rate>().option("field=bytes").group_by("host").start();
        task.feed(
            "net,host=a bytes=1000 1000000000
             net,host=b bytes=5 1000000000
             net,host=a bytes=1500 3000000000",
        );
        task.emits("net,host=a rate=250 3000000000");
    }

    #[test]
    fn a_counter_that_is_reset_has_no_rate() {
        let mut task = testing::udf::<Rate>().option("field=bytes").start();
        task.feed("net bytes=9 1000000000\nnet bytes=2 2000000000");
        task.emits_nothing();
        task.feed("net bytes=4 3000000000");
        task.emits("net rate=2 3000000000");
    }

    #[test]
    fn a_restart_of_kapacitor_does_not_show() {
        let mut task = testing::udf::<Rate>().option("field=bytes").option("per=1m").start();
        task.feed("net bytes=1 1000000000");
        task.restart();
        task.feed("net bytes=2 2000000000");
        task.emits("net rate=60 2000000000");
    }

    #[test]
    fn a_time_that_is_too_short_is_refused() {
        assert_eq!(
            testing::udf::<Rate>().option("field=bytes").option("per=1u").refusal(),
            "UDF rate: `.per(1u)`: the argument must be at least 1ms; write `.per(1ms)`"
        );
    }
}
