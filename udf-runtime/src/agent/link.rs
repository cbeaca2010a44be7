//! The output of a connection, shared by its handler, by emitting threads and by the watchdog.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, TryLockError};

use udf_proto::messages::{ErrorResponse, KeepaliveResponse, response::Message};
use udf_proto::point::Unfit;
use udf_proto::response;
use udf_proto::ticks::REFUSES_THREADS;

use crate::agent::counters::{Count, Counters};
use crate::agent::pulse::Pulse;
use crate::agent::rate_limit::RateLimit;
use crate::agent::sync::{AtomicU64, Mutex, lock};

/// The maximum size of one write. While a long output blocks, each piece shows the watchdog that
/// the peer still reads.
const PIECE: usize = 32 << 10;

/// The reason why output could not be sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The connection has ended, because the input ended or the agent failed.
    #[error("the connection to Kapacitor has ended")]
    Closed,
    /// Kapacitor cannot store the point, and [`OnUnfit::Fail`] is set.
    #[error("a point cannot be sent: {0}")]
    Unfit(Unfit),
    /// The host takes only output that follows from the input, and none of other threads.
    #[error("{REFUSES_THREADS}")]
    Remote,
    /// Kapacitor closed its reading side, or the transport failed.
    #[error("writing to Kapacitor failed: {0}")]
    Write(Arc<io::Error>),
}

/// Sets what happens to a point that a UDF has changed or built and that InfluxDB cannot store.
/// Such a point has no field, a field that is NaN or infinite, or an empty name of a field, tag or
/// measurement.
///
/// Kapacitor passes such a point on, and the write that contains it then fails. Points that are
/// passed on unchanged are not checked.
///
/// A field or tag named `time` is sent. Depending on its version, InfluxDB drops the field or
/// refuses the point. [`FieldName`](crate::options::FieldName) and
/// [`TagName`](crate::options::TagName) refuse that name in an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUnfit {
    /// Drops and counts the point, with a rate-limited warning.
    #[default]
    Drop,
    /// Sends the point.
    Send,
    /// Returns an error to the handler. If the handler passes the error on, the task stops.
    Fail,
}

/// The writing side of a connection.
pub(crate) struct Link {
    out: Mutex<Out>,
    on_unfit: OnceLock<OnUnfit>,
    /// Whether a flush is requested between two calls. Relaxed order suffices: a late flush is
    /// harmless.
    flush_requested: AtomicBool,
    /// Limits the warnings about unfit points of all threads.
    unfit: Mutex<RateLimit>,
    /// Whether the connection is closed. Relaxed order suffices: every write checks again under its
    /// lock.
    ended: AtomicBool,
    /// The number of bytes that the transport has taken, including keepalives. Relaxed order
    /// suffices: no other memory depends on it.
    written: AtomicU64,
    /// Whether output of other threads than that of the handler is refused. Set before Init.
    refuses_remote: AtomicBool,
    /// The span of the connection, for log lines of any thread.
    pub(crate) span: tracing::Span,
    pub(crate) pulse: Pulse,
    pub(crate) counters: Counters,
}

enum Out {
    Open(Box<dyn Write + Send>),
    Failed {
        error: Arc<io::Error>,
        /// Whether output other than a keepalive was lost.
        lost: bool,
    },
    Closed,
}

/// The result of an attempt to send a keepalive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The keepalive was written.
    Sent,
    /// Another thread is writing, or there is no room. If this persists, the peer does not read.
    Full,
    /// The connection is closed or broken.
    Gone,
}

impl Link {
    pub(crate) fn new(writer: Box<dyn Write + Send>) -> Self {
        Link {
            out: Mutex::new(Out::Open(writer)),
            on_unfit: OnceLock::new(),
            flush_requested: AtomicBool::new(false),
            unfit: Mutex::new(RateLimit::default()),
            ended: AtomicBool::new(false),
            written: AtomicU64::new(0),
            refuses_remote: AtomicBool::new(false),
            span: tracing::Span::current(),
            pulse: Pulse::default(),
            counters: Counters::default(),
        }
    }

