//! A UDF that misbehaves at the end of a batch. The fault tests run it.

use std::process::ExitCode;

use udf_runtime::options::OptionType;
use udf_runtime::{Batch, BatchView, Emitter, Result, WholeBatchUdf, udf};

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
}

impl WholeBatchUdf for TroubledBatch {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let mut same = out.begin(batch.begin());
        for point in batch.points() {
            same.pass(&point);
        }
        if batch.points().any(|point| point.time() == 13) {
            match self.kind {
                Kind::None => {}
                Kind::Forget => return Ok(()),
                Kind::Panic => panic!("half sent"),
                Kind::Error => return Err("half sent".into()),
            }
        }
        Ok(same.end(batch.tmax())?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<TroubledBatch>()
}
