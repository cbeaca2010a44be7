//! How a server behaves, and whom it calls.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use udf_proto::{EdgeType, frame};

use crate::error::{Error, RequestKind};

/// How a [`Server`](crate::Server) behaves: its timeouts, its limits, its way of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Kapacitor's `timeout`: a keepalive is sent after every half of it, and the UDF is given up when
    /// nothing at all came within it. Zero: no keepalives, and silence is fine. 10 seconds.
    ///
    /// Time in which the owner does not read what the UDF sent is not counted: nobody listens then.
    /// Kapacitor does count it.
    pub timeout: Duration,
    /// How long an answer may take, even if the UDF shows signs of life. Zero: for ever, as in
    /// Kapacitor. 5 minutes.
    pub answer_within: Duration,
    /// How long the UDF may take to close its side once its input has ended. Zero: for ever, as in
    /// Kapacitor. 5 minutes.
    pub close_within: Duration,
    /// How long the UDF may take to close its side after an abort, before it is killed. Defaults to zero:
    /// twice the timeout, as in Kapacitor, or 10 seconds when there is no timeout.
    pub abort_within: Duration,
    /// The longest message that is accepted, in bytes. [`frame::DEFAULT_LIMIT`].
    pub frame_limit: usize,
    /// The most points that a batch may have. 2 Mi.
    pub batch_points: usize,
    /// The most bytes of memory that a batch may take: its points with their tables, its names and
    /// tags. 256 MiB.
    pub batch_bytes: usize,
    /// How many points, or batches, of the UDF may wait to be read by the owner before the server
    /// stops reading. 4096.
    pub queue: usize,
    /// How many bytes of such points or batches may wait; one is always let in. 16 MiB.
    pub queue_bytes: usize,
    /// The kind of edge that the UDF provides, if it is known: data of the other kind is then refused.
    /// An Info answer on the same connection tells it too. Not known.
    pub provides: Option<EdgeType>,
    /// How messages are written. [`Writes::Large`].
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

/// How long an abort may take when neither that nor a timeout is set.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

impl Settings {
    /// The timeout, if there is one: a time that no clock reaches is none.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let is_reached = |timeout: &Duration| {
            timeout.checked_mul(2).and_then(|twice| Instant::now().checked_add(twice)).is_some()
        };
        Some(self.timeout).filter(|timeout| !timeout.is_zero()).filter(is_reached)
    }

    /// How long an abort may take before the kill callback is called, and again after it.
    pub(crate) fn grace(&self) -> Duration {
        match self.abort_within {
            Duration::ZERO => self.timeout().map_or(DEFAULT_GRACE, |timeout| 2 * timeout),
            within => within,
        }
    }
}

/// How messages are written to the UDF. The bytes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    /// All that waits to be sent in one write.
    #[default]
    Large,
    /// Each message in two writes, its length and its body: this is what Kapacitor does.
    Kapacitor,
}

/// Whom a [`Server`](crate::Server) calls, each from a thread of its own.
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

/// Tells the owner to stop writing, and why.
pub(crate) type OnAbort = Box<dyn FnOnce(&Error) + Send>;

/// Turns what the connection shows of its end into what is known about it.
pub(crate) type Explain = Box<dyn FnOnce(Error) -> Error + Send>;

/// Takes what is worth a line in a log; see [`Callbacks::on_log`].
pub type Logger = Arc<dyn Fn(&Log<'_>) + Send + Sync>;

impl Callbacks {
    /// None.
    pub fn new() -> Self {
        Callbacks::default()
    }

    /// Calls `abort` once when the connection is aborted, by whomever, so that its owner stops writing.
    pub fn on_abort(mut self, abort: impl FnOnce(&Error) + Send + 'static) -> Self {
        self.abort = Some(Box::new(abort));
        self
    }

    /// Calls `kill` once when an abort has not come to its end
    /// [in time](Settings::abort_within): it must end the reader and the writer, by force.
    pub fn on_kill(mut self, kill: impl FnOnce() + Send + 'static) -> Self {
        self.kill = Some(Box::new(kill));
        self
    }

    /// Calls `explain` when the UDF has closed its side in mid-use, with what the connection shows of
    /// it; what it returns becomes the error. It may wait a moment, for an exit status.
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

    /// Hands the owner's callback for the end what `first` returns, in place of what the connection shows.
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

    /// Calls `log` with everything worth a line in a log.
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

/// Something that is worth a line in a log. Its text is for people.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Log<'a> {
    /// A line that the UDF wrote to stderr, without its end.
    ///
    /// Kapacitor stops reading at a line of 64 KiB; here it comes in pieces of that length.
    Stderr {
        /// The line, or a piece of it. What is no UTF-8 is replaced.
        line: &'a str,
        /// Whether the line goes on in the next call.
        cut: bool,
    },
    /// An answer to nothing, which was dropped, as Kapacitor does. Of many, only the calls number 1, 2,
    /// 4, 8 and so on are told.
    Unasked {
        /// What was answered.
        kind: RequestKind,
        /// How many such answers have come on this connection.
        count: u64,
    },
    /// A try to connect has failed, and there will be another one.
    Connecting {
        /// How it failed.
        error: &'a std::io::Error,
        /// When the next one follows.
        retry_in: Duration,
    },
}

impl fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Log::Stderr { line, .. } => f.write_str(line),
            Log::Unasked { kind, count } => {
                write!(f, "the UDF answered {kind} without being asked ({count} such answers)")
            }
            Log::Connecting { error, retry_in } => {
                write!(f, "no connection yet: {error}; next try in {retry_in:?}")
            }
        }
    }
}
