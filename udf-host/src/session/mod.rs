//! The core of every connection: Kapacitor's side of the protocol over any reader and writer.
//!
//! A [`Session`] has three threads: one reads, one writes, one watches the timeouts. None of them
//! polls. With a UDF in this process, the thread of the UDF reads and writes.

mod in_process;
mod outbox;
mod queue;
mod reader;
mod shared;
mod sink;
mod threads;
mod watch;

use std::fmt;
use std::io::{Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use udf_proto::messages::{
    InfoRequest, KeepaliveRequest, RestoreRequest, SnapshotRequest, request, response,
};
use udf_proto::ticks::{self, TickRequest};
use udf_proto::{EdgeType, Info, Init, Point, PointBuf};
use udf_text::batch::WholeBatch;

use crate::error::{Error, RequestKind};
use crate::settings::{Callbacks, Settings};

pub use in_process::{Cutter, UdfInput, UdfOutput};
use in_process::{End, StartUdf};
pub use queue::{ReceiveError, Receiver};
pub(crate) use shared::EXPLAINED_WITHIN;
use shared::Shared;
pub use sink::Sink;

/// Kapacitor's side of one connection with a UDF, over any reader and writer.
///
/// The session drops the writer to end the input of the UDF, and the reader when it stops reading.
/// The other side must notice the drop, as it does for pipes and for the
/// [halves](crate::socket::split) of a socket.
///
/// ```
/// use std::io::{Read, Write};
/// use udf_host::{Callbacks, Session, Settings};
///
/// // A UDF that answers the first request, whatever it is, with "I want and provide a stream".
/// let (mut udf_in, host_out) = std::io::pipe()?;
/// let (host_in, mut udf_out) = std::io::pipe()?;
/// std::thread::spawn(move || {
///     udf_in.read_exact(&mut [0; 3])?;
///     udf_out.write_all(&[2, 0x0a, 0])
/// });
///
/// let session = Session::new(host_in, host_out, Settings::default(), Callbacks::new());
/// session.start()?;
/// assert!(session.info()?.options.is_empty());
/// # session.stop().ok();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is sent before `start` is called"]
pub struct Session {
    shared: Arc<Shared>,
    /// The parts that the threads take over when they start.
    parts: Mutex<Option<Parts>>,
}

enum Parts {
    Streams { reader: Box<dyn Read + Send>, writer: Box<dyn Write + Send> },
    InProcess(StartUdf, (mpsc::Sender<End>, mpsc::Receiver<End>)),
}

impl Session {
    /// Creates a session. Its threads start with [`start`](Self::start).
    pub fn new(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        settings: Settings,
        callbacks: Callbacks,
    ) -> Self {
        let parts = Parts::Streams { reader: Box::new(reader), writer: Box::new(writer) };
        Session::of(parts, settings, callbacks)
    }

    /// Creates a session with a UDF that `udf` starts on a thread of this process.
    pub(crate) fn in_process(udf: StartUdf, settings: Settings, callbacks: Callbacks) -> Self {
        let (ends, ended) = mpsc::channel();
        let cutter = Cutter(ends.clone());
        let callbacks = callbacks.before_kill(move || cutter.cut());
        Session::of(Parts::InProcess(udf, (ends, ended)), settings, callbacks)
    }

    fn of(parts: Parts, settings: Settings, callbacks: Callbacks) -> Self {
        Session {
            shared: Arc::new(Shared::new(settings, callbacks)),
            parts: Mutex::new(Some(parts)),
        }
    }

    fn take_parts(&self) -> Option<Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts to read, to write, and to send keepalives.
    ///
    /// # Errors
    /// When the session was started or stopped before, or when a thread cannot be created.
    pub fn start(&self) -> Result<(), Error> {
        self.shared.begin()?;
        match self.take_parts().ok_or(Error::AlreadyStarted)? {
            Parts::Streams { reader, writer } => threads::start(&self.shared, reader, writer),
            Parts::InProcess(udf, ends) => threads::start_in_process(&self.shared, udf, ends),
        }
    }

    /// Asks for the edges and options of the UDF.
    ///
    /// # Errors
    /// The errors of the connection, and [`Error::BadInfo`].
    pub fn info(&self) -> Result<Info, Error> {
        let request = request::Message::Info(InfoRequest {});
        match self.request(RequestKind::Info, request)? {
            response::Message::Info(info) => Ok(Info::try_from(info)?),
            _ => unreachable!("answers are matched with their requests"),
        }
    }

    /// Starts the UDF with its options.
    ///
    /// # Errors
    /// The errors of the connection, and [`Error::InitRefused`].
    pub fn init(&self, init: Init) -> Result<(), Error> {
        self.shared.initialized();
        match self.request(RequestKind::Init, request::Message::Init(init.into()))? {
            response::Message::Init(answer) if answer.success => Ok(()),
            response::Message::Init(answer) => Err(Error::InitRefused(answer.error)),
            _ => unreachable!("answers are matched with their requests"),
        }
    }

    /// Asks for the state of the UDF.
    ///
    /// # Errors
    /// The errors of the connection.
    pub fn snapshot(&self) -> Result<Vec<u8>, Error> {
        let request = request::Message::Snapshot(SnapshotRequest {});
        match self.request(RequestKind::Snapshot, request)? {
            response::Message::Snapshot(answer) => Ok(answer.snapshot),
            _ => unreachable!("answers are matched with their requests"),
        }
    }

    /// Hands back an earlier snapshot.
    ///
    /// # Errors
    /// The errors of the connection, and [`Error::RestoreRefused`].
    pub fn restore(&self, snapshot: Vec<u8>) -> Result<(), Error> {
        let request = request::Message::Restore(RestoreRequest { snapshot });
        match self.request(RequestKind::Restore, request)? {
            response::Message::Restore(answer) if answer.success => Ok(()),
            response::Message::Restore(answer) => Err(Error::RestoreRefused(answer.error)),
            _ => unreachable!("answers are matched with their requests"),
        }
    }

    /// Sends a keepalive and waits until the UDF echoes it.
    ///
    /// A UDF answers in order, so it has then handled all data sent before the keepalive. All
    /// output that the UDF sent meanwhile can be read without waiting.
    ///
    /// # Errors
    /// The errors of the connection.
    pub fn keepalive(&self) -> Result<(), Error> {
        self.echo(self.shared.next_keepalive()).map(drop)
    }

    /// Requests the ticks of the UDF; see
    /// [`Interface::request_ticks`](crate::Interface::request_ticks).
    ///
    /// # Errors
    /// The errors of the connection.
    pub fn request_ticks(&self, strict: bool) -> Result<(), Error> {
        self.echo(TickRequest::OnRequest { strict }.to_keepalive()).map(drop)
    }

    /// Returns the interval of requested ticks; see
    /// [`Interface::tick_every`](crate::Interface::tick_every).
    ///
    /// # Errors
    /// The errors of the connection.
    pub fn tick_every(&self) -> Result<Option<Duration>, Error> {
        let asks = TickRequest::OnRequest { strict: false }.to_keepalive();
        self.echo(asks).map(ticks::interval_from_keepalive)
    }

    /// Ticks once, and waits until the UDF has handled the tick; see
    /// [`Interface::tick`](crate::Interface::tick).
    ///
    /// # Errors
    /// The errors of the connection.
    pub fn tick(&self, time: i64) -> Result<(), Error> {
        self.echo(TickRequest::Tick { time }.to_keepalive()).map(drop)
    }

    /// Sends a keepalive, and returns the time of its echo.
    fn echo(&self, time: i64) -> Result<i64, Error> {
        let request = request::Message::Keepalive(KeepaliveRequest { time });
        match self.request(RequestKind::Keepalive, request)? {
            response::Message::Keepalive(echo) => Ok(echo.time),
            _ => unreachable!("answers are matched with their requests"),
        }
    }

    fn request(
        &self,
        asked: RequestKind,
        message: request::Message,
    ) -> Result<response::Message, Error> {
        let answer = self.shared.ask(asked, message)?;
        let within = self.shared.settings.answer_within;
        let answer = if within.is_zero() {
            answer.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            answer.recv_timeout(within)
        };
        answer.unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(self.shared.abort(Error::NoAnswer { asked, within })),
            RecvTimeoutError::Disconnected => Err(Error::AlreadyStopped),
        })
    }

    /// Returns a sender of points to the UDF.
    pub fn point_in(&self) -> PointIn {
        PointIn { shared: self.shared.clone() }
    }

    /// Returns a sender of batches to the UDF.
    pub fn batch_in(&self) -> BatchIn {
        BatchIn { shared: self.shared.clone() }
    }

    /// Returns a receiver of the points that the UDF sends outside of batches.
    ///
    /// After the drop of every [`Receiver`], the session [drops](Self::dropped) points as soon as
    /// the queue is full.
    pub fn point_out(&self) -> Receiver<PointBuf> {
        let receiver = self.shared.points.take();
        self.shared.batches.wake_writers();
        receiver
    }

    /// Returns a receiver of the batches that the UDF sends.
    ///
    /// After the drop of every [`Receiver`], the session [drops](Self::dropped) batches as soon as
    /// the queue is full.
    pub fn batch_out(&self) -> Receiver<WholeBatch> {
        let receiver = self.shared.batches.take();
        self.shared.points.wake_writers();
        receiver
    }

    /// Hands the data of the UDF to `sink` instead of the queues, on the thread that reads.
    /// `provides` is the edge that the UDF provides. Data of the other kind is refused.
    ///
    /// # Errors
    /// [`Error::SinkTooLate`] after [`init`](Self::init), which may already have produced data.
    pub fn data_to(&self, provides: EdgeType, sink: Box<dyn Sink>) -> Result<(), Error> {
        self.shared.data_to(provides, sink)
    }

    /// Ends the input after all queued data is sent, lets the UDF finish, and waits until the UDF
    /// has closed its output.
    ///
    /// Call `stop` after the last write. If the UDF still sends more than the queues hold, another
    /// thread must read the data meanwhile. Further calls return the same result.
    ///
    /// # Errors
    /// The first error of the connection, even if another call has already returned it.
    pub fn stop(&self) -> Result<(), Error> {
        drop(self.shared.stop().then(|| self.take_parts()));
        self.shared.wait_until_stopped()
    }

    /// Aborts the connection: queued data is dropped, every pending request fails with `error`, and
    /// the abort callback is called once. `abort` does not wait; [`stop`](Self::stop) does.
    ///
    /// If the connection has already failed, its first error is kept.
    pub fn abort(&self, error: Error) {
        self.shared.abort(error);
        // Before a start, no thread owns the reader and the writer.
        drop(self.take_parts());
    }

    /// Waits without any limit until the session neither reads nor writes.
    ///
    /// Only [`stop`](Self::stop), an [`abort`](Self::abort) or the UDF end the wait.
    pub fn wait_io(&self) {
        self.shared.wait_io();
    }

    /// Returns how many unrequested answers came. They are logged and dropped.
    pub fn unasked(&self) -> u64 {
        self.shared.unasked()
    }

    /// Returns how many points and batches of the UDF were dropped because the queue was full after
    /// the drop of every [`Receiver`].
    pub fn dropped(&self) -> u64 {
        self.shared.points.dropped() + self.shared.batches.dropped()
    }
}

