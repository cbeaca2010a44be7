//! The timeouts, limits and callbacks of a session.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use udf_proto::{EdgeType, frame};

use crate::error::{Error, RequestKind};

/// The settings of a [`Session`](crate::Session): timeouts, limits, and how it writes.
///
/// ```
/// use std::time::Duration;
/// use udf_host::Settings;
///
/// let settings = Settings::default().timeout(Duration::from_secs(30)).queue(100);
/// assert_eq!(settings.queue, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Settings {
    /// Kapacitor's `timeout`. The session sends a keepalive after each half of the timeout, and
    /// aborts the connection if no message came within the timeout. Zero turns off both. Defaults
    /// to 10 seconds.
    ///
    /// Time in which the owner does not read the UDF's data does not count, because the session
    /// does not read either. In Kapacitor, this time counts.
    pub timeout: Duration,
    /// The time limit for an answer, even if the UDF shows signs of life. Zero means no limit, as
    /// in Kapacitor. Defaults to 5 minutes.
    pub answer_within: Duration,
    /// The time limit for the UDF to close its output after the end of its input. Zero means no
    /// limit, as in Kapacitor. Defaults to 5 minutes.
    pub close_within: Duration,
    /// The grace period after an abort in which the UDF must close its output before it is killed.
    /// Zero means twice the timeout, as in Kapacitor, or 10 seconds without a timeout. Defaults to
    /// zero.
    pub abort_within: Duration,
    /// The longest accepted message, in bytes. Defaults to [`frame::DEFAULT_LIMIT`].
    pub frame_limit: usize,
    /// The most points of a batch. Defaults to 2 Mi.
    pub batch_points: usize,
    /// The most memory of a batch in bytes: its points with their tables, its names and tags.
    /// Defaults to 256 MiB.
    pub batch_bytes: usize,
    /// How many points, or batches, of the UDF may wait for the owner before the session stops
    /// reading. Defaults to 4096.
    pub queue: usize,
    /// How many bytes of such points or batches may wait. An empty queue always accepts one.
    /// Defaults to 16 MiB.
    pub queue_bytes: usize,
    /// The edge that the UDF provides, if known. Data of the other kind is then refused. An Info
    /// answer on the same connection also sets the edge. Defaults to `None`.
    pub provides: Option<EdgeType>,
    /// How messages are written. Defaults to [`Writes::Large`].
    pub writes: Writes,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeout: Duration::from_secs(10),
            answer_within: Duration::from_secs(300),
            close_within: Duration::from_secs(300),
            abort_within: Duration::ZERO,
            frame_limit: frame::DEFAULT_LIMIT,
            batch_points: 2 << 20,
            batch_bytes: 256 << 20,
            queue: 4096,
            queue_bytes: 16 << 20,
            provides: None,
            writes: Writes::Large,
        }
    }
}

/// The grace period of an abort if neither a grace period nor a timeout is set.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

impl Settings {
    /// Sets [`timeout`](Settings#structfield.timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`answer_within`](Settings#structfield.answer_within).
    pub fn answer_within(mut self, answer_within: Duration) -> Self {
        self.answer_within = answer_within;
        self
    }

    /// Sets [`close_within`](Settings#structfield.close_within).
    pub fn close_within(mut self, close_within: Duration) -> Self {
        self.close_within = close_within;
        self
    }

    /// Sets [`abort_within`](Settings#structfield.abort_within).
    pub fn abort_within(mut self, abort_within: Duration) -> Self {
        self.abort_within = abort_within;
        self
    }

    /// Sets [`frame_limit`](Settings#structfield.frame_limit).
    pub fn frame_limit(mut self, frame_limit: usize) -> Self {
        self.frame_limit = frame_limit;
        self
    }

    /// Sets [`batch_points`](Settings#structfield.batch_points).
    pub fn batch_points(mut self, batch_points: usize) -> Self {
        self.batch_points = batch_points;
        self
    }

    /// Sets [`batch_bytes`](Settings#structfield.batch_bytes).
    pub fn batch_bytes(mut self, batch_bytes: usize) -> Self {
        self.batch_bytes = batch_bytes;
        self
    }

    /// Sets [`queue`](Settings#structfield.queue).
    pub fn queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    /// Sets [`queue_bytes`](Settings#structfield.queue_bytes).
    pub fn queue_bytes(mut self, queue_bytes: usize) -> Self {
        self.queue_bytes = queue_bytes;
        self
    }

    /// Sets [`provides`](Settings#structfield.provides).
    pub fn provides(mut self, provides: impl Into<Option<EdgeType>>) -> Self {
        self.provides = provides.into();
        self
    }

    /// Sets [`writes`](Settings#structfield.writes).
    pub fn writes(mut self, writes: Writes) -> Self {
        self.writes = writes;
        self
    }

    /// Returns the timeout. A timeout too long for the clock counts as none.
    pub(crate) fn usable_timeout(&self) -> Option<Duration> {
        let is_reached = |timeout: &Duration| {
            timeout.checked_mul(2).and_then(|twice| Instant::now().checked_add(twice)).is_some()
        };
        Some(self.timeout).filter(|timeout| !timeout.is_zero()).filter(is_reached)
    }

