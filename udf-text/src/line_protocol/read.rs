//! Points out of lines.

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
/// the time of the line before it**, and the first one 0, the epoch. Kapacitor would give it the
/// time of its arrival; here, the same text gives the same points every time.
///
/// Blank lines and comments (`#`) are skipped. Comments of a file that `influx_inspect export` has
/// written set the database and the retention policy of the points behind them. A byte-order mark
/// is skipped. The [module](super) says which lines are points.
///
/// After an error the reader stands at the next line, so a caller may go on, unless the
/// error is one of reading.
#[derive(Debug)]
pub struct LineReader<R> {
    lines: Lines<R>,
    grouping: Grouping,
    database: String,
    retention_policy: String,
    precision: Option<Precision>,
    last_time: i64,
    /// The times of lines that have one.
    times: Times,
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
            precision: None,
            last_time: 0,
            times: Times::default(),
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

    /// Sets the unit of the times. Defaults to nanoseconds, also for none.
    pub fn with_precision(mut self, precision: impl Into<Option<Precision>>) -> Self {
        self.precision = precision.into();
        self
    }

    /// Also reads recordings of Kapacitor (`.srpl`, uncompressed), in which a row with the database
    /// and one with the retention policy come before each line.
    ///
    /// An input is taken for a recording if its first row cannot be a line, but its third one can.
    pub fn with_recordings(mut self) -> Self {
        self.lines = self.lines.with_recordings();
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

    /// Returns the next point as a message, which can be taken apart; none at the end of the input.
    ///
    /// # Errors
    /// When the next line is no point, or cannot be read.
    pub fn next_message(&mut self) -> Result<Option<messages::Point>, LineError> {
        let point = self.read_point();
        point.map_err(|problem| LineError { line: self.lines.number(), problem })
    }

    /// Returns the unit that all times so far seem to have, when they were read as nanoseconds and lie within
    /// weeks of 1970. None if a precision was set.
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

    /// Adds what is not seen in the row that an error names.
    fn explain(&self, what: String) -> String {
        if self.lines.is_joined() {
            format!("{what}; a backslash at the end of a row joins it with the next one")
        } else {
            what
        }
    }
}
