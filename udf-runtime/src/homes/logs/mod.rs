//! Logs of a UDF's process: to stderr, one line each, none too long for Kapacitor to read. Only a command waits for
//! its lines.

mod kinds;
mod line;
mod queue;
mod spans;
mod subscriber;
#[cfg(test)]
mod tests;
mod time;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

pub(super) use self::line::one_line;
use self::queue::{HELD_BACK, LOST, Queue, Stderr};
use self::subscriber::Subscriber;
use crate::agent::rate_limit::RateLimit;
use crate::agent::sync::lock;

/// The variable that sets the level when no argument does.
pub(super) const LEVEL_VARIABLE: &str = "UDF_LOG";

/// A process that ends waits no longer than this for its log: nobody may read stderr.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A thread that panics waits no longer than this: the process may be gone then.
const PANIC: Duration = Duration::from_millis(200);

/// The queue of this process, once something was logged.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Starts to log at `level`, to stderr, with the time in each line or without. In the log of a command, a line is
/// written before its thread goes on, so that it stands before what the command prints later.
///
/// # Errors
/// When there is no descriptor or thread for it.
pub(super) fn start(level: LevelFilter, has_time: bool, is_command: bool) -> io::Result<()> {
    let queue = queue(has_time, if is_command { LAST_LINES } else { Duration::ZERO })?;
    // If a global subscriber is already installed, keep it.
    let _ = tracing::subscriber::set_global_default(Subscriber::new(level, queue));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no message");
        tracing::error!("panic{place}: {text}");
        // Captured only when RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured && has_backtrace() {
            for line in backtrace.to_string().lines() {
                // Not limited as a kind of line: that would cut it.
                tracing::error!(target: "backtrace", "{}", line.trim_end());
            }
        }
        if let Some(queue) = QUEUE.get() {
            queue.flush(PANIC);
        }
    }));
    Ok(())
}

/// Returns whether a panic has its backtrace logged: only one now and then, since a peer may be able to cause them.
fn has_backtrace() -> bool {
    static LIMIT: LazyLock<Mutex<RateLimit>> = LazyLock::new(Mutex::default);
    lock(&LIMIT).pass().is_some()
}

/// Writes what was logged and, behind it, the last words of the process. Nobody may read them: this waits for a
/// bounded time.
pub(super) fn finish(last_words: Option<&str>) {
    let text = last_words.unwrap_or_default();
    if text.is_empty() && QUEUE.get().is_none() {
        return;
    }
    match queue(false, Duration::ZERO) {
        Ok(queue) => queue.end(text, LAST_LINES),
        // Without a thread, they are worth the wait.
        Err(_) => drop(io::stderr().write_all(text.as_bytes())),
    }
}

fn queue(has_time: bool, timeout: Duration) -> io::Result<Arc<Queue>> {
    if let Some(queue) = QUEUE.get() {
        return Ok(Arc::clone(queue));
    }
    let queue = Queue::start(Stderr::new()?, has_time, timeout)?;
    Ok(Arc::clone(QUEUE.get_or_init(|| queue)))
}

/// Returns how many lines of this process were not logged, in the text format of Prometheus.
pub(super) fn to_prometheus() -> String {
    let counts = [
        (
            "udf_log_lines_dropped_total",
            "Lines of the log that were lost: stderr was not read, or not writable.",
            &LOST,
        ),
        (
            "udf_log_lines_held_back_total",
            "Lines of the log that were held back: there were too many of their kind.",
            &HELD_BACK,
        ),
    ];
    let show = |(name, help, count): (_, _, &AtomicU64)| {
        let count = count.load(Ordering::Relaxed);
        format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}\n")
    };
    counts.map(show).concat()
}
