//! Logs of a UDF's process on stderr. Each message is one line that is short enough for Kapacitor
//! to read. Only commands wait until their lines are written.

mod form;
mod kinds;
mod line;
mod queue;
mod spans;
mod subscriber;
#[cfg(test)]
mod tests;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use udf_host::Log;

pub(super) use self::form::Form;
pub(super) use self::line::one_line;
use self::queue::{HELD_BACK, LOST, Queue, Stderr};
use self::subscriber::Subscriber;
use crate::agent::rate_limit::RateLimit;
use crate::agent::sync::lock;

/// The variable that sets the level if no argument does.
pub(super) const LEVEL_VARIABLE: &str = "UDF_LOG";

/// The maximum time that an exiting process waits for its log. Stderr may have no reader.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The maximum time that a panicking thread waits for its log. The process may end right after the
/// panic.
const PANIC: Duration = Duration::from_millis(200);

/// The queue of this process, after the first use.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Starts the log on stderr at `level`, with lines of this form. In a command, a thread waits until
/// its line is written, so that the line precedes later output of the command.
///
/// # Errors
/// Returns an error if there is no descriptor or thread for the log.
pub(super) fn start(level: LevelFilter, form: Form, is_command: bool) -> io::Result<()> {
    let queue = queue(form, if is_command { LAST_LINES } else { Duration::ZERO })?;
    // If a global subscriber is already installed, keep it.
    let _ = tracing::subscriber::set_global_default(Subscriber::new(level, queue));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no message");
        tracing::error!("panic{place}: {text}");
        // A backtrace is captured only if RUST_BACKTRACE requests it.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured && has_backtrace() {
            for line in backtrace.to_string().lines() {
                // This target is exempt from the rate limit, which would cut the backtrace.
                tracing::error!(target: "backtrace", "{}", line.trim_end());
            }
        }
        if let Some(queue) = QUEUE.get() {
            queue.flush(PANIC);
        }
    }));
    Ok(())
}

/// The function that gets the lines of this process.
#[cfg(feature = "plot")]
static LISTENER: OnceLock<fn(&str)> = OnceLock::new();

/// Sets the function that gets each line of this process, without its end.
#[cfg(feature = "plot")]
pub(super) fn listen(listener: fn(&str)) {
    // A process has one command, which calls this once.
    let _ = LISTENER.set(listener);
}

/// Passes a line to the listener, if there is one.
fn tell(line: &str) {
    #[cfg(feature = "plot")]
    if let Some(listener) = LISTENER.get() {
        listener(line);
    }
    #[cfg(not(feature = "plot"))]
    let _ = line;
}

/// Passes on an event of another program, such as a line that it wrote to stderr. The line is
/// queued as it came, without a time and a level of this process: the program may have its own. In
/// [Telegraf's form](Form::Telegraf), the line begins with its own level, if the program names one.
///
/// A long line is cut, and control characters are escaped, as in every line of the log. Never
/// waits: lines that the queue has no room for are counted as lost.
pub(super) fn pass_on(log: &Log<'_>) {
    if let Some(queue) = QUEUE.get() {
        queue.pass_on(&log.to_string());
    }
}

/// Returns whether the backtrace of a panic is logged. The rate is limited, because a peer may be
/// able to cause panics.
fn has_backtrace() -> bool {
    static LIMIT: LazyLock<Mutex<RateLimit>> = LazyLock::new(Mutex::default);
    lock(&LIMIT).pass().is_some()
}

/// Writes the queued lines, and then the last words of the process. Waits only for a bounded time,
/// because stderr may have no reader.
pub(super) fn finish(last_words: Option<&str>) {
    let text = last_words.unwrap_or_default();
    if text.is_empty() && QUEUE.get().is_none() {
        return;
    }
    match queue(Form::Plain, Duration::ZERO) {
        Ok(queue) => queue.end(text, LAST_LINES),
        // Without a thread, write directly: the last words are worth the wait.
        Err(_) => drop(io::stderr().write_all(text.as_bytes())),
    }
}

fn queue(form: Form, timeout: Duration) -> io::Result<Arc<Queue>> {
    if let Some(queue) = QUEUE.get() {
        return Ok(Arc::clone(queue));
    }
    let queue = Queue::start(Stderr::new()?, form, timeout)?;
    Ok(Arc::clone(QUEUE.get_or_init(|| queue)))
}

/// Returns whether Telegraf reads the log.
pub(super) fn are_for_telegraf() -> bool {
    QUEUE.get().is_some_and(|queue| queue.form() == Form::Telegraf)
}

/// Returns the number of log lines that were not written, in the text format of Prometheus.
pub(super) fn to_prometheus() -> String {
    let counts = [
        (
            "udf_log_lines_dropped_total",
            "Log lines lost because stderr was not read or not writable.",
            &LOST,
        ),
        (
            "udf_log_lines_held_back_total",
            "Log lines held back because too many of their kind were logged.",
            &HELD_BACK,
        ),
    ];
    let show = |(name, help, count): (_, _, &AtomicU64)| {
        let count = count.load(Ordering::Relaxed);
        format!("# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}\n")
    };
    counts.map(show).concat()
}
