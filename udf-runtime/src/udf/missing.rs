//! Missing fields: what happens to the point, and the warnings about it.

use std::sync::Mutex;

use udf_proto::Point;
use udf_proto::point::FieldError;

use crate::agent::emitter::Output;
use crate::agent::error::{Error, Result};
use crate::agent::rate_limit::RateLimit;
use crate::agent::sync::lock;

/// Sets what happens to a point if a handler's `?` fails because a field is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMissing {
    /// Drops the point, with a rate-limited warning. A [`WholeBatchUdf`](crate::WholeBatchUdf)
    /// drops a point within [`BatchView::read`](crate::BatchView::read), and the batch elsewhere.
    Skip,
    /// Passes the point on unchanged. For UDFs that read a stream and provide a stream.
    Pass,
    /// Fails the task.
    Fail,
}

/// Decides about the errors of a handler, and warns about missing fields.
#[derive(Debug)]
pub struct Missing {
    on_missing: OnMissing,
    /// Shared with the views of batches, and with workers.
    warnings: Mutex<RateLimit>,
}

impl Missing {
    pub(crate) fn new(on_missing: OnMissing) -> Self {
        Missing { on_missing, warnings: Mutex::default() }
    }

    /// Handles the error of a point. For a missing field, passes the point on or drops it.
    ///
    /// # Errors
    /// Returns the error if it fails the task.
    #[cold]
    pub(super) fn forgive_point(
        &self,
        point: &Point<'_>,
        error: Error,
        out: &mut Output,
    ) -> Result<()> {
        self.forgive("a point", error)?;
        match self.on_missing {
            // `#[udf]` allows this for streams only.
            OnMissing::Pass => out.pass(point)?,
            OnMissing::Skip | OnMissing::Fail => out.count_dropped(1),
        }
        Ok(())
    }

    /// Logs that `what` lacks a field.
    ///
    /// # Errors
    /// Returns the error if it fails the task.
    pub(super) fn forgive(&self, what: &str, error: Error) -> Result<()> {
        if self.on_missing == OnMissing::Fail || !error.is::<FieldError>() {
            return Err(error);
        }
        if let Some(held_back) = lock(&self.warnings).pass() {
            let done = self.done();
            tracing::warn!("{what} was {done}: {error}{held_back}");
        }
        Ok(())
    }

    /// Logs the number of warnings that were held back.
    pub(super) fn log_rest(&self) {
        let (done, more) = (self.done(), lock(&self.warnings).rest());
        if more > 0 {
            tracing::warn!(
                "points that lack a field were {done}: {more} more since the last warning"
            );
        }
    }

    fn done(&self) -> &'static str {
        match self.on_missing {
            OnMissing::Pass => "passed on",
            OnMissing::Skip | OnMissing::Fail => "skipped",
        }
    }
}
