//! Reads the input, through gaps and outages.

use super::context::{Context, Report};
use super::error::{PartitionError, Stop};
use super::event::Event;
use crate::log::{Batch, Bounds, Clock, Input as _, Log, LogError};

/// Waits for the next batch behind `after`. Opens the input if there is none, or if it fails.
pub(crate) async fn pull<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    mut input: Option<L::Input>,
    after: u64,
    skip_lost: bool,
) -> Result<(L::Input, Batch), Stop> {
    let mut attempts = context.attempts(READ);
    loop {
        let mut open = match input.take() {
            Some(open) => open,
            None => {
                let (open, bounds) = context.retry(READ, || context.log.read(after)).await?;
                check(context.report, after, bounds, skip_lost)?;
                open
            }
        };
        match open.pull().await {
            Ok(batch) => {
                attempts.succeed();
                return Ok((open, batch));
            }
            Err(LogError::Unavailable(why)) => attempts.pause(&why, context.clock).await,
            Err(error @ LogError::Fatal(_)) => {
                return Err(PartitionError::Log { what: READ, error }.into());
            }
        }
    }
}

const READ: &str = "read the input";

/// Checks that the stream has the input behind `after`.
fn check(report: Report<'_>, after: u64, bounds: Bounds, skip_lost: bool) -> Result<(), Stop> {
    let Bounds { first, last } = bounds;
    if after > last {
        return Err(PartitionError::Ahead { after, last }.into());
    }
    if after + 1 < first {
        if !skip_lost {
            return Err(PartitionError::Lost { after, first }.into());
        }
        report.event(&Event::SkippedLost { after, first });
    }
    Ok(())
}