impl Drop for Session {
    /// Aborts a session that is still in use. The threads end on their own.
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// Sends points to a UDF; see [`Session::point_in`].
#[derive(Clone)]
pub struct PointIn {
    shared: Arc<Shared>,
}

impl PointIn {
    /// Sends a point. Blocks until there is room in the buffer.
    ///
    /// The UDF may not yet have read the point when `send` returns.
    ///
    /// # Errors
    /// When the connection is not started, stopped or aborted.
    pub fn send(&self, point: Point<'_>) -> Result<(), Error> {
        self.shared.outbox.points(|buffer| udf_proto::response::append_point(point, buffer))
    }

    /// Sends points that are already encoded: whole frames, as
    /// [`next_frame`](udf_text::line_protocol::LineReader::next_frame) or
    /// [`append_point`](udf_proto::response::append_point) appends them. Blocks until there is room
    /// in the buffer. Frames of about 64 KiB per call are a good size.
    ///
    /// The UDF may not yet have read the points when `send_encoded` returns.
    ///
    /// # Errors
    /// When the connection is not started, stopped or aborted.
    pub fn send_encoded(&self, frames: &[u8]) -> Result<(), Error> {
        self.shared.outbox.points(|buffer| buffer.extend_from_slice(frames))
    }

    /// Ticks behind all points that this sender has sent, if the ticks were
    /// [requested](crate::Interface::request_ticks). Points that the UDF builds without a time get
    /// `time`, in nanoseconds since the epoch. Does not wait.
    ///
    /// # Errors
    /// When the connection is not started, stopped or aborted.
    pub fn tick(&self, time: i64) -> Result<(), Error> {
        let time = TickRequest::Tick { time }.to_keepalive();
        self.shared.outbox.request(request::Message::Keepalive(KeepaliveRequest { time }))
    }

