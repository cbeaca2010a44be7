//! A UDF that replaces a field with its change since the last point.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

/// Change of a field since the last point of the same group.
#[udf(wants = stream, provides = stream)]
struct NewUdf {
    /// Field to compare.
    #[option]
    field: FieldName,
    /// Name of the field that is emitted.
    #[option(default = "delta")]
    r#as: FieldName,
    /// Last value of each group.
    #[state]
    last: Groups<Option<f64>>,
}

impl StreamUdf for NewUdf {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        // Kapacitor does not report that a group has ended.
        self.last.limit_count(100_000);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = point.number(&self.field)?;
        if let Some(last) = self.last.of(point).replace(value) {
            out.edit(point)
                .only_field(&self.r#as, value - last)
                .send()?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<NewUdf>()
}

#[cfg(test)]
mod tests {
    use udf_runtime::testing;

    use super::NewUdf;

    #[test]
    fn each_group_is_compared_with_itself() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let mut task = udf.group_by("host").start();
        task.feed(include_str!("../sample.lp"));
        task.emits(
            "disk,host=a delta=40 1700000010000000000
             disk,host=b delta=-2 1700000010000000000
             disk,host=a delta=1 1700000020000000000",
        );
    }

    #[test]
    fn the_last_value_survives_a_restart() {
        let udf = testing::udf::<NewUdf>().option("field=used");
        let mut task = udf.option("as=change").start();
        task.feed("disk used=1 10");
        task.restart();
        task.feed("disk used=4 20");
        task.emits("disk change=3 20");
    }
}
