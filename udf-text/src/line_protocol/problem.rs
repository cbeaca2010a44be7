//! Why a line is not a point.

use std::io;

use super::limits::MAX_LINE;

/// A line that is not a point.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// The number of the line, counted from 1. For a line of several rows, the number of the first.
    pub line: u64,
    /// The problem.
    pub problem: LineProblem,
}

/// Why a line is not a point.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// The reader failed.
    #[error("reading failed: {0}")]
    Io(io::Error),
    /// The line is longer than [`MAX_LINE`].
    #[error("it is longer than {} MiB and has no line break", MAX_LINE >> 20)]
    TooLong,
    /// The text of a field is longer than [`MAX_LINE`].
    #[error("the closing quote of a text is missing: the line is longer than {} MiB", MAX_LINE >> 20)]
    TextTooLong,
    /// The line is not valid UTF-8.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// The input is UTF-16.
    #[error(
        "the input is UTF-16; convert it to UTF-8, with `iconv -f UTF-16 -t UTF-8` for example"
    )]
    Utf16,
    /// The input ends within the statements between `# DDL` and `# DML`.
    #[error("the `# DDL` of line {line} has no `# DML`, which begins the points")]
    NoDml {
        /// The line of the `# DDL`.
        line: u64,
    },
    /// A recording of Kapacitor ends within an entry.
    #[error(
        "the recording ends within an entry: each is a database, a retention policy and a line"
    )]
    HalfRecorded,
    /// A precision was set for a recording of Kapacitor.
    #[error("the times of a Kapacitor recording are nanoseconds; leave the precision out")]
    RecordedPrecision,
    /// The line is not line protocol, or Kapacitor cannot represent its values.
    #[error("{0}")]
    Syntax(String),
}
