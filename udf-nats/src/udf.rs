//! The interface to a UDF, for the driver of a partition.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::lines::Lines;
use crate::log::Message;

/// A run of whole input messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The messages, in order. A tick record makes the UDF tick.
    pub messages: Vec<Message>,
    /// All input up to this sequence has been handed over with this chunk.
    pub upto: u64,
    /// The lines that are left out: the sequence of the message, and the number of the line in the
    /// message, counted from 0. Sorted.
    pub leave_out: Vec<(u64, u32)>,
    /// Whether the UDF gets each line only when it has handled the one before, so that the line
    /// that kills it is known.
    pub one_by_one: bool,
    /// Whether a snapshot is taken behind the chunk.
    pub snapshot: bool,
}

/// The output of a chunk.
#[derive(Debug, Default)]
pub struct Output {
    /// The lines that the UDF has sent.
    pub lines: Lines,
    /// The number of lines that the UDF has got.
    pub lines_in: u64,
    /// Input and output that was left out.
    pub left_out: LeftOut,
    /// The snapshot, if the chunk asked for one.
    pub snapshot: Option<Bytes>,
}

/// Input and output of a chunk that was left out.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// The number of lines that are not valid.
    pub invalid: u64,
    /// The first of them.
    pub first_invalid: Option<Invalid>,
    /// The number of fields that a UDF cannot get: unsigned integers above the maximum of signed
    /// ones.
    pub fields: u64,
    /// The number of points of the UDF, or fields of them, that line protocol cannot represent.
    pub unwritable: u64,
    /// The reason for the first of them.
    pub unwritable_why: Option<String>,
}

/// A line that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The sequence of the message.
    pub seq: u64,
    /// The number of the line in the message, counted from 0.
    pub line: u32,
    /// The reason.
    pub why: String,
}

/// Why a UDF cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UdfError {
    /// The UDF has ended: it crashed, reported an error, or does not answer. It is started again.
    #[error("{why}")]
    Ended {
        /// The reason.
        why: String,
        /// The line that the UDF was handling, if it got lines [one by one](Chunk::one_by_one).
        line: Option<Suspect>,
    },
    /// The UDF refused its options or its state. Starting it again does not help.
    #[error("{0}")]
    Refused(String),
}

/// A line that a UDF was handling when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The number of the line in its message, counted from 0. Also 0 for a tick.
    pub line: u32,
    /// The line.
    pub payload: Bytes,
}

/// A UDF of one partition, which can be started again.
///
/// Its output must follow from its state and its input alone.
pub trait Udf {
    /// Starts the UDF with a state, or with none. Ends a run before, whose output is dropped.
    /// Returns the interval of the ticks that the UDF asks for.
    ///
    /// # Errors
    /// If the UDF ends, or refuses its options or the state.
    fn start(
        &mut self,
        state: Option<Bytes>,
    ) -> impl Future<Output = Result<Option<Duration>, UdfError>>;

    /// Queues a chunk. Does not wait. The owner queues a few chunks at most.
    fn feed(&mut self, chunk: Chunk);

    /// Waits for the output of the oldest queued chunk. Never returns without one.
    ///
    /// Dropping the future loses no output.
    ///
    /// # Errors
    /// If the UDF has ended.
    fn output(&mut self) -> impl Future<Output = Result<Output, UdfError>>;
}
