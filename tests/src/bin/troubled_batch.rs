//! A UDF that misbehaves at the end of a batch. The fault tests run it.

use std::process::ExitCode;

use udf_runtime::options::OptionType;
use udf_runtime::{Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Points, Result, udf};

/// Misbehavior at the end of a batch with a point at the time 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionType)]
enum Kind {
    /// Nothing.
    None,
    /// Drops the unfinished output batch.
    Forget,
    /// Panics within the output batch.
    Panic,
    /// Fails within the output batch.
    Error,
}

/// Returns batches unchanged until one has a point at the time 13.
#[udf(wants = batch, provides = batch)]
struct TroubledBatch {
    /// Misbehavior at the end of a batch with a point at the time 13.
    #[option(default = Kind::None)]
    kind: Kind,
    begin: BeginBatch,
    points: Points,
    is_due: bool,
}

impl BatchUdf for TroubledBatch {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        self.begin = begin.clone();
        self.points.clear();
        self.is_due = false;
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        self.is_due |= point.time() == 13;
        self.points.push(point);
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
        let mut batch = out.begin(&self.begin);
        for point in self.points.iter() {
            batch.pass(&point);
        }
        if self.is_due {
            match self.kind {
                Kind::None => {}
                Kind::Forget => return Ok(()),
                Kind::Panic => panic!("half sent"),
                Kind::Error => return Err("half sent".into()),
            }
        }
        Ok(batch.end(end.tmax)?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<TroubledBatch>()
}
