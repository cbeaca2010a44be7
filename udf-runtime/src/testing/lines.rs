//! Compares points as lines of text, and shows differences.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use udf_text::line_protocol::{Grouping, LineReader, append_line};

use udf_proto::{Point, PointBuf};

/// A point as a line, with its tags and fields in the order of their names, and its time.
#[derive(Debug)]
pub struct Line {
    /// The line without the time.
    text: String,
    /// The time. `None` matches any time.
    time: Option<i64>,
}

impl Line {
    fn fits(&self, came: &Line) -> bool {
        self.text == came.text && (self.time.is_none() || self.time == came.time)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.time {
            Some(time) => write!(f, "{} {time}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Returns the line of a point with this name and these tags.
pub(super) fn line(name: &str, tags: BTreeMap<&str, &str>, point: &Point<'_>) -> Line {
    let fields: BTreeMap<_, _> = point.fields().collect();
    let mut text = Vec::new();
    let text = match append_line(name, tags, fields, 0, &mut text) {
        Ok(()) => {
            let text = String::from_utf8(text).expect("a line is text");
            text.trim_end_matches(" 0\n").to_owned()
        }
        Err(error) => {
            format!("a point that line protocol cannot express, because {error}: {point:?}")
        }
    };
    Line { text, time: Some(point.time()) }
}

/// Marks a missing time. No point is from the year 1677.
const ANY: i64 = i64::MIN;

/// Returns the points that a test expects. A line without a time matches any time.
pub(super) fn expected(text: &str) -> Result<Vec<Line>, String> {
    let mut reader = LineReader::new(text.as_bytes(), Grouping::none());
    let mut lines = Vec::new();
    loop {
        reader.set_time(ANY);
        let Some(point) = read(&mut reader, "the expected text")? else { return Ok(lines) };
        let point = point.as_point();
        let mut line = line(point.name(), point.tags().collect(), &point);
        line.time = line.time.filter(|time| *time != ANY);
        lines.push(line);
    }
}

/// Returns the next point of a text. Messages call the text `what`.
pub(super) fn read(reader: &mut LineReader<&[u8]>, what: &str) -> Result<Option<PointBuf>, String> {
    reader.next_point().map_err(|error| format!("{what} is not line protocol: {error}"))
}

/// Returns the difference between the expected and the received points, if any.
pub(super) fn difference(expected: &[Line], came: &[Line]) -> Option<String> {
    let same =
        |at: usize| matches!((expected.get(at), came.get(at)), (Some(a), Some(b)) if a.fits(b));
    let rows = expected.len().max(came.len());
    if (0..rows).all(same) {
        return None;
    }
    let mut text = format!(
        "the output differs from the expected points ({} received, {} expected):",
        came.len(),
        expected.len()
    );
    for at in 0..rows {
        let shown = if same(at) {
            write!(text, "\n    {}", came[at])
        } else {
            let minus = expected.get(at).map(|line| format!("\n  - {line}"));
            let plus = came.get(at).map(|line| format!("\n  + {line}"));
            write!(text, "{}{}", minus.unwrap_or_default(), plus.unwrap_or_default())
        };
        shown.expect("a string takes all that is written");
    }
    text.push_str("\n  (- expected, + received)");
    Some(text)
}
