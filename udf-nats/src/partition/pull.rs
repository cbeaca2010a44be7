//! Reads the input, through gaps and outages.

use super::Context;
use super::error::{PartitionError, Stop};
use super::event::Event;
use crate::log::{Batch, Bounds, Clock, Input as _, Log, LogError};

/// Waits for the next batch behind `after`. Opens the input if there is none, or if it fails.
pub(super) async fn pull<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    mut input: Option<L::Input>,
    after: u64,
) -> Result<(L::Input, Batch), Stop> {
    let mut attempts = context.attempts(READ);
    loop {
        let mut open = match input.take() {
            Some(open) => open,
            None => {
                let (open, bounds) = context.retry(READ, || context.log.read(after)).await?;
                check(context, after, bounds)?;
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
fn check<L, C>(context: Context<'_, L, C>, after: u64, bounds: Bounds) -> Result<(), Stop> {
    let Bounds { first, last } = bounds;
    if after > last {
        return Err(PartitionError::Ahead { after, last }.into());
    }
    if after + 1 < first {
        if !context.settings.skip_lost {
            return Err(PartitionError::Lost { after, first }.into());
        }
        context.report.event(&Event::SkippedLost { after, first });
    }
    Ok(())
}
