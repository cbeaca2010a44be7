//! Reads points from lines.

use std::io::BufRead;

use udf_proto::{PointBuf, messages, response};

use super::fast::Encoder;
use super::grouping::Grouping;
use super::line_info::LineInfo;
use super::lines::Lines;
use super::parse::{Parsed, parse};
use super::precision::Precision;
use super::problem::{LineError, LineProblem};
use super::unlikely::Times;

/// Reads points as Kapacitor would send them on a stream edge.
///
/// Times are nanoseconds since the epoch, or of another [`Precision`]. **A line without a time gets
/// the time of the line before it**, and the first line gets 0, the epoch. Kapacitor would use the
/// time of arrival. The reader does not, so that the same text always gives the same points. A
/// [`clock`](Self::clock) gives the time of arrival.
///
/// [`next_frame`](Self::next_frame) is the fastest way to send points to a UDF. It is made for the
/// lines that programs write: sorted tags, and each field once. For all other lines, and for lines
/// with errors, it works as [`next_message`](Self::next_message) does, which takes several times as
/// long.
///
/// The reader skips a byte-order mark, blank lines and comments (`#`). Comments in a file from
/// `influx_inspect export` set the database and the retention policy of the points that follow.
/// The [module](super) defines which lines are points.
///
/// After an error, the reader continues at the next line, unless reading itself failed.
#[derive(Debug)]
pub struct LineReader<R> {
    lines: Lines<R>,
    encoder: Encoder,
    /// The changes of the context that the encoder knows. None if it knows no source.
    encoded_context: Option<u64>,
    grouping: Grouping,
    database: String,
    retention_policy: String,
    precision: Option<Precision>,
    last_time: i64,
    /// The times of the lines that have a time.
    times: Times,
    /// Returns the time of a line that has none.
    clock: Option<fn() -> i64>,
    /// Whether fields that Kapacitor cannot represent are dropped.
    drops_unfit: bool,
    dropped_fields: u64,
}

