//! The errors of a replay.

use std::fmt;
use std::io::{self, ErrorKind};

use udf_text::line_protocol::{LineError, Unwritable};
use udf_text::options::OptionsError;

use crate::error::Error;

/// Why a replay failed. All points that the UDF had sent are written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The options do not fit the UDF. Nothing was played.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// `every` was set for a UDF that wants a stream. Nothing was played.
    #[error("the UDF wants a stream, which is not cut into batches; leave `every` out")]
    EveryOfStream,
    /// `every` is less than 1 nanosecond.
    #[error("`every` must be at least 1ns")]
    BadEvery,
    /// The input cannot be replayed, whatever it contains. Nothing was played.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The input is a recording of batches, and the UDF wants a stream. Nothing was played.
    #[error(
        "the input is a recording of batches, and the UDF wants a stream; record a stream, with \
         `kapacitor record stream` for example"
    )]
    BatchesForStream,
    /// An option was set that a recording of batches already determines. Nothing was played.
    #[error(
        "the input is a recording of batches, which have {0} of their own; leave `{option}` out",
        option = .0.option()
    )]
    Recorded(Recorded),
    /// A batch of a recording cannot be read. The batches before it were played.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A line is not a valid point. The lines before it were played.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The window of a line has already been sent. The lines before it were played.
    #[error(
        "line {line}: its time lies in a batch that has already been sent; \
         sort the input by time"
    )]
    Order {
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// The connection or the UDF failed. A text of the UDF is part of the message, unchanged.
    #[error(transparent)]
    Udf(#[from] Error),
    /// The output cannot be written.
    #[error("writing the points failed: {0}")]
    Output(io::Error),
    /// Some points from the UDF cannot be expressed in line protocol. All other points were
    /// written.
    #[error(
        "line protocol cannot express {count} of the points from the UDF; in the first, {first}"
    )]
    Unwritable {
        /// The number of such points.
        count: u64,
        /// Why the first such point cannot be expressed.
        first: Unwritable,
    },
}

/// A property that a recording of batches determines by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Windows: [`every`](super::Replay::every).
    Windows,
    /// Times: [`precision`](super::Replay::precision).
    Times,
    /// Groups: [`grouping`](super::Replay::grouping).
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

/// Why an input cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The input cannot be read.
    #[error("reading the input failed: {0}")]
    Io(io::Error),
    /// The input is compressed in an unsupported format.
    #[error(
        "the input is compressed with {name}; decompress it first, with `{command}` for example"
    )]
    Compressed {
        /// The name of the format.
        name: &'static str,
        /// A command that decompresses the input.
        command: &'static str,
    },
}

impl From<io::Error> for SourceError {
    fn from(error: io::Error) -> Self {
        SourceError::Io(error)
    }
}

/// Why a recording of batches cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("batch {batch} of the recording: {problem}")]
pub struct RecordingError {
    /// The number of the batch, counted from 1.
    pub batch: u64,
    /// The problem of the batch.
    pub problem: RecordingProblem,
}

/// The problems of a recording of batches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingProblem {
    /// The recording cannot be read.
    #[error("reading failed: {0}")]
    Io(io::Error),
    /// A recording without its archive is truncated.
    #[error("it ends too early: the file is not complete")]
    HalfBatch,
    /// The archive is truncated.
    #[error("the archive ends too early: the file is not complete")]
    CutShort,
    /// The archive is damaged.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// The archive does not have the form that Kapacitor writes.
    #[error("the archive is not one that Kapacitor wrote: {0}")]
    Foreign(&'static str),
    /// The JSON of a batch does not have the form that Kapacitor writes.
    #[error("it is not a batch as Kapacitor records it: {0}")]
    Json(serde_json::Error),
    /// A time is invalid or out of the range of a point.
    #[error("`{0}` is not a time between the years 1677 and 2262")]
    Time(String),
}

/// Classifies an error from reading an archive.
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
