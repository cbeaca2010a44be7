//! What can be wrong with a line.

use std::io;

use super::limits::MAX_LINE;

/// A line that is no point.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// The number of the line, counted from 1; of its first row if it spans several.
    pub line: u64,
    /// What is wrong with it.
    #[source]
    pub problem: LineProblem,
}

/// What can be wrong with a line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// It cannot be read.
    #[error("reading failed: {0}")]
    Io(#[source] io::Error),
    /// It is longer than [`MAX_LINE`].
    #[error("it is longer than {} MiB and has no line break", MAX_LINE >> 20)]
    TooLong,
    /// A text in it is longer than [`MAX_LINE`].
    #[error("the closing quote of a text is missing: the line is longer than {} MiB", MAX_LINE >> 20)]
    TextTooLong,
    /// It is not text.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// It is text, in another encoding.
    #[error(
        "the input is UTF-16; convert it to UTF-8, with `iconv -f UTF-16 -t UTF-8` for example"
    )]
    Utf16,
    /// Behind `# DDL`, everything is a statement up to `# DML`, which never comes.
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
    /// A recording of Kapacitor, for which another precision was given.
    #[error("the times of a Kapacitor recording are nanoseconds; leave the precision out")]
    RecordedPrecision,
    /// It is not line protocol, or holds what Kapacitor cannot.
    #[error("{0}")]
    Syntax(String),
}
