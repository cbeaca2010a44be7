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
use super::limits::MAX_KEY;
use super::names::Names;
use super::precision::Precision;

/// Encodes usual lines. Its buffers are reused, so no line allocates once they have grown.
#[derive(Debug)]
pub(super) struct Encoder {
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
        Encoder {
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
        }
    }

    /// Sets the database and the retention policy of the points.
    pub(super) fn set_source(&mut self, database: &str, retention_policy: &str) {
        self.source = encoded(messages::Point {
            database: database.to_owned(),
            retention_policy: retention_policy.to_owned(),
            ..messages::Point::default()
        });
    }

    /// Adds all parts of a usual line to `frame`, except for the time, which it returns if the line
    /// has one. Returns none for any other line.
    pub(super) fn encode(
        &mut self,
        line: &str,
        precision: Precision,
        frame: &mut PointFrame<'_>,
    ) -> Option<Option<i64>> {
        self.unescaped.clear();
        let (name, mut at) = self.text(line, 0, &MEASUREMENT)?;
        if line.starts_with('#') {
            return None;
        }
        at = self.parse_tags(line, at)?;
        if at > MAX_KEY || line.as_bytes().get(at) != Some(&b' ') {
            return None;
        }
        self.encode_key(line, &name, frame);
        at = self.encode_fields(line, at + 1, frame)?;
        if at == line.len() {
            return Some(None);
        }
        // The fields end at a blank.
        let time = whole(&line.as_bytes()[at + 1..])?;
        precision.time(time).map(Some)
    }

    /// Parses the tags. Gives up unless they are sorted.
    #[inline]
    fn parse_tags(&mut self, line: &str, mut at: usize) -> Option<usize> {
        self.tags.clear();
        while line.as_bytes().get(at) == Some(&b',') {
            let (name, end) = self.text(line, at + 1, &TAG)?;
            if line.as_bytes().get(end) != Some(&b'=') {
                return None;
            }
            let (value, end) = self.text(line, end + 1, &TAG)?;
            let text = |text: &Text| text.of(line, &self.unescaped);
            if self.tags.last().is_some_and(|last| text(&last.name) >= text(&name)) {
                return None;
            }
            self.tags.push(Tag { name, value });
            at = end;
        }
        Some(at)
    }

    /// Parses a name or the value of a tag. Gives up if it is empty.
    #[inline(always)]
    fn text(&mut self, line: &str, start: usize, rules: &Rules) -> Option<(Text, usize)> {
        let bytes = line.as_bytes();
        let mut at = start;
        let mut is_unescaped = false;
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\\' {
                is_unescaped = true;
                // A backslash is not special to another one.
                at += usize::from(bytes.get(at + 1) != Some(&b'\\'));
            } else if rules.ends.contains(&byte) {
                break;
            }
            at += 1;
        }
        let end = at.min(bytes.len());
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

    /// Adds everything that does not depend on the fields.
    #[inline]
    fn encode_key(&mut self, line: &str, name: &Text, frame: &mut PointFrame<'_>) {
        let Encoder { tags, unescaped, group, .. } = self;
        let text = |text: &Text| text.of(line, unescaped);
        let name = text(name);
        frame.name(name);
        frame.encoded(&self.source);
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
        frame.group(group);
        frame.encoded(&self.dimensions);
        if self.by_all {
            tags.iter().for_each(|tag| frame.dimension(text(&tag.name)));
        }
        tags.iter().for_each(|tag| frame.tag(text(&tag.name), text(&tag.value)));
    }

    /// Parses and adds the fields. Gives up if one has a backslash in its name, or if two have the
    /// same name.
    #[inline]
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
            at += bytes[at..].iter().position(|byte| matches!(byte, b'=' | b',' | b' ' | b'\\'))?;
            if bytes[at] != b'=' || at == start || !self.fields.add(bytes, start..at) {
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
                frame.string(name, text.of(line, &self.unescaped));
                Some(end)
            }
            b'0'..=b'9' | b'-' | b'.' => {
                let (value, length) = number(&line[at..])?;
                match value {
                    Number::Float(value) => frame.float(name, value),
                    Number::Int(value) => frame.int(name, value),
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
                frame.bool(name, value);
                Some(at + end)
            }
        }
    }

    /// Takes quoted text. Returns it and the position behind its closing quote.
    #[inline]
    fn quoted(&mut self, line: &str, start: usize) -> Option<(Text, usize)> {
        let bytes = line.as_bytes();
        let special = |from: usize| {
            let found = bytes[from..].iter().position(|byte| matches!(byte, b'"' | b'\\'));
            found.map(|at| from + at)
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

/// Returns the encoding of a point.
fn encoded(point: messages::Point) -> Vec<u8> {
    PointBuf::from(point).as_point().as_bytes().to_vec()
}
