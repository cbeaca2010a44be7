//! The owner's code that takes the data of a UDF without a queue.

use std::io;

use udf_proto::Point;
use udf_text::batch::WholeBatch;

/// Takes the data of a UDF without a copy or a queue, on the thread that reads from the UDF. For a
/// [`Loopback`](crate::Loopback), that is the thread of the UDF.
///
/// While a method blocks, the session does not read from the UDF, and the timeouts wait. An abort
/// cannot end the call, so a method must not wait for the connection itself.
///
/// An error aborts the connection with [`Error::Sink`](crate::Error::Sink). No method is called
/// after an error. The session drops the sink when it stops reading.
pub trait Sink: Send {
    /// Takes a point that is not part of a batch.
    ///
    /// # Errors
    /// When the connection must be aborted.
    fn point(&mut self, point: Point<'_>) -> io::Result<()>;

    /// Takes a point that is not part of a batch as it came: the bytes of a Point message that
    /// nothing has checked. Returns false to leave the point to [`point`](Self::point), after the
    /// usual checks. Returns false by default.
    ///
    /// # Errors
    /// When the connection must be aborted.
    fn encoded_point(&mut self, _bytes: &[u8]) -> io::Result<bool> {
        Ok(false)
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// When the connection must be aborted.
    fn batch(&mut self, batch: &WholeBatch) -> io::Result<()>;

    /// The UDF has handled all points before a [`PointIn::mark`](crate::PointIn::mark), and all
    /// output that follows from them has come. Does nothing by default.
    ///
    /// # Errors
    /// When the connection must be aborted.
    fn mark(&mut self, _mark: u32) -> io::Result<()> {
        Ok(())
    }

    /// Called before the session waits for more data, and after the last data, also when the
    /// connection was aborted. Buffered output should be flushed here.
    ///
    /// # Errors
    /// When the connection must be aborted.
    fn pause(&mut self) -> io::Result<()>;
}
