//! Points out of lines.

use std::io::{self, BufRead};

use udf_proto::{PointBuf, messages};

use super::lines::Lines;
use super::parse::parse;
use super::{Grouping, MAX_LINE};

/// Reads points as Kapacitor would send them on a stream edge.
///
/// Times are nanoseconds since the epoch. **A line without a time has the time of the line before
/// it**, and the first one the epoch's, 0: as with a database, which gives one time to all lines
/// that are written at once, only that the same text gives the same points every time.
///
/// Blank lines and comments (`#`) are skipped. Unsigned integers (`5u`) are integers, and refused
/// when Kapacitor's signed ones cannot hold them. Of a field that is named twice, the last counts.
/// The text of a field may span several rows; a backslash before a line break elsewhere means
/// nothing special.
///
/// After an error the reader stands at the next line, so a caller may go on, unless the
/// error is one of reading.
#[derive(Debug)]
pub struct LineReader<R> {
    lines: Lines<R>,
    grouping: Grouping,
    database: String,
    retention_policy: String,
    last_time: i64,
}

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
    #[error("it is longer than {} MiB; is the closing quote of a text missing?", MAX_LINE >> 20)]
    TooLong,
    /// It is not text.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// It is not line protocol, or holds what Kapacitor cannot.
    #[error("{0}")]
    Syntax(String),
}

impl<R: BufRead> LineReader<R> {
    /// Reads from `reader`. Points are grouped by `grouping`, and are of the database `telegraf` and
    /// its retention policy `autogen`.
    pub fn new(reader: R, grouping: Grouping) -> Self {
        LineReader {
            lines: Lines::new(reader),
            grouping,
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
            last_time: 0,
        }
    }

    /// Names the database and the retention policy that points come from.
    pub fn with_source(
        mut self,
        database: impl Into<String>,
        retention_policy: impl Into<String>,
    ) -> Self {
        self.database = database.into();
        self.retention_policy = retention_policy.into();
        self
    }

    /// Gives lines without a time this one, until a line has one. It is 0 at first.
    pub fn set_time(&mut self, nanos: i64) {
        self.last_time = nanos;
    }

    /// The number of the line that was read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// How many bytes have been read.
    pub fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// The next point; none at the end of the input.
    ///
    /// # Errors
    /// When the next line is no point, or cannot be read.
    pub fn next_point(&mut self) -> Result<Option<PointBuf>, LineError> {
        Ok(self.next_message()?.map(PointBuf::from))
    }

    /// The next point, still in its parts.
    pub(crate) fn next_message(&mut self) -> Result<Option<messages::Point>, LineError> {
        let point = self.read_point();
        point.map_err(|problem| LineError { line: self.lines.number(), problem })
    }

    fn read_point(&mut self) -> Result<Option<messages::Point>, LineProblem> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        let (mut message, time) = parse(self.lines.text()?).map_err(LineProblem::Syntax)?;
        message.time = time.unwrap_or(self.last_time);
        message.database.clone_from(&self.database);
        message.retention_policy.clone_from(&self.retention_policy);
        self.grouping.apply(&mut message);
        self.last_time = message.time;
        Ok(Some(message))
    }
}
