//! The operations on one connection with a UDF.

use std::time::Duration;

use udf_proto::{EdgeType, PointBuf};
pub use udf_proto::{Info, Init};
use udf_text::batch::WholeBatch;

use crate::error::Error;
use crate::session::{BatchIn, PointIn, Receiver, Sink};

/// One connection with a UDF of any kind: one use of the UDF, in one task.
///
/// Call the methods in Kapacitor's order. Either `open`, `info`, `close`; or `open`, `init`,
/// perhaps `restore`, then data and snapshots, then `close`. Every method may be called from
/// several threads at once.
pub trait Interface: Send + Sync {
    /// Starts the UDF, or connects to it.
    ///
    /// # Errors
    /// When the UDF cannot be started or connected to, or when the connection was opened before.
    fn open(&self) -> Result<(), Error>;

    /// Asks for the edges and options of the UDF.
    ///
    /// # Errors
    /// The errors of the connection, and [`Error::BadInfo`].
    fn info(&self) -> Result<Info, Error>;

    /// Starts the UDF with its options, for one node of one task.
    ///
    /// # Errors
    /// The errors of the connection, and [`Error::InitRefused`].
    fn init(&self, init: Init) -> Result<(), Error>;

    /// Sends a keepalive and waits until the UDF echoes it.
    ///
    /// A UDF answers in order, so it has then handled all data sent before the keepalive. All
    /// output that the UDF sent meanwhile can be read without waiting.
    ///
    /// # Errors
    /// The errors of the connection.
    fn keepalive(&self) -> Result<(), Error>;

    /// Aborts the connection: queued data is dropped, and every pending request fails with `error`.
    /// `abort` does not wait; [`close`](Self::close) does.
    fn abort(&self, error: Error);

    /// Ends the input and waits until the UDF has finished.
    ///
    /// If the UDF still sends data, another thread must read the data meanwhile.
    ///
    /// # Errors
    /// The first error of the connection, even if another call has already returned it.
    fn close(&self) -> Result<(), Error>;

    /// Asks for the state of the UDF.
    ///
    /// # Errors
    /// The errors of the connection.
    fn snapshot(&self) -> Result<Vec<u8>, Error>;

    /// Hands back an earlier snapshot.
    ///
    /// # Errors
    /// The errors of the connection, and [`Error::RestoreRefused`].
    fn restore(&self, snapshot: Vec<u8>) -> Result<(), Error>;

    /// Returns a sender of points, for a UDF that wants a stream.
    ///
    /// # Errors
    /// When the connection is not open.
    fn point_in(&self) -> Result<PointIn, Error>;

    /// Returns a sender of batches, for a UDF that wants batches.
    ///
    /// # Errors
    /// When the connection is not open.
    fn batch_in(&self) -> Result<BatchIn, Error>;

    /// Returns a receiver of points, for a UDF that provides a stream.
    ///
    /// After the drop of every [`Receiver`], points are dropped as soon as the queue is full.
    ///
    /// # Errors
    /// When the connection is not open.
    fn point_out(&self) -> Result<Receiver<PointBuf>, Error>;

    /// Returns a receiver of batches, for a UDF that provides batches.
    ///
    /// After the drop of every [`Receiver`], batches are dropped as soon as the queue is full.
    ///
    /// # Errors
    /// When the connection is not open.
    fn batch_out(&self) -> Result<Receiver<WholeBatch>, Error>;

    /// Hands the data of the UDF to `sink` on the thread that reads, instead of
    /// [`point_out`](Self::point_out) and [`batch_out`](Self::batch_out). `provides` is the edge
    /// that the UDF provides. Data of the other kind is refused. Call it before [`init`](Self::init).
    ///
    /// # Errors
    /// When the connection is not open, and [`Error::SinkTooLate`].
    fn data_to(&self, provides: EdgeType, sink: Box<dyn Sink>) -> Result<(), Error>;

    /// Requests the ticks of the UDF: it no longer ticks by the clock, but at each
    /// [`tick`](Self::tick). Call it before [`init`](Self::init). A UDF of another kit goes on
    /// ticking as it does; see [`ticks`](udf_proto::ticks).
    ///
    /// If `strict`, output of other threads than that of the handler ends the connection with an
    /// error: the output then follows from the requests alone.
    ///
    /// # Errors
    /// The errors of the connection.
    fn request_ticks(&self, strict: bool) -> Result<(), Error>;

    /// Returns the interval of the ticks that were [requested](Self::request_ticks), after
    /// [`init`](Self::init). `None` for a UDF without ticks, and for a UDF of another kit.
    ///
    /// # Errors
    /// The errors of the connection.
    fn tick_every(&self) -> Result<Option<Duration>, Error>;

    /// Ticks once, and waits until the UDF has handled the tick and all data sent before. Points that
    /// the UDF builds without a time get `time`, in nanoseconds since the epoch.
    ///
    /// # Errors
    /// The errors of the connection.
    fn tick(&self, time: i64) -> Result<(), Error>;
}
