//! Parses usual lines straight into frames.
//!
//! The parser of this module reads the lines that programs write. It gives up at anything else, and
//! at anything invalid: the caller then parses the line with [`parse`](super::parse), which also
//! has the errors. So this module never decides what a line means, only how fast it is read.

use std::ops::Range;

use udf_proto::point::PointFrame;
use udf_proto::{PointBuf, messages};

use super::decimal::{Number, number, whole};
use super::escape::{MEASUREMENT, Rules, TAG};
use super::grouping::Grouping;
use super::keys::Keys;
use super::limits::MAX_KEY;
use super::line_info::LineInfo;
use super::names::Names;
use super::precision::Precision;
use super::words::find;

/// The bytes at which a part of a tag ends, and the backslash.
const TAG_ENDS: [u8; 4] = [b'=', b',', b' ', b'\\'];

/// The longest frame of a usual line.
const ROOM: usize = 32 << 10;

/// Encodes usual lines. Its buffers are reused, so no line allocates once they have grown.
#[derive(Debug)]
pub(super) struct Encoder {
    /// The room for a frame.
    room: Vec<u8>,
    /// The encoded keys of earlier lines.
    keys: Keys,
    parts: Parts,
}

/// The parts of a line, and those that all points share.
#[derive(Debug)]
struct Parts {
    /// The grouping tags, sorted. Unused if a point is grouped by all its tags.
    by: Vec<String>,
    by_all: bool,
    by_name: bool,
    /// The encoded dimensions.
    dimensions: Vec<u8>,
    /// The encoded database and retention policy.
    source: Vec<u8>,
    tags: Vec<Tag>,
    fields: Names,
    /// Names and values without their backslashes.
    unescaped: String,
    group: String,
}

/// A name or value of a line.
#[derive(Debug, Clone)]
struct Text {
    /// Whether the range is one of the unescaped text, not of the line.
    is_unescaped: bool,
    range: Range<usize>,
}

#[derive(Debug)]
struct Tag {
    name: Text,
    value: Text,
}

impl Text {
    #[inline(always)]
    fn of<'a>(&self, line: &'a str, unescaped: &'a str) -> &'a str {
        let text = if self.is_unescaped { unescaped } else { line };
        &text[self.range.clone()]
    }
}

impl Encoder {
    pub(super) fn new(grouping: &Grouping) -> Self {
        let dimensions = grouping.tags().map(str::to_owned).collect::<Vec<_>>();
        let parts = Parts {
            by: dimensions.clone(),
            by_all: grouping.has_all_tags(),
            by_name: grouping.is_by_name(),
            dimensions: encoded(messages::Point {
                dimensions,
                by_name: grouping.is_by_name(),
                ..messages::Point::default()
            }),
            source: Vec::new(),
            tags: Vec::new(),
            fields: Names::default(),
            unescaped: String::new(),
            group: String::new(),
        };
        Encoder { room: vec![0; ROOM], keys: Keys::default(), parts }
    }

    /// Sets the database and the retention policy of the points.
    pub(super) fn set_source(&mut self, database: &str, retention_policy: &str) {
        self.keys.clear();
        self.parts.source = encoded(messages::Point {
            database: database.to_owned(),
            retention_policy: retention_policy.to_owned(),
            ..messages::Point::default()
        });
    }