impl<R: BufRead> LineReader<R> {
    /// Creates a reader that groups points by `grouping`. The database defaults to `telegraf`, the
    /// retention policy to `autogen`.
    pub fn new(reader: R, grouping: Grouping) -> Self {
        LineReader {
            lines: Lines::new(reader),
            encoder: Encoder::new(&grouping),
            encoded_context: None,
            grouping,
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
            precision: None,
            last_time: 0,
            times: Times::default(),
            clock: None,
            drops_unfit: false,
            dropped_fields: 0,
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
        self.encoded_context = None;
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

    /// Sets the clock that gives lines without a time their time, in nanoseconds since the epoch.
    pub fn clock(mut self, clock: fn() -> i64) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Drops fields that are unsigned integers above the maximum of Kapacitor's integers,
    /// [`i64::MAX`], and the points of lines without another field. Without this setting, such a line is an error.
    pub fn drop_unfit(mut self) -> Self {
        self.drops_unfit = true;
        self
    }

    /// Returns the number of fields that [`drop_unfit`](Self::drop_unfit) has dropped.
    pub fn dropped_fields(&self) -> u64 {
        self.dropped_fields
    }

    /// Sets the time of lines without a time, up to the next line that has a time. Defaults to 0.
    pub fn set_time(&mut self, nanos: i64) {
        self.last_time = nanos;
    }

    /// Returns whether the last line has no line break: it may be a part of a longer line.
    pub fn is_cut(&self) -> bool {
        self.lines.is_cut()
    }

    /// Returns the inner reader.
    pub fn get_ref(&self) -> &R {
        self.lines.get_ref()
    }

    /// Returns the number of the last line that was read, counted from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Returns the number of bytes that were read.
    pub fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// Returns the last line as it came, without the blanks and the line break around it. Returns
    /// no bytes before the first line, and after an error of reading.
    ///
    /// The line is not UTF-8 if the reader has refused it for that.
    pub fn raw(&self) -> &[u8] {
        self.lines.raw()
    }

    /// Appends the next point to `out` as the frame of a request. Returns none at the end of the
    /// input.
    ///
    /// Nothing is allocated for usual lines once the buffers have grown.
    ///
    /// ```
    /// use udf_proto::point::PointIndex;
    /// use udf_text::line_protocol::{Grouping, LineReader};
    ///
    /// let text = "cpu,host=a,cpu=cpu0 usage=1.5,busy=true 10\n";
    /// let mut lines = LineReader::new(text.as_bytes(), Grouping::by(["host"]));
    /// let (mut frames, mut index) = (Vec::new(), PointIndex::new());
    ///
    /// let line = lines.next_frame(&mut frames)?.expect("there is one line");
    /// assert_eq!(line.time, 10);
    /// assert_eq!(lines.raw(), text.trim().as_bytes());
    /// // `frames` can be sent to a UDF as it is.
    /// assert_eq!(index.parse(&frames[line.point])?.group(), "host=a");
    /// assert!(lines.next_frame(&mut frames)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the next line is not a point, or if reading fails. `out` is unchanged then.
    pub fn next_frame(&mut self, out: &mut Vec<u8>) -> Result<Option<LineInfo>, LineError> {
        let line = self.read_frame(out);
        line.map_err(|problem| LineError { line: self.lines.number(), problem })
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
    // Each caller would contain the parser.
    #[inline(never)]
    pub fn next_message(&mut self) -> Result<Option<messages::Point>, LineError> {
        let point = self.read_point().map(|point| point.map(|(message, _)| message));
        point.map_err(|problem| LineError { line: self.lines.number(), problem })
    }

    /// Returns the unit that the times seem to have, if all of them were read as nanoseconds and
    /// are within weeks of 1970. Returns none if a precision was set.
    pub fn likely_precision(&self) -> Option<Precision> {
        self.times.likely().filter(|_| self.precision.is_none())
    }

    fn read_frame(&mut self, out: &mut Vec<u8>) -> Result<Option<LineInfo>, LineProblem> {
        if self.lines.advance()? {
            if let Some(line) = self.encode(out) {
                return Ok(Some(line));
            }
            self.lines.complete()?;
            let (message, has_time) = self.parse()?;
            let time = message.time;
            if !has_fields(&message) {
                return Ok(Some(LineInfo { time, has_time, point: out.len()..out.len() }));
            }
            let point = PointBuf::from(message);
            let point = point.as_point();
            response::append_point(point, out);
            let start = out.len() - point.as_bytes().len();
            return Ok(Some(LineInfo { time, has_time, point: start..out.len() }));
        }
        Ok(None)
    }

    /// Encodes the first row of a line, if it is a usual line. The row is then the whole line: one
    /// that continues in the next row ends within a text, or with a backslash.
    #[inline]
    fn encode(&mut self, out: &mut Vec<u8>) -> Option<LineInfo> {
        if self.lines.is_recording() && self.precision.is_some() {
            return None;
        }
        let context = self.lines.context();
        if self.encoded_context != Some(context.changes) {
            self.encoded_context = Some(context.changes);
            self.encoder.set_source(
                context.database.as_ref().unwrap_or(&self.database),
                context.retention_policy.as_ref().unwrap_or(&self.retention_policy),
            );
        }
        let line = self.lines.text().ok()?;
        let (clock, last_time) = (self.clock, self.last_time);
        let missing = || clock.map_or(last_time, |clock| clock());
        let line = self.encoder.encode(line, self.precision.unwrap_or_default(), &missing, out)?;
        if line.has_time {
            self.see_time(line.time);
        }
        Some(line)
    }

    /// Returns the next point, and whether its line contains the time.
    fn read_point(&mut self) -> Result<Option<(messages::Point, bool)>, LineProblem> {
        while self.lines.advance()? {
            self.lines.complete()?;
            let point = self.parse()?;
            if has_fields(&point.0) {
                return Ok(Some(point));
            }
        }
        Ok(None)
    }

    /// Returns the point of the line, and whether the line contains its time. A point without fields
    /// has lost all of them.
    fn parse(&mut self) -> Result<(messages::Point, bool), LineProblem> {
        if self.lines.is_recording() && self.precision.is_some() {
            return Err(LineProblem::RecordedPrecision);
        }
        let precision = self.precision.unwrap_or_default();
        let parsed = parse(self.lines.text()?, precision, self.drops_unfit);
        let Parsed { mut point, time, dropped } =
            parsed.map_err(|what| LineProblem::Syntax(self.explain(what)))?;
        if let Some(time) = time {
            self.see_time(time);
        }
        point.time = time.unwrap_or_else(|| self.clock.map_or(self.last_time, |clock| clock()));
        self.dropped_fields += dropped;
        let context = self.lines.context();
        point.database.clone_from(context.database.as_ref().unwrap_or(&self.database));
        let policy = context.retention_policy.as_ref().unwrap_or(&self.retention_policy);
        point.retention_policy.clone_from(policy);
        self.grouping.apply(&mut point);
        Ok((point, time.is_some()))
    }

    /// Records the time of a line.
    fn see_time(&mut self, time: i64) {
        self.times.see(time);
        self.last_time = time;
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

fn has_fields(point: &messages::Point) -> bool {
    let messages::Point { fields_double, fields_int, fields_string, fields_bool, .. } = point;
    !(fields_double.is_empty()
        && fields_int.is_empty()
        && fields_string.is_empty()
        && fields_bool.is_empty())
}