    /// Marks the place behind all points that this sender has sent: [`Sink::mark`] is called with
    /// `mark` between the output that follows from these points and later output. Does not wait.
    ///
    /// A mark is a keepalive with a negative time, which the UDF echoes in order.
    ///
    /// # Errors
    /// When the connection is not started, stopped or aborted.
    pub fn mark(&self, mark: u32) -> Result<(), Error> {
        let time = -1 - i64::from(mark);
        self.shared.outbox.request(request::Message::Keepalive(KeepaliveRequest { time }))
    }
}

impl fmt::Debug for PointIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointIn").finish_non_exhaustive()
    }
}

/// Sends batches to a UDF; see [`Session::batch_in`].
#[derive(Clone)]
pub struct BatchIn {
    shared: Arc<Shared>,
}

impl BatchIn {
    /// Sends a batch: its begin, its points and its end. Other data waits until the whole batch is
    /// sent.
    ///
    /// The UDF may not yet have read the whole batch when `send` returns.
    ///
    /// # Errors
    /// When the connection is not started, stopped or aborted.
    pub fn send(&self, batch: &WholeBatch) -> Result<(), Error> {
        self.shared.outbox.batch(batch)
    }
}

impl fmt::Debug for BatchIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchIn").finish_non_exhaustive()
    }
}