    /// Appends the frame of a usual line to `out`. Returns none for any other line.
    // Not generic and not inlined: a caller may be optimized for size.
    #[inline(never)]
    pub(super) fn encode(
        &mut self,
        line: &str,
        precision: Precision,
        missing_time: &dyn Fn() -> i64,
        out: &mut Vec<u8>,
    ) -> Option<LineInfo> {
        let Encoder { room, keys, parts } = self;
        parts.unescaped.clear();
        let key = line.as_bytes().get(..key_length(line.as_bytes()))?;
        let mut frame = PointFrame::begin(room);
        match keys.get(key) {
            Some(encoded) => frame.encoded(encoded)?,
            None => {
                parts.encode_key(line, key.len(), &mut frame)?;
                keys.set(key, frame.point());
            }
        }
        let at = key.len();
        let at = parts.encode_fields(line, at + 1, &mut frame)?;
        let has_time = at < line.len();
        let time = match has_time {
            // The fields end at a blank.
            true => precision.time(whole(&line.as_bytes()[at + 1..])?)?,
            false => missing_time(),
        };
        frame.time(time)?;
        let length = frame.point().len();
        out.extend_from_slice(frame.end());
        Some(LineInfo { time, has_time, point: out.len() - length..out.len() })
    }
}

impl Parts {
    /// Parses the tags. Gives up unless they are sorted.
    #[inline(always)]
    fn parse_tags(&mut self, line: &str, mut at: usize) -> Option<usize> {
        self.tags.clear();
        while line.as_bytes().get(at) == Some(&b',') {
            let (name, end) = self.text(line, at + 1, &TAG, TAG_ENDS)?;
            if line.as_bytes().get(end) != Some(&b'=') {
                return None;
            }
            let (value, end) = self.text(line, end + 1, &TAG, TAG_ENDS)?;
            let text = |text: &Text| text.of(line, &self.unescaped);
            if self.tags.last().is_some_and(|last| text(&last.name) >= text(&name)) {
                return None;
            }
            self.tags.push(Tag { name, value });
            at = end;
        }
        Some(at)
    }

    /// Parses a name or the value of a tag, up to one of the `ends`. Gives up if it is empty.
    #[inline(always)]
    fn text<const N: usize>(
        &mut self,
        line: &str,
        start: usize,
        rules: &Rules,
        ends: [u8; N],
    ) -> Option<(Text, usize)> {
        let bytes = line.as_bytes();
        let mut end = find(bytes, start, ends);
        let mut is_unescaped = false;
        while bytes.get(end) == Some(&b'\\') {
            is_unescaped = true;
            // The next byte ends nothing. A backslash is not special to another one.
            let next = end + 1 + usize::from(bytes.get(end + 1) != Some(&b'\\'));
            end = find(bytes, next.min(bytes.len()), ends);
        }
        if start == end {
            return None;
        }
        let range = if is_unescaped {
            let length = self.unescaped.len();
            rules.unescape_to(&line[start..end], &mut self.unescaped);
            length..self.unescaped.len()
        } else {
            start..end
        };
        Some((Text { is_unescaped, range }, end))
    }

    /// Parses the key, which has this length, and adds everything that depends on it.
    #[inline(never)]
    fn encode_key(&mut self, line: &str, length: usize, frame: &mut PointFrame<'_>) -> Option<()> {
        let (name, at) = self.text(line, 0, &MEASUREMENT, [b' ', b',', b'\\'])?;
        if line.starts_with('#') || length > MAX_KEY || self.parse_tags(line, at)? != length {
            return None;
        }
        let Parts { tags, unescaped, group, .. } = self;
        let text = |text: &Text| text.of(line, unescaped);
        let name = text(&name);
        frame.name(name)?;
        frame.encoded(&self.source)?;
        group.clear();
        if self.by_name {
            group.push_str(name);
        }
        let mut separator = if self.by_name { "\n" } else { "" };
        let mut add = |name: &str, value: &str| {
            group.push_str(separator);
            separator = ",";
            group.push_str(name);
            group.push('=');
            group.push_str(value);
        };
        if self.by_all {
            tags.iter().for_each(|tag| add(text(&tag.name), text(&tag.value)));
        } else {
            for by in &self.by {
                let tag = tags.iter().find(|tag| text(&tag.name) == by);
                add(by, tag.map_or("", |tag| text(&tag.value)));
            }
        }
        frame.group(group)?;
        frame.encoded(&self.dimensions)?;
        if self.by_all {
            tags.iter().try_for_each(|tag| frame.dimension(text(&tag.name)))?;
        }
        tags.iter().try_for_each(|tag| frame.tag(text(&tag.name), text(&tag.value)))
    }