    /// Returns the grace period before the kill callback is called. The same time applies again
    /// after the kill.
    pub(crate) fn grace(&self) -> Duration {
        match self.abort_within {
            Duration::ZERO => self.usable_timeout().map_or(DEFAULT_GRACE, |timeout| 2 * timeout),
            within => within,
        }
    }
}

/// How messages are written to the UDF. The bytes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    /// All waiting messages in one write.
    #[default]
    Large,
    /// Each message in two writes, its length and its body, as Kapacitor does.
    Kapacitor,
}

/// The callbacks of a [`Session`](crate::Session). Each is called on a thread of its own.
///
/// ```
/// use udf_host::Callbacks;
///
/// let callbacks = Callbacks::new()
///     .on_abort(|error| eprintln!("stop writing: {error}"))
///     .on_log(|log| eprintln!("{log}"));
/// # drop(callbacks);
/// ```
#[derive(Default)]
#[must_use]
pub struct Callbacks {
    pub(crate) abort: Option<OnAbort>,
    pub(crate) kill: Option<Box<dyn FnOnce() + Send>>,
    pub(crate) ended: Option<Explain>,
    pub(crate) log: Option<Logger>,
}

/// Asks the owner to stop writing, and passes the reason.
pub(crate) type OnAbort = Box<dyn FnOnce(&Error) + Send>;

/// Turns the error that the connection shows at its end into the error with the real reason.
pub(crate) type Explain = Box<dyn FnOnce(Error) -> Error + Send>;

/// Receives each event worth logging; see [`Callbacks::on_log`].
pub type Logger = Arc<dyn Fn(&Log<'_>) + Send + Sync>;

impl Callbacks {
    /// Creates an empty set of callbacks.
    pub fn new() -> Self {
        Callbacks::default()
    }

    /// Calls `abort` once when the connection is aborted for any reason, so that its owner stops
    /// writing.
    pub fn on_abort(mut self, abort: impl FnOnce(&Error) + Send + 'static) -> Self {
        self.abort = Some(Box::new(abort));
        self
    }

    /// Calls `kill` once when the UDF has not closed its output within the [grace
    /// period](Settings::abort_within) after an abort. `kill` must end the reader and the writer by
    /// force.
    pub fn on_kill(mut self, kill: impl FnOnce() + Send + 'static) -> Self {
        self.kill = Some(Box::new(kill));
        self
    }

    /// Calls `explain` when the UDF has closed its output while the connection is in use. The
    /// argument is the error that the connection shows; the returned error replaces it. `explain`
    /// may wait briefly, for an exit status.
    pub fn on_end(mut self, explain: impl FnOnce(Error) -> Error + Send + 'static) -> Self {
        self.ended = Some(Box::new(explain));
        self
    }

    /// Calls `first` before the kill callback of the owner.
    pub(crate) fn before_kill(mut self, first: impl FnOnce() + Send + 'static) -> Self {
        let owners = self.kill.take();
        self.on_kill(move || {
            first();
            if let Some(kill) = owners {
                kill();
            }
        })
    }

    /// Calls `first` before the owner's `explain`, which gets the error that `first` returns.
    pub(crate) fn before_end(
        mut self,
        first: impl FnOnce(Error) -> Error + Send + 'static,
    ) -> Self {
        let owners = self.ended.take();
        self.on_end(move |error| {
            let error = first(error);
            match owners {
                Some(explain) => explain(error),
                None => error,
            }
        })
    }

    /// Calls `log` with every event worth logging.
    pub fn on_log(mut self, log: impl Fn(&Log<'_>) + Send + Sync + 'static) -> Self {
        self.log = Some(Arc::new(log));
        self
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").finish_non_exhaustive()
    }
}

/// An event worth logging. Its text is for people.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Log<'a> {
    /// A line that the UDF wrote to stderr, without its line end.
    ///
    /// Kapacitor stops reading at a line of 64 KiB. The host passes a long line in pieces of this
    /// length.
    Stderr {
        /// The line, or a piece of it. Invalid UTF-8 is replaced.
        line: &'a str,
        /// Whether the line continues in the next call.
        cut: bool,
    },
    /// An unrequested answer, which was dropped as in Kapacitor. Only the answers number 1, 2, 4, 8
    /// and so on are logged.
    Unasked {
        /// The kind of the answer.
        kind: RequestKind,
        /// How many such answers have come on this connection.
        count: u64,
    },
    /// An attempt to connect failed. Another attempt follows.
    Connecting {
        /// The error of the attempt.
        error: &'a std::io::Error,
        /// The time until the next attempt.
        retry_in: Duration,
    },
}

impl fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Log::Stderr { line, .. } => f.write_str(line),
            Log::Unasked { kind, count } => {
                write!(f, "the UDF sent an unrequested {kind} answer ({count} so far)")
            }
            Log::Connecting { error, retry_in } => {
                write!(f, "cannot connect yet: {error}; retrying in {retry_in:?}")
            }
        }
    }
}
