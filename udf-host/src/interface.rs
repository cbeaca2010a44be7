//! One connection with a UDF, as its owner sees it.

use udf_proto::PointBuf;
pub use udf_proto::{Info, Init};
use udf_text::batch::Batch;

use crate::error::Error;
use crate::server::{BatchIn, PointIn, Receiver};

/// One connection with a UDF, however it is reached: one use of it, in one task.
///
/// The order is that of Kapacitor: open, then either info and close; or init, perhaps restore, then
/// data and snapshots, then close. Every method may be called from several threads at once.
pub trait Interface: Send + Sync {
    /// Starts or reaches the UDF.
    ///
    /// # Errors
    /// When it cannot be started or reached, and when it was opened before.
    fn open(&self) -> Result<(), Error>;

    /// Asks what the UDF is.
    ///
    /// # Errors
    /// Those of the connection, and [`Error::BadInfo`].
    fn info(&self) -> Result<Info, Error>;

    /// Starts the UDF with its options, for one node of one task.
    ///
    /// # Errors
    /// Those of the connection, and [`Error::InitRefused`].
    fn init(&self, init: Init) -> Result<(), Error>;

    /// Sends a keepalive and waits until the UDF echoes it.
    ///
    /// A UDF answers in order: it has handled all data that was sent before. All output that it sent
    /// meanwhile can be read without waiting.
    ///
    /// # Errors
    /// Those of the connection.
    fn keepalive(&self) -> Result<(), Error>;

    /// Gives the connection up: what is on its way is not processed, and every pending request fails
    /// with `error`. It does not wait; [`close`](Self::close) does.
    fn abort(&self, error: Error);

    /// Ends the input, lets the UDF finish, and waits until it has.
    ///
    /// What the UDF still sends must be read meanwhile.
    ///
    /// # Errors
    /// The first error of the connection, also when it was returned before.
    fn close(&self) -> Result<(), Error>;

    /// Asks for the state.
    ///
    /// # Errors
    /// Those of the connection.
    fn snapshot(&self) -> Result<Vec<u8>, Error>;

    /// Hands back an earlier snapshot.
    ///
    /// # Errors
    /// Those of the connection, and [`Error::RestoreRefused`].
    fn restore(&self, snapshot: Vec<u8>) -> Result<(), Error>;

    /// Where points are written to a UDF that wants a stream.
    ///
    /// # Errors
    /// When the connection was not opened.
    fn point_in(&self) -> Result<PointIn, Error>;

    /// Where batches are written to a UDF that wants batches.
    ///
    /// # Errors
    /// When the connection was not opened.
    fn batch_in(&self) -> Result<BatchIn, Error>;

    /// Where the points of a UDF that provides a stream are read.
    ///
    /// Once every [`Receiver`] is dropped, points are dropped as soon as the queue is full.
    ///
    /// # Errors
    /// When the connection was not opened.
    fn point_out(&self) -> Result<Receiver<PointBuf>, Error>;

    /// Where the batches of a UDF that provides batches are read.
    ///
    /// Once every [`Receiver`] is dropped, batches are dropped as soon as the queue is full.
    ///
    /// # Errors
    /// When the connection was not opened.
    fn batch_out(&self) -> Result<Receiver<Batch>, Error>;
}
