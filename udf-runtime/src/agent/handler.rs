//! The low-level interface between an agent and a UDF, for UDFs without `#[udf]`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::{BeginBatch, EndBatch, Init, Point, ValueType};

use crate::agent::crew::Crew;
use crate::agent::edge::Edge;
use crate::agent::emitter::{Emitter, Remote};
use crate::agent::error::Result;

/// Handles the requests of one connection. Methods are never called concurrently.
///
/// The edges are types, so a handler that provides batches gets an emitter that can only send whole
/// batches. The agent checks the order of requests first: no request but Info precedes Init, and
/// points of batches arrive only within batches.
///
/// An `Err` of [`init`](Self::init) refuses the Init. An `Err` of any other method ends the
/// connection: the agent sends all previous output, and then the text of the error as an
/// ErrorResponse, which stops the task.
pub trait Handler: Send + 'static {
    /// The edge that the UDF reads from.
    type Wants: Edge;
    /// The edge that the UDF writes to.
    type Provides: Edge;

    /// Returns the options and the argument types of each, for the Info response.
    fn info(&self) -> BTreeMap<String, Vec<ValueType>>;

    /// Starts the UDF with these options. `remote` sends from other threads and at later times.
    ///
    /// # Errors
    /// An error refuses the Init with its text, as [`Verdict::Refused`] does.
    fn init(&mut self, init: Init, remote: &Remote<Self::Provides>) -> Result<Verdict>;

    /// Returns the state in any format. Empty if there is no state.
    ///
    /// # Errors
    /// See [`Handler`].
    fn snapshot(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Restores the state of an earlier snapshot. A refusal must leave the present state unchanged.
    ///
    /// # Errors
    /// See [`Handler`].
    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        let _ = snapshot;
        Ok(Verdict::Accepted)
    }

    /// Handles the begin of a batch. The size in `begin` is a hint; do not trust it.
    ///
    /// # Errors
    /// See [`Handler`].
    fn begin_batch(&mut self, begin: &BeginBatch, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = (begin, out);
        Ok(())
    }

    /// Handles a point of the stream, or of the current batch.
    ///
    /// # Errors
    /// See [`Handler`].
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Self::Provides>) -> Result<()>;

    /// Handles the end of a batch.
    ///
    /// # Errors
    /// See [`Handler`].
    fn end_batch(&mut self, end: &EndBatch, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = (end, out);
        Ok(())
    }

    /// Returns the interval of [`tick`](Self::tick) after Init was accepted. `None` for no ticks.
    fn tick_every(&self) -> Option<Duration> {
        None
    }

    /// Called at intervals of wall-clock time, with or without data.
    ///
    /// # Errors
    /// See [`Handler`].
    fn tick(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Called when the input has ended and everything in it was handled. Kapacitor still reads:
    /// this is the last chance to emit.
    ///
    /// # Errors
    /// See [`Handler`].
    fn finish(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Returns the workers and threads of the task after an Init, if there are any.
    #[doc(hidden)]
    fn crew(&self) -> Option<Arc<Crew>> {
        None
    }

    /// Called once when the connection is closed, whatever the reason.
    fn stop(&mut self) {}
}

/// The answer to an Init or Restore request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request succeeded.
    Accepted,
    /// The request failed and nothing has changed. Kapacitor stops the task and shows this text.
    Refused(String),
}
