//! The interface to a log, such as NATS JetStream.
//!
//! A [`Log`] has an input, one output per partition, and keys with revisions. The drivers of this
//! crate stand on these traits only, so that a simulation can run them over a log that injects
//! faults.
//!
//! Futures of these traits may be dropped at any time. An append or a put whose future was dropped
//! may still take effect later, as after a crash.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::mark::Mark;

/// A message of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sequence of the message in its stream. Sequences grow, and may have gaps.
    pub seq: u64,
    /// The time at which the server stored the message, in nanoseconds since the epoch.
    pub time: i64,
    /// The time of a tick record, in nanoseconds since the epoch. `None` for lines.
    pub tick: Option<i64>,
    /// The lines. Empty for a tick record.
    pub payload: Bytes,
}

/// Messages of the input, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The messages. None if no message came for a while.
    pub messages: Vec<Message>,
    /// All messages up to this sequence have been read, or are in `messages`. At least the sequence
    /// of the last message. More if the input has no further message up to it: a quiet partition
    /// moves on with its stream.
    pub upto: u64,
    /// Whether more messages wait on the server, as far as the log knows.
    pub behind: bool,
}

/// The sequences that a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The sequence of the first message, or of the next one if the stream is empty.
    pub first: u64,
    /// The sequence of the last message that was ever appended. 0 if there was none.
    pub last: u64,
}

/// The last message of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// The sequence of the message in its stream.
    pub seq: u64,
    /// The mark in its headers. `None` if another program has written the message.
    pub mark: Option<Mark>,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The revision of the value. Revisions grow.
    pub revision: u64,
    /// The value.
    pub value: Bytes,
}

/// Input that was left out, for the dead-letter subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The partition, if the input has partitions.
    pub partition: Option<u32>,
    /// The sequence of the message.
    pub seq: u64,
    /// The number of the line in the message, counted from 0.
    pub line: u32,
    /// The reason.
    pub why: String,
    /// The line.
    pub payload: Bytes,
}

/// Why a call to a log failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The server cannot be reached, or did not answer in time. The driver tries again.
    #[error("{0}")]
    Unavailable(String),
    /// Trying again does not help: no permission, or no such stream.
    #[error("{0}")]
    Fatal(String),
}

/// Why an append failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The last sequence of the output is not the expected one. Nothing was stored.
    #[error("another worker has written to the output")]
    Fenced,
    /// The server refused the message for now. Nothing was stored.
    #[error("{0}")]
    TryAgain(String),
    /// The message may have been stored, or may be stored later.
    #[error("{0}")]
    InDoubt(String),
    /// The message is longer than the server accepts. Nothing was stored.
    #[error("the message exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The limit, for the headers and the payload.
        limit: usize,
    },
    /// Trying again does not help. Nothing was stored.
    #[error("{0}")]
    Fatal(String),
}

/// Why a compare-and-set of a key failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The revision of the key is not the expected one. Nothing was stored.
    #[error("another worker has written the key")]
    Conflict,
    /// The value may have been stored, or may be stored later.
    #[error("{0}")]
    InDoubt(String),
    /// Trying again does not help. Nothing was stored.
    #[error("{0}")]
    Fatal(String),
}

/// Reads the input of a log.
pub trait Input {
    /// Waits for messages, and returns as many as have arrived, within a limit of bytes. Returns a
    /// batch without messages after some seconds without input.
    ///
    /// Dropping the future loses no message. After an error, the owner opens a new input.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] also if messages were left out, such as after a gap in the
    /// sequence of deliveries.
    fn pull(&mut self) -> impl Future<Output = Result<Batch, LogError>>;
}

/// A log: one input, an output for each partition, and keys.
///
/// A driver of one partition uses the output of its number. A splitter uses the outputs of all
/// partitions.
pub trait Log {
    /// The reader of the input.
    type Input: Input;

    /// Opens the input behind the sequence `after`. Returns it with the bounds of the stream, which
    /// are read once the input is open.
    fn read(&self, after: u64) -> impl Future<Output = Result<(Self::Input, Bounds), LogError>>;

    /// Returns the bounds of the stream of the input.
    fn bounds(&self) -> impl Future<Output = Result<Bounds, LogError>>;

    /// Returns the last message of an output, or none if it is empty. It asks the leader of the
    /// stream, so an acknowledged append is always seen.
    fn last(&self, partition: u32) -> impl Future<Output = Result<Option<Last>, LogError>>;

    /// Appends a message to an output, if `expected` is the sequence of the last message of this
    /// output, or 0 without one. Returns the sequence of the new message once it is stored.
    fn append(
        &self,
        partition: u32,
        mark: Mark,
        payload: Bytes,
        expected: u64,
    ) -> impl Future<Output = Result<u64, AppendError>>;

    /// Returns the limit of a payload in bytes, without the headers of a [`Mark`].
    fn max_payload(&self) -> usize;

    /// Appends a tick record to the input.
    fn append_tick(&self, time: i64) -> impl Future<Output = Result<(), LogError>>;

    /// Appends to the dead-letter subject. A letter may be stored twice.
    fn dead_letter(&self, letter: DeadLetter) -> impl Future<Output = Result<(), LogError>>;

    /// Returns the value of a key, or none without one. It asks the leader.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>, LogError>>;

    /// Sets a key, if `expected` is its present revision, or 0 for a key without a value. Returns
    /// the new revision.
    fn put(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
    ) -> impl Future<Output = Result<u64, PutError>>;

    /// Deletes a key, whatever its revision.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), LogError>>;

    /// Returns the keys that begin with `prefix`, which ends with a dot.
    fn keys(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>, LogError>>;
}

/// The time of a driver.
pub trait Clock {
    /// Returns the wall-clock time, in nanoseconds since the epoch.
    fn now(&self) -> i64;

    /// Returns the time since an arbitrary start, which never goes back.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}
