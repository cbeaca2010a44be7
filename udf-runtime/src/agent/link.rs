//! The way out of a connection, shared by its handler, by emitting threads and by the watchdog.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, TryLockError};

use udf_proto::messages::{KeepaliveResponse, response::Message};
use udf_proto::point::Unfit;
use udf_proto::response;

use crate::agent::counters::{Count, Counters};
use crate::agent::pulse::Pulse;
use crate::agent::rate_limit::RateLimit;
use crate::agent::sync::{AtomicU64, Mutex, lock};

/// The most that is written in one call: while a long write waits, the watchdog sees by each of them whether the
/// other side still reads.
const PIECE: usize = 32 << 10;

/// Why something could not be sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The connection has ended: the input did, or the agent failed.
    #[error("the connection to Kapacitor has ended")]
    Closed,
    /// The point is one that cannot be stored, and [`OnUnfit::Fail`] was chosen.
    #[error("a point cannot be sent: {0}")]
    Unfit(Unfit),
    /// Kapacitor has closed its reading side, or the transport failed.
    #[error("writing to Kapacitor failed: {0}")]
    Write(Arc<io::Error>),
}

/// Sets what happens to a point that a UDF has changed or built and that InfluxDB cannot store: it has no
/// field, a field that is NaN or infinite, or an empty name of a field, tag or measurement.
///
/// Such a point travels on through Kapacitor, and then makes the write fail that it is part of. Points that
/// are passed on as they came are not checked.
///
/// A field or tag named `time` is sent: InfluxDB leaves it out of what it stores, or refuses that one
/// point, depending on its version. [`FieldName`](crate::options::FieldName) and
/// [`TagName`](crate::options::TagName) refuse that name in an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUnfit {
    /// It is not sent, and counted, with a warning that is rate-limited.
    #[default]
    Drop,
    /// It is sent all the same.
    Send,
    /// The handler gets an error, which stops the task if it is passed on.
    Fail,
}

/// The writing side of a connection.
pub(crate) struct Link {
    out: Mutex<Out>,
    on_unfit: OnceLock<OnUnfit>,
    /// Whether what has gathered is to be written between two calls. It orders nothing.
    flush_requested: AtomicBool,
    /// Warnings about unfit points, of whichever thread.
    unfit: Mutex<RateLimit>,
    /// Whether it is open no more. It orders nothing.
    ended: AtomicBool,
    /// Bytes handed to the transport, signs of life included. It orders nothing.
    written: AtomicU64,
    /// The connection, in the log of whichever thread.
    pub(crate) span: tracing::Span,
    pub(crate) pulse: Pulse,
    pub(crate) counters: Counters,
}

enum Out {
    Open(Box<dyn Write + Send>),
    Failed {
        error: Arc<io::Error>,
        /// Whether anything but a sign of life was lost.
        lost: bool,
    },
    Closed,
}

/// What became of an attempt to show a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It was written.
    Sent,
    /// Somebody is writing just now, or there is no room: if that goes on, the other side does not read.
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
            span: tracing::Span::current(),
            pulse: Pulse::default(),
            counters: Counters::default(),
        }
    }

    /// Writes whole frames, and waits as long as the other side does not read.
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

    /// Returns how many bytes the transport has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// From now on this becomes of unfit points.
    pub(crate) fn set_on_unfit(&self, on_unfit: OnUnfit) {
        // The first one stays; an agent sets it once.
        let _ = self.on_unfit.set(on_unfit);
    }

    pub(crate) fn on_unfit(&self) -> OnUnfit {
        self.on_unfit.get().copied().unwrap_or_default()
    }

    /// Counts a point that is not sent since it is unfit, and says so now and then.
    #[cold]
    pub(crate) fn drop_unfit(&self, unfit: Unfit) {
        self.counters.add(Count::PointsDropped, 1);
        if let Some(held_back) = lock(&self.unfit).pass() {
            let _entered = self.span.enter();
            tracing::warn!("a point was not sent: {unfit}{held_back}");
        }
    }

    /// Requests a flush before the next frame is handled.
    pub(crate) fn request_flush(&self) {
        self.flush_requested.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked for that; once for each time.
    #[inline]
    pub(crate) fn take_flush_request(&self) -> bool {
        // A load is all that it costs as long as nobody asks.
        self.flush_requested.load(Ordering::Relaxed)
            && self.flush_requested.swap(false, Ordering::Relaxed)
    }

    /// Sends a keepalive that nobody asked for, if `has_room` says that a small write does not wait.
    pub(crate) fn show_life(&self, time: i64, has_room: impl FnOnce() -> bool) -> Sign {
        let Ok(mut out) = self.out.try_lock() else { return Sign::Full };
        let Out::Open(writer) = &mut *out else { return Sign::Gone };
        // Nobody else can fill the room between this look and the write.
        if !has_room() {
            return Sign::Full;
        }
        let mut frame = Vec::new();
        response::append(Message::Keepalive(KeepaliveResponse { time }), &mut frame);
        // It counts for no bytes that were sent: by those the watchdog tells whether it has to speak itself.
        match self.write_piece(writer, &frame).and_then(|()| writer.flush()) {
            Ok(()) => Sign::Sent,
            Err(error) => {
                self.end(&mut out, Out::Failed { error: Arc::new(error), lost: false });
                Sign::Gone
            }
        }
    }

    /// Whether somebody is writing, which then waits for the other side.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.out.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Closes the writing side; whoever emits from now on is told so.
    ///
    /// # Errors
    /// When something that was to be sent is lost, whichever thread has sent it.
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

    /// Whether it is closed or broken; this never waits for whoever writes.
    pub(crate) fn is_closed(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}
