//! The core of every connection: Kapacitor's side of the protocol over any reader and writer.
//!
//! Three threads do the work of a [`Server`]: one reads, one writes, one keeps the time. None of them
//! polls.

mod outbox;
mod queue;
mod reader;
mod shared;
mod threads;
mod watch;

use std::fmt;
use std::io::{Read, Write};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};

use udf_proto::messages::{
    InfoRequest, KeepaliveRequest, RestoreRequest, SnapshotRequest, request, response,
};
use udf_proto::{Info, Init, Point, PointBuf};
use udf_text::batch::Batch;

use crate::error::{Error, RequestKind};
use crate::settings::{Callbacks, Settings};

pub use queue::{ReceiveError, Receiver};
pub(crate) use shared::EXPLAINED_WITHIN;
use shared::Shared;

/// Kapacitor's side of one connection with a UDF, over any reader and writer.
///
/// The writer is dropped when the input of the UDF is to end, and the reader when nothing more is read
/// from it: dropping must tell the other side, as it does for pipes, and for the
/// [halves](crate::socket::split) of a socket.
///
/// ```
/// use std::io::{Read, Write};
/// use udf_host::{Callbacks, Server, Settings};
///
/// // A UDF that answers the first request, whatever it is, with "I want and provide a stream".
/// let (mut udf_in, host_out) = std::io::pipe()?;
/// let (host_in, mut udf_out) = std::io::pipe()?;
/// std::thread::spawn(move || {
///     udf_in.read_exact(&mut [0; 3])?;
///     udf_out.write_all(&[2, 0x0a, 0])
/// });
///
/// let server = Server::new(host_in, host_out, Settings::default(), Callbacks::new());
/// server.start()?;
/// assert!(server.info()?.options.is_empty());
/// # server.stop().ok();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is sent before `start` is called"]
pub struct Server {
    shared: Arc<Shared>,
    /// What the threads take over when they start.
    parts: Mutex<Option<Parts>>,
}

struct Parts {
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
}

impl Server {
    /// A server that does nothing yet.
    pub fn new(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        settings: Settings,
        callbacks: Callbacks,
    ) -> Self {
        let parts = Parts { reader: Box::new(reader), writer: Box::new(writer) };
        Server {
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
    /// When it was started or stopped before, and when there are no threads.
    pub fn start(&self) -> Result<(), Error> {
        self.shared.begin()?;
        let parts = self.take_parts().ok_or(Error::AlreadyStarted)?;
        threads::start(&self.shared, parts.reader, parts.writer)
    }

    /// Asks what the UDF is.
    ///
    /// # Errors
    /// Those of the connection, and [`Error::BadInfo`].
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
    /// Those of the connection, and [`Error::InitRefused`].
    pub fn init(&self, init: Init) -> Result<(), Error> {
        self.shared.initialized();
        match self.request(RequestKind::Init, request::Message::Init(init.into()))? {
            response::Message::Init(answer) if answer.success => Ok(()),
            response::Message::Init(answer) => Err(Error::InitRefused(answer.error)),
            _ => unreachable!("answers are matched with their requests"),
        }
    }

    /// Asks for the state.
    ///
    /// # Errors
    /// Those of the connection.
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
    /// Those of the connection, and [`Error::RestoreRefused`].
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
    /// A UDF answers in order: it has handled all data that was sent before. All output that it sent
    /// meanwhile can be read without waiting.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn keepalive(&self) -> Result<(), Error> {
        let time = self.shared.next_keepalive();
        let request = request::Message::Keepalive(KeepaliveRequest { time });
        self.request(RequestKind::Keepalive, request).map(drop)
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

    /// Where points are written.
    pub fn point_in(&self) -> PointIn {
        PointIn { shared: self.shared.clone() }
    }

    /// Where batches are written.
    pub fn batch_in(&self) -> BatchIn {
        BatchIn { shared: self.shared.clone() }
    }

    /// Returns where the points are read that the UDF sends outside of batches.
    ///
    /// Once every [`Receiver`] is dropped, points are [dropped](Self::dropped) as soon as the queue is full.
    pub fn point_out(&self) -> Receiver<PointBuf> {
        let receiver = self.shared.points.take();
        self.shared.batches.knock();
        receiver
    }

    /// Returns where the batches are read that the UDF sends.
    ///
    /// Once every [`Receiver`] is dropped, batches are [dropped](Self::dropped) as soon as the queue is full.
    pub fn batch_out(&self) -> Receiver<Batch> {
        let receiver = self.shared.batches.take();
        self.shared.points.knock();
        receiver
    }

    /// Ends the input when all that was written to it is sent, lets the UDF finish, and waits until it
    /// has closed its side.
    ///
    /// It is called when the owner has stopped writing. What the UDF still sends must be read
    /// meanwhile, if it is more than the queues hold. Called again, it returns the same.
    ///
    /// # Errors
    /// The first error of the connection, also when it was returned before.
    pub fn stop(&self) -> Result<(), Error> {
        drop(self.shared.stop().then(|| self.take_parts()));
        self.shared.wait_until_stopped()
    }

    /// Gives the connection up: what is on its way is not processed, every pending request fails with
    /// `error`, and the abort callback is called, once. It does not wait; [`stop`](Self::stop) does.
    ///
    /// An error that occurred before is kept in the place of `error`.
    pub fn abort(&self, error: Error) {
        self.shared.abort(error);
        // Without a start, nobody else drops them.
        drop(self.take_parts());
    }

    /// Waits until nothing is read and written any more, however long that takes.
    ///
    /// Only [`stop`](Self::stop), an [`abort`](Self::abort) or the UDF bring it about.
    pub fn wait_io(&self) {
        self.shared.wait_io();
    }

    /// How many answers came that nobody had asked for. They are logged and dropped.
    pub fn unasked(&self) -> u64 {
        self.shared.unasked()
    }

    /// Returns how many points and batches of the UDF were dropped because every [`Receiver`] of them was, and the
    /// queue was full.
    pub fn dropped(&self) -> u64 {
        self.shared.points.dropped() + self.shared.batches.dropped()
    }
}

impl Drop for Server {
    /// A server that is still in use is aborted; its threads end on their own.
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// Where points are written to a UDF; see [`Server::point_in`].
#[derive(Clone)]
pub struct PointIn {
    shared: Arc<Shared>,
}

impl PointIn {
    /// Sends a point, when there is room for it.
    ///
    /// It returns before the UDF has read it.
    ///
    /// # Errors
    /// When the connection is not started, was stopped or aborted.
    pub fn send(&self, point: Point<'_>) -> Result<(), Error> {
        self.shared.outbox.point(point)
    }
}

impl fmt::Debug for PointIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointIn").finish_non_exhaustive()
    }
}

/// Where batches are written to a UDF; see [`Server::batch_in`].
#[derive(Clone)]
pub struct BatchIn {
    shared: Arc<Shared>,
}

impl BatchIn {
    /// Sends a batch: its begin, its points and its end. Other data waits until all of it is sent.
    ///
    /// It returns before the UDF has read all of it.
    ///
    /// # Errors
    /// When the connection is not started, was stopped or aborted.
    pub fn send(&self, batch: &Batch) -> Result<(), Error> {
        self.shared.outbox.batch(batch)
    }
}

impl fmt::Debug for BatchIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchIn").finish_non_exhaustive()
    }
}
