//! Panics of a UDF as errors, or as crashes.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;

use crate::agent::agent_error::AgentError;
use crate::agent::error::panic_text;
use crate::agent::link::Link;

/// Ends the process at a panic of the UDF, if the process is the worker of a supervised UDF.
static CRASH: OnceLock<fn() -> !> = OnceLock::new();

/// Calls `exit` at each further panic of the UDF, instead of reporting the panic to Kapacitor.
///
/// A supervisor replaces a worker that has crashed. A reported error ends the task.
pub(crate) fn crash_at_panics(exit: fn() -> !) {
    // A process serves stdin and stdout once, and always calls this with the same function.
    let _ = CRASH.set(exit);
}

/// Returns the message of a panic of the UDF, unless a panic ends the process.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(exit) = CRASH.get() {
        exit();
    }
    panic_text(panic)
}

/// Converts a panic of the handler into an error.
pub(super) fn guard<T>(
    link: &Link,
    work: impl FnOnce() -> Result<T, AgentError>,
) -> Result<T, AgentError> {
    // After a panic, the core is used only to send the error and to call `stop`, so a broken
    // handler state cannot spread.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(AgentError::Panicked { call: link.pulse.last_call(), message: message(&*panic) })
    })
}
