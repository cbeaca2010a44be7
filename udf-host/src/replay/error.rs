//! What can go wrong with a replay.

use std::fmt;
use std::io::{self, ErrorKind};

use udf_text::line_protocol::{LineError, Unwritable};
use udf_text::options::OptionsError;

use crate::error::Error;

/// Why a replay failed. Whatever the UDF had sent by then is written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The options do not fit the UDF; nothing was played.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// `every` was given for a UDF that wants a stream; nothing was played.
    #[error("the UDF wants a stream, which is not cut into batches; leave `every` out")]
    EveryOfStream,
    /// `every` is no length of time.
    #[error("batches can only be cut every 1ns or more")]
    BadEvery,
    /// The input cannot be read, whatever is in it; nothing was played.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The input is a recording of batches, and the UDF wants a stream; nothing was played.
    #[error(
        "the input is a recording of batches, and the UDF wants a stream; record a stream, with \
         `kapacitor record stream` for example"
    )]
    BatchesForStream,
    /// An option was set that a recording of batches leaves no choice about; nothing was played.
    #[error(
        "the input is a recording of batches, which have {0} of their own; leave `{option}` out",
        option = .0.option()
    )]
    Recorded(Recorded),
    /// A batch of a recording cannot be read. What came before it was played to its end.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A line is no point. What came before it was played to its end.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A line is of a window whose batches have been sent. What came before it was played to its end.
    #[error(
        "line {line}: its time is before that of batches which were sent already; \
         sort the input by time"
    )]
    Order {
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// The connection or the UDF failed. The text of the UDF is in it as it came.
    #[error(transparent)]
    Udf(#[from] Error),
    /// What came back cannot be written.
    #[error("writing the points failed: {0}")]
    Output(io::Error),
    /// Some points that came back cannot be expressed in line protocol. All others were written.
    #[error(
        "{count} of the points that came back have no form in line protocol; of the first, {first}"
    )]
    Unwritable {
        /// How many they are.
        count: u64,
        /// Why the first one has none.
        first: Unwritable,
    },
}

/// What a recording of batches leaves no choice about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Its windows: [`every`](super::Replay::every).
    Windows,
    /// Its times: [`precision`](super::Replay::precision).
    Times,
    /// Its groups: [`grouping`](super::Replay::grouping).
    Groups,
}

impl Recorded {
    pub(super) fn option(self) -> &'static str {
        match self {
            Recorded::Windows => "every",
            Recorded::Times => "precision",
            Recorded::Groups => "grouping",
        }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Recorded::Windows => "windows",
            Recorded::Times => "times",
            Recorded::Groups => "groups",
        })
    }
}

/// An input that cannot be replayed, whatever is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be read.
    #[error("reading the input failed: {0}")]
    Io(io::Error),
    /// It is compressed in a way that is not read.
    #[error(
        "the input is compressed with {name}; decompress it first, with `{command}` for example"
    )]
    Compressed {
        /// The name of the format.
        name: &'static str,
        /// A command that decompresses it.
        command: &'static str,
    },
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        SourceError::Io(error)
    }
}

/// A recording of batches that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("batch {batch} of the recording: {problem}")]
pub struct RecordingError {
    /// The number of the batch, counted from 1.
    pub batch: u64,
    /// What is wrong with it.
    pub problem: RecordingProblem,
}

/// What can be wrong with a recording of batches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingProblem {
    /// The recording cannot be read.
    #[error("reading failed: {0}")]
    Io(io::Error),
    /// A recording without its archive is cut short.
    #[error("it ends too early: the file is not complete")]
    HalfBatch,
    /// The archive is cut short.
    #[error("the archive ends too early: the file is not complete")]
    CutShort,
    /// The archive is damaged.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// The archive is not as Kapacitor writes it.
    #[error("the archive is not one that Kapacitor wrote: {0}")]
    Foreign(&'static str),
    /// A batch is not as Kapacitor writes it.
    #[error("it is not a batch as Kapacitor records it: {0}")]
    Json(serde_json::Error),
    /// A time is not one, or not one that a point can have.
    #[error("`{0}` is not a time between the years 1677 and 2262")]
    Time(String),
}

/// What it means that an archive cannot be read.
impl From<io::Error> for RecordingProblem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => RecordingProblem::CutShort,
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                RecordingProblem::Damaged("it cannot be decompressed")
            }
            _ => RecordingProblem::Io(error),
        }
    }
}
