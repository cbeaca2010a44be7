//! Panics of a handler as errors.

use std::panic::{self, AssertUnwindSafe};

use crate::agent::agent_error::AgentError;
use crate::agent::error::panic_text;
use crate::agent::link::Link;

/// Converts a panic of the handler into an error.
pub(super) fn guard<T>(
    link: &Link,
    work: impl FnOnce() -> Result<T, AgentError>,
) -> Result<T, AgentError> {
    // After a panic, the core is used only to send the error and to call `stop`, so a broken
    // handler state cannot spread.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(AgentError::Panicked { call: link.pulse.last_call(), message: panic_text(&*panic) })
    })
}
