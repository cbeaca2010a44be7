//! The low level: what an agent calls for each request, for those who do without `#[udf]`.

use std::collections::BTreeMap;
use std::time::Duration;

use udf_proto::{BeginBatch, EndBatch, Init, Point, ValueType};

use crate::agent::edge::Edge;
use crate::agent::emitter::{Emitter, Remote};
use crate::agent::error::Result;

/// What is done with each request of one connection. All calls come from one thread at a time.
///
/// The edges are types, so that a handler which provides batches is handed an emitter that can only
/// send whole ones. The agent has checked the order of the requests before a handler sees them: nothing
/// comes before Init, points of batches come within batches only.
///
/// An `Err` of [`init`](Self::init) refuses the Init. An `Err` of any other method ends the connection: the agent
/// sends everything that was emitted so far, and then the error's text as an ErrorResponse, which stops
/// the task.
pub trait Handler: Send + 'static {
    /// The edge that it reads from.
    type Wants: Edge;
    /// The edge that it writes to.
    type Provides: Edge;

    /// Its options, and the types of the arguments of each, for the Info response.
    fn info(&self) -> BTreeMap<String, Vec<ValueType>>;

    /// Starts with these options. `remote` sends from other threads and later.
    ///
    /// # Errors
    /// An error refuses the Init with its text, as [`Verdict::Refused`] does.
    fn init(&mut self, init: Init, remote: &Remote<Self::Provides>) -> Result<Verdict>;

    /// The state, in any format; empty when there is none.
    ///
    /// # Errors
    /// See [`Handler`].
    fn snapshot(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes over the state of an earlier snapshot; a refusal must leave the present one as it was.
    ///
    /// # Errors
    /// See [`Handler`].
    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        let _ = snapshot;
        Ok(Verdict::Accepted)
    }

    /// A batch begins. Its size is a hint that must not be trusted.
    ///
    /// # Errors
    /// See [`Handler`].
    fn begin_batch(&mut self, begin: &BeginBatch, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = (begin, out);
        Ok(())
    }

    /// A point, of a stream or of the batch that was begun last.
    ///
    /// # Errors
    /// See [`Handler`].
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Self::Provides>) -> Result<()>;

    /// The batch ends.
    ///
    /// # Errors
    /// See [`Handler`].
    fn end_batch(&mut self, end: &EndBatch, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = (end, out);
        Ok(())
    }

    /// How often [`tick`](Self::tick) is called once Init was accepted; none for never.
    fn tick_every(&self) -> Option<Duration> {
        None
    }

    /// Called at intervals of wall-clock time, also when no data comes.
    ///
    /// # Errors
    /// See [`Handler`].
    fn tick(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// The input has ended, and everything in it was handled; Kapacitor still reads. The last chance to
    /// emit.
    ///
    /// # Errors
    /// See [`Handler`].
    fn finish(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// The connection is closed. Called once, whatever it was that ended it.
    fn stop(&mut self) {}
}

/// The answer to an Init or Restore request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Accepted,
    /// It is not, and nothing has changed. Kapacitor stops the task and shows this text.
    Refused(String),
}
