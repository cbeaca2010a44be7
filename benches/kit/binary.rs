//! Measures the size of a program, and the time of a clean build.

use std::error::Error;
use std::fs;
use std::time::Instant;

use crate::programs::{build as build_in, example};
use crate::table::{Goal, Table};

pub(crate) fn size(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let size = fs::metadata(example("mirror")?)?.len() as f64 / f64::from(1 << 20);
    table.row(
        "size of mirror, stripped",
        size,
        "MiB",
        Goal::AtMost { reach: 1.5, beyond: f64::NAN },
    );
    Ok(())
}

/// Builds every crate from scratch. The crates are downloaded already.
pub(crate) fn build(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let target = tempfile::tempdir()?;
    let begun = Instant::now();
    build_in("mirror", target.path())?;
    let goal = Goal::AtMost { reach: 30.0, beyond: f64::NAN };
    table.row("clean build of mirror", begun.elapsed().as_secs_f64(), "s", goal);
    Ok(())
}
