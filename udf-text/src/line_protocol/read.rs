//! Reads points from lines.

use std::io::BufRead;

use udf_proto::{PointBuf, messages};

use super::grouping::Grouping;
use super::lines::Lines;
use super::parse::parse;
use super::precision::Precision;
use super::problem::{LineError, LineProblem};
use super::unlikely::Times;

/// Reads points as Kapacitor would send them on a stream edge.
///
/// Times are nanoseconds since the epoch, or of another [`Precision`]. **A line without a time gets
/// the time of the line before it**, and the first line gets 0, the epoch. Kapacitor would use the
/// time of arrival. The reader does not, so that the same text always gives the same points.
///
/// The reader skips a byte-order mark, blank lines and comments (`#`). Comments in a file from
/// `influx_inspect export` set the database and the retention policy of the points that follow.
/// The [module](super) defines which lines are points.
///
/// After an error, the reader continues at the next line, unless reading itself failed.
#[derive(Debug)]
pub struct LineReader<R> {
    lines: Lines<R>,
    grouping: Grouping,
    database: String,
    retention_policy: String,
    precision: Option<Precision>,
    last_time: i64,
    /// The times of the lines that have a time.
    times: Times,
}

impl<R: BufRead> LineReader<R> {
    /// Creates a reader that groups points by `grouping`. The database defaults to `telegraf`, the
    /// retention policy to `autogen`.
    pub fn new(reader: R, grouping: Grouping) -> Self {
        LineReader {
            lines: Lines::new(reader),
            grouping,
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
            precision: None,
            last_time: 0,
            times: Times::default(),
        }
    }

    /// Sets the database and the retention policy of the points.
    pub fn source(
        mut self,
        database: impl Into<String>,
        retention_policy: impl Into<String>,
    ) -> Self {
        self.database = database.into();
        self.retention_policy = retention_policy.into();
        self
    }

    /// Sets the unit of the times. Defaults to nanoseconds, which none also means.
    pub fn precision(mut self, precision: impl Into<Option<Precision>>) -> Self {
        self.precision = precision.into();
        self
    }

    /// Also reads recordings of Kapacitor (`.srpl`, uncompressed), in which a row with the database
    /// and one with the retention policy come before each line.
    ///
    /// An input is a recording if its first row cannot be a line, and its third row can.
    pub fn recordings(mut self) -> Self {
        self.lines = self.lines.recordings();
        self
    }

    /// Sets the time of lines without a time, up to the next line that has a time. Defaults to 0.
    pub fn set_time(&mut self, nanos: i64) {
        self.last_time = nanos;
    }

    /// Returns the number of the last line that was read, counted from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Returns the number of bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// Returns the next point, or none at the end of the input.
    ///
    /// # Errors
    /// If the next line is not a point, or if reading fails.
    pub fn next_point(&mut self) -> Result<Option<PointBuf>, LineError> {
        Ok(self.next_message()?.map(PointBuf::from))
    }

    /// Returns the next point as a message, or none at the end of the input.
    ///
    /// # Errors
    /// If the next line is not a point, or if reading fails.
    pub fn next_message(&mut self) -> Result<Option<messages::Point>, LineError> {
        let point = self.read_point();
        point.map_err(|problem| LineError { line: self.lines.number(), problem })
    }

    /// Returns the unit that the times seem to have, if all of them were read as nanoseconds and
    /// are within weeks of 1970. Returns none if a precision was set.
    pub fn likely_precision(&self) -> Option<Precision> {
        self.times.likely().filter(|_| self.precision.is_none())
    }

    fn read_point(&mut self) -> Result<Option<messages::Point>, LineProblem> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        if self.lines.is_recording() && self.precision.is_some() {
            return Err(LineProblem::RecordedPrecision);
        }
        let parsed = parse(self.lines.text()?, self.precision.unwrap_or_default());
        let (mut message, time) = parsed.map_err(|what| LineProblem::Syntax(self.explain(what)))?;
        if let Some(time) = time {
            self.times.see(time);
        }
        message.time = time.unwrap_or(self.last_time);
        let context = self.lines.context();
        message.database.clone_from(context.database.as_ref().unwrap_or(&self.database));
        let policy = context.retention_policy.as_ref().unwrap_or(&self.retention_policy);
        message.retention_policy.clone_from(policy);
        self.grouping.apply(&mut message);
        self.last_time = message.time;
        Ok(Some(message))
    }

    /// Adds a hint if rows were joined, which the row in the error does not show.
    fn explain(&self, what: String) -> String {
        if self.lines.is_joined() {
            format!("{what}; a backslash at the end of a row joins it with the next one")
        } else {
            what
        }
    }
}
