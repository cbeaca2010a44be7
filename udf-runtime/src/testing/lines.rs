//! Points and batches as lines of text, and the text that a test expects.

use std::collections::BTreeMap;

use udf_text::line_protocol::{BATCH, Grouping, LineReader, append_batch, append_line};
use udf_text::suggest::nearest;

use udf_proto::point::FieldValue;
use udf_proto::{Point, PointBuf};

/// A point as a line, with its tags and fields in the order of their names; or the line that begins
/// a batch.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line without the time.
    text: String,
    /// The time. `None` matches any time.
    pub(super) time: Option<i64>,
    /// The line without the time, with 0 in place of each float.
    shape: String,
    floats: Vec<f64>,
    /// Whether the line begins a batch.
    pub(super) is_batch: bool,
}

impl Line {
    /// Returns whether `came` is this line, with floats that differ by at most `tolerance`.
    pub(super) fn fits(&self, came: &Line, tolerance: f64) -> bool {
        let is_close = |(a, b): (&f64, &f64)| {
            // Below 1, the difference itself is limited: next to zero, no result is exact.
            (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
        };
        (self.time.is_none() || self.time == came.time)
            && (self.text == came.text
                || tolerance > 0.0
                    && self.shape == came.shape
                    && self.floats.iter().zip(&came.floats).all(is_close))
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
pub(super) fn point(name: &str, tags: BTreeMap<&str, &str>, point: &Point<'_>) -> Line {
    let mut fields: BTreeMap<_, _> = point.fields().collect();
    let text = without_time(|text| append_line(name, tags.clone(), fields.clone(), 0, text));
    let text = text.unwrap_or_else(|error| {
        format!("a point that line protocol cannot express, because {error}: {point:?}")
    });
    let mut floats = Vec::new();
    for value in fields.values_mut() {
        if let FieldValue::Float(float) = value {
            floats.push(std::mem::take(float));
        }
    }
    let shape = without_time(|text| append_line(name, tags, fields, 0, text)).unwrap_or_default();
    Line { text, time: Some(point.time()), shape, floats, is_batch: false }
}

/// Returns the line that begins a batch.
pub(super) fn batch(name: &str, tags: &BTreeMap<String, String>, tmax: i64) -> Line {
    let pairs = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let text = without_time(|text| append_batch(name, pairs, 0, text));
    let text = text.unwrap_or_else(|error| {
        format!("{BATCH}that line protocol cannot express, because {error}: {name:?} {tags:?}")
    });
    let shape = text.clone();
    Line { text, time: Some(tmax), shape, floats: Vec::new(), is_batch: true }
}

/// Returns a line with the time 0, without this time.
fn without_time<E>(append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<String, E> {
    let mut text = Vec::new();
    append(&mut text)?;
    let text = String::from_utf8(text).expect("a line is text");
    Ok(text.strip_suffix(" 0\n").expect("it has the time 0").to_owned())
}

/// Marks a missing time. No point is from the year 1677.
const ANY: i64 = i64::MIN;

/// Returns the lines that a test expects. A line without a time matches any time.
pub(super) fn expected(text: &str) -> Result<Vec<Line>, String> {
    // The reader skips comments, so each stretch between two batches is read on its own.
    let (mut lines, mut points) = (Vec::new(), String::new());
    for (number, line) in text.lines().enumerate() {
        if let Some(begin) = line.trim_start().strip_prefix(BATCH) {
            lines.append(&mut expected_points(&points)?);
            // Empty lines keep the numbers of the lines in messages.
            points = "\n".repeat(number + 1);
            lines.push(expected_batch(begin.trim_end(), number + 1)?);
        } else if is_misspelt_batch(line) {
            return Err(format!(
                "line {} of the expected text is a comment; did you mean `{BATCH}cpu,host=a 60`?",
                number + 1
            ));
        } else {
            points.push_str(line);
            points.push('\n');
        }
    }
    lines.append(&mut expected_points(&points)?);
    Ok(lines)
}

/// Returns whether a comment begins nearly as a batch does. A test that ignored it would compare no
/// batches.
fn is_misspelt_batch(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix('#') else { return false };
    let first = comment.split_whitespace().next().unwrap_or_default();
    nearest(first, ["batch"]).is_some()
}

fn expected_points(text: &str) -> Result<Vec<Line>, String> {
    let mut reader = LineReader::new(text.as_bytes(), Grouping::none());
    let mut lines = Vec::new();
    loop {
        reader.set_time(ANY);
        let Some(read) = read(&mut reader, "the expected text")? else { return Ok(lines) };
        let read = read.as_point();
        let mut line = point(read.name(), read.tags().collect(), &read);
        line.time = line.time.filter(|time| *time != ANY);
        lines.push(line);
    }
}

/// Reads `cpu,host=a 60`, or `cpu,host=a` for a batch of any time.
fn expected_batch(begin: &str, number: usize) -> Result<Line, String> {
    let (key, time) = match begin.rsplit_once(' ').map(|(key, time)| (key, time.parse())) {
        // The blank behind a backslash is part of a tag.
        Some((key, Ok(time))) if !key.ends_with('\\') => (key, Some(time)),
        _ => (begin, None),
    };
    let text = format!("{key} x=0 0");
    let mut reader = LineReader::new(text.as_bytes(), Grouping::none());
    let read = reader.next_message().map_err(|error| {
        format!(
            "line {number} of the expected text is not the begin of a batch, such as \
             `{BATCH}cpu,host=a 60`: {}",
            error.problem
        )
    })?;
    let read = read.ok_or_else(|| format!("line {number} of the expected text names no batch"))?;
    let mut line = batch(&read.name, &read.tags.into_iter().collect(), 0);
    line.time = time;
    Ok(line)
}

/// Returns the next point of a text. Messages call the text `what`.
pub(super) fn read(reader: &mut LineReader<&[u8]>, what: &str) -> Result<Option<PointBuf>, String> {
    reader.next_point().map_err(|error| format!("{what} is not line protocol: {error}"))
}
