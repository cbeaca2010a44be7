//! Why the driver of a partition gave up.

use crate::log::LogError;

/// Why the driver of a partition gave up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// A call to the log failed for good.
    #[error("cannot {what}: {error}")]
    Log {
        /// The call, such as `read the input`.
        what: &'static str,
        /// The error.
        error: LogError,
    },
    /// Retention has removed input that was not read yet.
    #[error(
        "up to {} messages are lost: the input was read up to sequence {after}, and the stream \
         begins at {first}; raise the limits of the stream, and use --skip-lost to go on without \
         these messages",
        first - after - 1
    )]
    Lost {
        /// The last sequence that was read.
        after: u64,
        /// The first sequence that is left.
        first: u64,
    },
    /// The position lies behind the end of the input. New input would get sequences that were handled
    /// before.
    #[error(
        "the input was read up to sequence {after}, but the stream ends at {last}: it was created \
         again, or its server has lost the end of it; use another name, or delete the stored state \
         and the output"
    )]
    Ahead {
        /// The position.
        after: u64,
        /// The last sequence of the stream.
        last: u64,
    },
    /// A message without a mark is the last one of the output.
    #[error(
        "the last message of the output of partition {partition}, at sequence {seq}, has no header \
         Udf-Upto: another program writes to this output; stop it, and delete its messages"
    )]
    Foreign {
        /// The partition.
        partition: u32,
        /// The sequence of the message.
        seq: u64,
    },
    /// The stored state belongs to another UDF or to another grouping.
    #[error(
        "the stored state belongs to {stored}, and this worker runs {ours}; use another name for \
         another use of the stream"
    )]
    OtherState {
        /// The UDF and the grouping of the state.
        stored: String,
        /// The UDF and the grouping of the worker.
        ours: String,
    },
    /// The stored state cannot be read.
    #[error("the stored state is damaged: {0}; delete the key `{1}` to begin without a state")]
    Damaged(String, String),
    /// The UDF refused its options or its state.
    #[error("{0}")]
    Refused(String),
    /// The UDF ends again and again.
    #[error("the UDF has ended {times} times without progress; the last reason: {why}")]
    KeepsEnding {
        /// The number of ends.
        times: u32,
        /// The last reason.
        why: String,
    },
    /// A line ends the UDF each time, and such lines must not be left out.
    #[error(
        "line {} of message {seq} ends the UDF each time: {why}; fix the UDF, or leave such lines \
         out with --poison dead-letter",
        line + 1
    )]
    Poison {
        /// The sequence of the message.
        seq: u64,
        /// The number of the line in the message, counted from 0.
        line: u32,
        /// The last reason.
        why: String,
    },
    /// Lines were left out one after another, and the UDF has handled none in between.
    #[error(
        "each of the last {lines} lines has ended the UDF, the last one with: {why}; they are on \
         the dead-letter subject; fix the UDF, or what it needs on this machine"
    )]
    EachLine {
        /// The number of lines.
        lines: u32,
        /// The last reason.
        why: String,
    },
    /// Too many lines were left out since the last snapshot.
    #[error("{limit} lines have ended the UDF since the last snapshot: it needs a fix")]
    TooMuchPoison {
        /// The limit.
        limit: usize,
    },
}

/// Why one run of a driver has ended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Another worker has written.
    Fenced(super::event::Refused),
    /// The limit of a message is lower than it was.
    Smaller(usize),
    /// The UDF has ended.
    Udf(super::search::Death),
    /// The driver gives up.
    GiveUp(PartitionError),
}

impl From<PartitionError> for Stop {
    fn from(error: PartitionError) -> Self {
        Stop::GiveUp(error)
    }
}