    /// Writes whole frames. Blocks while the peer does not read.
    pub(crate) fn write(&self, frames: &[u8]) -> Result<(), EmitError> {
        let mut out = lock(&self.out);
        let written = match &mut *out {
            Out::Open(writer) => frames
                .chunks(PIECE)
                .try_for_each(|piece| self.write_piece(writer, piece))
                .and_then(|()| writer.flush()),
            Out::Failed { error, lost } => {
                *lost = true;
                return Err(EmitError::Write(Arc::clone(error)));
            }
            Out::Closed => return Err(EmitError::Closed),
        };
        match written {
            Ok(()) => {
                self.counters.add(Count::BytesOut, frames.len() as u64);
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error);
                self.end(&mut out, Out::Failed { error: Arc::clone(&error), lost: true });
                Err(EmitError::Write(error))
            }
        }
    }

    fn write_piece(&self, writer: &mut impl Write, piece: &[u8]) -> io::Result<()> {
        writer.write_all(piece)?;
        self.written.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the number of bytes that the transport has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Sets what happens to unfit points.
    pub(crate) fn set_on_unfit(&self, on_unfit: OnUnfit) {
        // The first value stays. An agent sets it once.
        let _ = self.on_unfit.set(on_unfit);
    }

    pub(crate) fn on_unfit(&self) -> OnUnfit {
        self.on_unfit.get().copied().unwrap_or_default()
    }

    /// Counts a point that is not sent because it is unfit, and logs a rate-limited warning.
    #[cold]
    pub(crate) fn drop_unfit(&self, unfit: Unfit) {
        self.counters.add(Count::PointsDropped, 1);
        if let Some(held_back) = lock(&self.unfit).pass() {
            let _entered = self.span.enter();
            tracing::warn!("a point was not sent: {unfit}{held_back}");
        }
    }

    /// Refuses all output of [`Remote`](crate::Remote) from now on.
    pub(crate) fn refuse_remote(&self) {
        self.refuses_remote.store(true, Ordering::Relaxed);
    }

    /// Returns an error if output of other threads is refused. Tells the host, too: it must not go
    /// on without that output.
    pub(crate) fn check_remote(&self) -> Result<(), EmitError> {
        if !self.refuses_remote.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut frame = Vec::new();
        let error = EmitError::Remote.to_string();
        response::append(Message::Error(ErrorResponse { error }), &mut frame);
        self.write(&frame)?;
        Err(EmitError::Remote)
    }

    /// Requests a flush before the next frame is handled.
    pub(crate) fn request_flush(&self) {
        self.flush_requested.store(true, Ordering::Relaxed);
    }

    /// Returns whether a flush was requested since the last call.
    #[inline]
    pub(crate) fn take_flush_request(&self) -> bool {
        // The load keeps the check cheap while no flush is requested.
        self.flush_requested.load(Ordering::Relaxed)
            && self.flush_requested.swap(false, Ordering::Relaxed)
    }

    /// Sends an unsolicited keepalive, if `has_room` returns that a small write does not block.
    /// Only tries the lock: a thread that holds it may be blocked in a write, and the watchdog must
    /// never wait for one connection.
    pub(crate) fn show_life(&self, time: i64, has_room: impl FnOnce() -> bool) -> Sign {
        let Ok(mut out) = self.out.try_lock() else { return Sign::Full };
        let Out::Open(writer) = &mut *out else { return Sign::Gone };
        // We hold the lock, so no other thread can fill the room before the write.
        if !has_room() {
            return Sign::Full;
        }
        let mut frame = Vec::new();
        response::append(Message::Keepalive(KeepaliveResponse { time }), &mut frame);
        // The keepalive does not count as output: the watchdog compares that count to decide
        // whether a keepalive is needed.
        match self.write_piece(writer, &frame).and_then(|()| writer.flush()) {
            Ok(()) => Sign::Sent,
            Err(error) => {
                self.end(&mut out, Out::Failed { error: Arc::new(error), lost: false });
                Sign::Gone
            }
        }
    }

    /// Returns whether a thread is writing. That thread may be waiting for the peer.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.out.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Closes the output. Later attempts to emit return an error.
    ///
    /// # Errors
    /// Returns an error if output of any thread was lost.
    pub(crate) fn close(&self) -> Result<(), EmitError> {
        let mut out = lock(&self.out);
        let closed = match &*out {
            Out::Failed { error, lost: true } => Err(EmitError::Write(Arc::clone(error))),
            _ => Ok(()),
        };
        self.end(&mut out, Out::Closed);
        closed
    }

    fn end(&self, out: &mut Out, ended: Out) {
        self.ended.store(true, Ordering::Relaxed);
        *out = ended;
    }

    /// Returns whether the output is closed or broken. Never waits for a thread that writes.
    pub(crate) fn is_closed(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}
