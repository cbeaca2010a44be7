//! Reads the input, through gaps and outages.

use super::context::{Context, Report};
use super::error::{PartitionError, Stop};
use super::event::Event;
use crate::log::{Batch, Bounds, Clock, Input as _, Log, LogError};

/// A batch, and the input that it came from.
pub(crate) struct Pulled<I> {
    pub(crate) input: I,
    pub(crate) batch: Batch,
    /// The sequence behind which the batch begins.
    pub(crate) after: u64,
}

/// Waits for the next batch behind `after`. Opens the input if there is none, or if it fails.
pub(crate) async fn pull<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    mut input: Option<L::Input>,
    mut after: u64,
    skip_lost: bool,
) -> Result<Pulled<L::Input>, Stop> {
    let mut attempts = context.attempts(READ);
    loop {
        let mut open = match input.take() {
            Some(open) => open,
            None => {
                let (open, bounds) = context.retry(READ, || context.log.read(after)).await?;
                check_end(after, bounds)?;
                check(context.report, after, bounds.first, skip_lost)?;
                after = after.max(bounds.first - 1);
                open
            }
        };
        match open.pull().await {
            Ok(batch) => {
                attempts.succeed();
                return Ok(Pulled { input: open, batch, after });
            }
            Err(LogError::Unavailable(why)) => attempts.pause(&why, context.clock).await,
            Err(error @ LogError::Fatal(_)) => {
                return Err(PartitionError::Log { what: READ, error }.into());
            }
        }
    }
}

const READ: &str = "read the input";

/// The begin of the input that was skipped since it was last asked whether it was lost.
///
/// A reader skips the messages of other subjects, and those that retention has removed before it got
/// them. They are told apart by the begin of the stream, which is read later.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Skipped {
    /// The sequence behind which input was skipped.
    after: Option<u64>,
}

impl Skipped {
    /// Notes what a batch behind the sequence `after` skips.
    pub(crate) fn note(&mut self, after: u64, batch: &Batch) {
        let mut read = after;
        let ends = batch.messages.iter().map(|message| message.seq).chain([batch.upto + 1]);
        for seq in ends {
            if seq > read + 1 {
                self.after.get_or_insert(read);
                return;
            }
            read = read.max(seq);
        }
    }

    /// Checks that the stream still has what was skipped, so that it belongs to others.
    pub(crate) async fn check<L: Log, C: Clock>(
        self,
        context: Context<'_, L, C>,
        skip_lost: bool,
    ) -> Result<(), Stop> {
        let Some(after) = self.after else { return Ok(()) };
        let bounds = context.retry("read the bounds of the input", || context.log.bounds()).await?;
        check(context.report, after, bounds.first, skip_lost)
    }
}

/// Checks that a stream has a position that was reached before.
pub(crate) fn check_end(after: u64, Bounds { last, .. }: Bounds) -> Result<(), Stop> {
    if after > last {
        return Err(PartitionError::Ahead { after, last }.into());
    }
    Ok(())
}

/// Checks that a stream which begins at `first` has the input behind `after`.
fn check(report: Report<'_>, after: u64, first: u64, skip_lost: bool) -> Result<(), Stop> {
    if after + 1 < first {
        if !skip_lost {
            return Err(PartitionError::Lost { after, first }.into());
        }
        report.event(&Event::SkippedLost { after, first });
    }
    Ok(())
}