    /// Parses and adds the fields. Gives up if one has a backslash in its name, or if two have the
    /// same name.
    #[inline(always)]
    fn encode_fields(
        &mut self,
        line: &str,
        mut at: usize,
        frame: &mut PointFrame<'_>,
    ) -> Option<usize> {
        let bytes = line.as_bytes();
        self.fields.clear();
        // The caller skips these before the first field.
        if matches!(bytes.get(at), Some(b' ' | b'\t' | 0)) {
            return None;
        }
        loop {
            let start = at;
            at = find(bytes, at, [b'=', b',', b' ', b'\\']);
            if bytes.get(at) != Some(&b'=') || at == start || !self.fields.add(bytes, start..at) {
                return None;
            }
            let name = &line[start..at];
            at = self.encode_value(line, at + 1, name, frame)?;
            match bytes.get(at) {
                Some(b',') => at += 1,
                Some(b' ') | None => return Some(at),
                Some(_) => return None,
            }
        }
    }

    /// Parses and adds the value of a field. Returns its end.
    #[inline(always)]
    fn encode_value(
        &mut self,
        line: &str,
        at: usize,
        name: &str,
        frame: &mut PointFrame<'_>,
    ) -> Option<usize> {
        match line.as_bytes().get(at)? {
            b'"' => {
                let (text, end) = self.quoted(line, at + 1)?;
                frame.string(name, text.of(line, &self.unescaped))?;
                Some(end)
            }
            b'0'..=b'9' | b'-' | b'.' => {
                let (value, length) = number(&line[at..])?;
                match value {
                    Number::Float(value) => frame.float(name, value)?,
                    Number::Int(value) => frame.int(name, value)?,
                }
                Some(at + length)
            }
            _ => {
                let rest = &line[at..];
                let end = rest.bytes().position(|byte| matches!(byte, b',' | b' '));
                let end = end.unwrap_or(rest.len());
                let value = match &rest[..end] {
                    "t" | "T" | "true" | "True" | "TRUE" => true,
                    "f" | "F" | "false" | "False" | "FALSE" => false,
                    _ => return None,
                };
                frame.bool(name, value)?;
                Some(at + end)
            }
        }
    }

    /// Takes quoted text. Returns it and the position behind its closing quote.
    #[inline(always)]
    fn quoted(&mut self, line: &str, start: usize) -> Option<(Text, usize)> {
        let bytes = line.as_bytes();
        let special = |from: usize| {
            let at = find(bytes, from, [b'"', b'\\']);
            (at < bytes.len()).then_some(at)
        };
        let mut at = special(start)?;
        if bytes[at] == b'"' {
            return Some((Text { is_unescaped: false, range: start..at }, at + 1));
        }
        let (from, mut copied) = (self.unescaped.len(), start);
        while bytes[at] == b'\\' {
            let mut next = at + 1;
            if matches!(bytes.get(next), Some(b'"' | b'\\')) {
                self.unescaped.push_str(&line[copied..at]);
                copied = next;
                next += 1;
            }
            at = special(next)?;
        }
        self.unescaped.push_str(&line[copied..at]);
        Some((Text { is_unescaped: true, range: from..self.unescaped.len() }, at + 1))
    }
}

/// Returns the length of the measurement and the tags, which end at a blank without a backslash
/// before it.
#[inline(always)]
fn key_length(line: &[u8]) -> usize {
    let mut end = find(line, 0, [b' ']);
    while end > 0 && line[end - 1] == b'\\' && end < line.len() {
        end = find(line, end + 1, [b' ']);
    }
    end
}

/// Returns the encoding of a point.
fn encoded(point: messages::Point) -> Vec<u8> {
    PointBuf::from(point).as_point().as_bytes().to_vec()
}
