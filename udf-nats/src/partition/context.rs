//! The surroundings of a driver: its log, its clock and its events.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use super::error::{PartitionError, Stop};
use super::event::Event;
use crate::log::{Clock, LogError};

/// The pauses before a call is tried again.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// The surroundings of a driver.
#[derive(Debug)]
pub(crate) struct Context<'a, L, C> {
    pub(crate) log: &'a L,
    pub(crate) clock: &'a C,
    pub(crate) report: Report<'a>,
    /// The number of snapshots that this worker has begun to store.
    pub(crate) snapshots: &'a Cell<u64>,
}

impl<L, C> Clone for Context<'_, L, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, C> Copy for Context<'_, L, C> {}

/// Reports events. An outage is reported once.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a> {
    pub(crate) to: &'a dyn Fn(&Event<'_>),
    /// The number of calls that the server does not answer.
    pub(crate) failing: &'a Cell<u32>,
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").finish_non_exhaustive()
    }
}

impl Report<'_> {
    pub(crate) fn event(&self, event: &Event<'_>) {
        (self.to)(event);
    }
}

/// The attempts of one call.
pub(crate) struct Attempts<'a> {
    what: &'static str,
    report: Report<'a>,
    failed: usize,
    succeeded: bool,
}

impl Attempts<'_> {
    /// Waits after a failed attempt.
    pub(crate) async fn pause(&mut self, why: &str, clock: &impl Clock) {
        // The first failure is often the end of a connection that is open again at once.
        if self.failed == 1 {
            if self.report.failing.get() == 0 {
                self.report.event(&Event::Unavailable { what: self.what, why });
            }
            self.report.failing.set(self.report.failing.get() + 1);
        }
        clock.sleep(PAUSES[self.failed.min(PAUSES.len() - 1)]).await;
        self.failed += 1;
    }

    /// Ends the attempts with a success.
    pub(crate) fn succeed(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Attempts<'_> {
    fn drop(&mut self) {
        if self.failed > 1 {
            self.report.failing.set(self.report.failing.get() - 1);
            if self.succeeded && self.report.failing.get() == 0 {
                self.report.event(&Event::Available);
            }
        }
    }
}

impl<'a, L, C: Clock> Context<'a, L, C> {
    pub(crate) fn attempts(&self, what: &'static str) -> Attempts<'a> {
        Attempts { what, report: self.report, failed: 0, succeeded: false }
    }

    /// Calls `call` until the server answers.
    pub(crate) async fn retry<T, F>(
        &self,
        what: &'static str,
        mut call: impl FnMut() -> F,
    ) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, LogError>>,
    {
        let mut attempts = self.attempts(what);
        loop {
            match call().await {
                Ok(value) => {
                    attempts.succeed();
                    return Ok(value);
                }
                Err(LogError::Unavailable(why)) => attempts.pause(&why, self.clock).await,
                Err(error @ LogError::Fatal(_)) => {
                    return Err(PartitionError::Log { what, error }.into());
                }
            }
        }
    }
}
