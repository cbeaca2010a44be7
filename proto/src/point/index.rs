//! One pass over the bytes of a point, which records where everything lies.
//!
//! The usual shape has a path of its own: keys of one byte, lengths below 128, map entries that hold
//! a key and then a value. Anything else that protobuf allows goes through `general`. Text is checked
//! by whole runs: records of short strings that lie side by side are ASCII if no byte of the run,
//! keys and lengths included, has its high bit set. Only a run that has one is looked at closely.

use super::error::{PointError, Problem};
use super::{Entry, Head, Kind, Point, Span};
use crate::frame::MAX_LIMIT;
use crate::wire::{self, VarintError, key};

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// Groups of unknown fields may be nested this deeply, as in prost.
const MAX_DEPTH: u32 = 100;

const NAME: u8 = key(2, BYTES);
const DATABASE: u8 = key(3, BYTES);
const RETENTION_POLICY: u8 = key(4, BYTES);
const GROUP_NAME: u8 = key(5, BYTES);
const DIMENSION: u8 = key(6, BYTES);
const TAG: u8 = key(7, BYTES);
const DOUBLE: u8 = key(8, BYTES);
const STRING: u8 = key(10, BYTES);

/// The members of a point by their number, for messages.
const MEMBERS: [&str; 13] = [
    "",
    "time",
    "name",
    "database",
    "retentionPolicy",
    "group",
    "dimensions",
    "tags",
    "fieldsDouble",
    "fieldsInt",
    "fieldsString",
    "byName",
    "fieldsBool",
];

/// The tables that hold where the parts of a point lie; reused from point to point.
///
/// ```
/// use udf_proto::messages;
/// use udf_proto::point::PointIndex;
/// use prost::Message;
///
/// let mut message = messages::Point { time: 7, ..Default::default() };
/// message.fields_int.insert("count".into(), 3);
/// let bytes = message.encode_to_vec();
///
/// let mut index = PointIndex::new();
/// let point = index.parse(&bytes)?;
/// assert_eq!(point.time(), 7);
/// assert_eq!(point.number("count")?, 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct PointIndex {
    head: Head,
    entries: Vec<Entry>,
}

impl PointIndex {
    /// Empty tables; they grow to the largest point that they have seen.
    pub fn new() -> Self {
        PointIndex::default()
    }

    /// Indexes and validates `bytes`, the encoding of one Point message.
    ///
    /// # Errors
    /// When prost would refuse to decode them, and when a map field is not of the wire type of
    /// one, which prost does not check.
    #[inline]
    pub fn parse<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Point<'a>, PointError> {
        self.index(bytes)?;
        Ok(Point { bytes, head: &self.head, entries: &self.entries })
    }

    fn index(&mut self, bytes: &[u8]) -> Result<(), PointError> {
        self.entries.clear();
        self.head = Head::default();
        if bytes.len() > MAX_LIMIT {
            return Err(PointError { problem: Problem::TooLong, member: None, offset: 0 });
        }
        let mut at = 0;
        // The run of text records that ends at `at` and is not checked yet.
        let mut run = 0;
        while let Some(&key) = bytes.get(at) {
            let start = at;
            match key {
                NAME | DATABASE | RETENTION_POLICY | GROUP_NAME | DIMENSION | TAG | STRING => {
                    if let Some(next) = self.short_text(bytes, start, key) {
                        at = next;
                        continue;
                    }
                }
                DOUBLE => {
                    if let Some(next) = self.short_double(bytes, start) {
                        check_run(bytes, run, start)?;
                        (at, run) = (next, next);
                        continue;
                    }
                }
                _ => {}
            }
            check_run(bytes, run, start)?;
            at = self.general(bytes, start)?;
            run = at;
        }
        check_run(bytes, run, at)
    }

    /// A record of text in its usual shape, its UTF-8 left to be checked with its run.
    #[inline(always)]
    fn short_text(&mut self, bytes: &[u8], start: usize, key: u8) -> Option<usize> {
        let length = usize::from(*bytes.get(start + 1)?);
        let body = start + 2;
        let record = bytes.get(body..body + length)?;
        if length >= 0x80 {
            return None;
        }
        let span = Span::new(body, length);
        match key {
            TAG | STRING => {
                let kind = if key == TAG { Kind::Tag } else { Kind::String };
                let name_length = usize::from(*record.get(1)?);
                let value_length = usize::from(*record.get(name_length + 3)?);
                let fits = record[0] == wire::key(1, BYTES)
                    && record[name_length + 2] == wire::key(2, BYTES)
                    && name_length + value_length + 4 == length;
                if !fits {
                    return None;
                }
                let value = Span::new(body + name_length + 4, value_length);
                self.entries.push(Entry::new(kind, Span::new(body + 2, name_length), value.pack()));
            }
            DIMENSION => self.entries.push(Entry::new(Kind::Dimension, span, 0)),
            NAME => self.head.name = span,
            DATABASE => self.head.database = span,
            RETENTION_POLICY => self.head.retention_policy = span,
            _ => self.head.group = span,
        }
        Some(body + length)
    }

    /// An entry of `fieldsDouble` in its usual shape and with an ASCII name.
    #[inline(always)]
    fn short_double(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let length = usize::from(*bytes.get(start + 1)?);
        let body = start + 2;
        let record = bytes.get(body..body + length)?;
        let name_length = length.checked_sub(11)?;
        let (name, value) = record[2..].split_at(name_length);
        let fits = length < 0x80
            && record[0] == wire::key(1, BYTES)
            && usize::from(record[1]) == name_length
            && value[0] == wire::key(2, FIXED64)
            && name.is_ascii();
        if !fits {
            return None;
        }
        let bits = u64::from_le_bytes(value[1..].try_into().ok()?);
        self.entries.push(Entry::new(Kind::Float, Span::new(body + 2, name_length), bits));
        Some(body + length)
    }

    /// A record of any shape at `start`; returns where it ends.
    fn general(&mut self, bytes: &[u8], start: usize) -> Result<usize, PointError> {
        let mut cursor = Cursor { bytes, at: start };
        let mut number = 0;
        self.record(&mut cursor, &mut number).map_err(|problem| PointError {
            problem,
            member: MEMBERS.get(number as usize).copied().filter(|member| !member.is_empty()),
            offset: start,
        })?;
        Ok(cursor.at)
    }

    fn record(&mut self, cursor: &mut Cursor<'_>, number: &mut u32) -> Result<(), Problem> {
        let (field, wire_type) = cursor.key()?;
        *number = field;
        match field {
            1 => self.head.time = cursor.int(wire_type)? as i64,
            2 => self.head.name = cursor.text(wire_type)?,
            3 => self.head.database = cursor.text(wire_type)?,
            4 => self.head.retention_policy = cursor.text(wire_type)?,
            5 => self.head.group = cursor.text(wire_type)?,
            6 => {
                let name = cursor.text(wire_type)?;
                self.entries.push(Entry::new(Kind::Dimension, name, 0));
            }
            7 => self.map_entry(Kind::Tag, cursor, wire_type)?,
            8 => self.map_entry(Kind::Float, cursor, wire_type)?,
            9 => self.map_entry(Kind::Int, cursor, wire_type)?,
            10 => self.map_entry(Kind::String, cursor, wire_type)?,
            11 => self.head.by_name = cursor.int(wire_type)? != 0,
            12 => self.map_entry(Kind::Bool, cursor, wire_type)?,
            _ => cursor.skip(field, wire_type, MAX_DEPTH)?,
        }
        Ok(())
    }

    /// An entry of a map: a message with a key and a value, each of which may be missing, come in
    /// any order, and come again.
    fn map_entry(
        &mut self,
        kind: Kind,
        cursor: &mut Cursor<'_>,
        wire_type: u32,
    ) -> Result<(), Problem> {
        let entry = cursor.span(wire_type)?;
        let mut inner = Cursor { bytes: &cursor.bytes[..entry.end()], at: entry.start() };
        let mut name = Span::default();
        let mut value = 0;
        while inner.at < inner.bytes.len() {
            match inner.key()? {
                (1, wire_type) => name = inner.text(wire_type)?,
                (2, wire_type) => {
                    value = match kind {
                        Kind::Float => inner.double(wire_type)?,
                        Kind::Int => inner.int(wire_type)?,
                        Kind::Bool => u64::from(inner.int(wire_type)? != 0),
                        Kind::Tag | Kind::String | Kind::Dimension => inner.text(wire_type)?.pack(),
                    }
                }
                (field, wire_type) => inner.skip(field, wire_type, MAX_DEPTH - 1)?,
            }
        }
        self.entries.push(Entry::new(kind, name, value));
        Ok(())
    }

    pub(super) fn into_parts(self) -> (Head, Vec<Entry>) {
        (self.head, self.entries)
    }
}

/// Checks that the text in the records at `start..end`, all in their usual shape, is UTF-8.
#[inline(always)]
fn check_run(bytes: &[u8], start: usize, end: usize) -> Result<(), PointError> {
    if bytes[start..end].is_ascii() { Ok(()) } else { check_closely(&bytes[..end], start) }
}

#[cold]
fn check_closely(bytes: &[u8], mut at: usize) -> Result<(), PointError> {
    let mut unused = PointIndex::new();
    while at < bytes.len() {
        at = unused.general(bytes, at)?;
    }
    Ok(())
}

/// A place in bytes that are read record by record.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn varint(&mut self) -> Result<u64, Problem> {
        let (value, next) = wire::varint(self.bytes, self.at).map_err(|error| match error {
            VarintError::Cut => Problem::Cut,
            VarintError::TooLong => Problem::BadVarint,
        })?;
        self.at = next;
        Ok(value)
    }

    fn key(&mut self) -> Result<(u32, u32), Problem> {
        let key = u32::try_from(self.varint()?).map_err(|_| Problem::BadKey)?;
        let (field, wire_type) = (key >> 3, key & 7);
        if field == 0 || wire_type > FIXED32 {
            return Err(Problem::BadKey);
        }
        Ok((field, wire_type))
    }

    fn advance(&mut self, length: u64) -> Result<(), Problem> {
        if length > (self.bytes.len() - self.at) as u64 {
            return Err(Problem::Cut);
        }
        self.at += length as usize;
        Ok(())
    }

    fn int(&mut self, wire_type: u32) -> Result<u64, Problem> {
        if wire_type == VARINT { self.varint() } else { Err(Problem::WrongType) }
    }

    fn double(&mut self, wire_type: u32) -> Result<u64, Problem> {
        if wire_type != FIXED64 {
            return Err(Problem::WrongType);
        }
        let start = self.at;
        self.advance(8)?;
        let bytes = self.bytes[start..self.at].try_into().map_err(|_| Problem::Cut)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn span(&mut self, wire_type: u32) -> Result<Span, Problem> {
        if wire_type != BYTES {
            return Err(Problem::WrongType);
        }
        let length = self.varint()?;
        let start = self.at;
        self.advance(length)?;
        Ok(Span::new(start, self.at - start))
    }

    fn text(&mut self, wire_type: u32) -> Result<Span, Problem> {
        let span = self.span(wire_type)?;
        match std::str::from_utf8(&self.bytes[span.start()..span.end()]) {
            Ok(_) => Ok(span),
            Err(_) => Err(Problem::NotUtf8),
        }
    }

    fn skip(&mut self, field: u32, wire_type: u32, depth: u32) -> Result<(), Problem> {
        let depth = depth.checked_sub(1).ok_or(Problem::BadGroup)?;
        match wire_type {
            VARINT => self.varint().map(|_| ()),
            FIXED64 => self.advance(8),
            FIXED32 => self.advance(4),
            BYTES => {
                let length = self.varint()?;
                self.advance(length)
            }
            GROUP => loop {
                match self.key()? {
                    (inner, END_GROUP) if inner == field => return Ok(()),
                    (_, END_GROUP) => return Err(Problem::BadGroup),
                    (inner, wire_type) => self.skip(inner, wire_type, depth)?,
                }
            },
            _ => Err(Problem::BadGroup),
        }
    }
}

/// The bytes of a message cut into its records; ends after the first that is malformed.
pub(crate) struct Records<'a> {
    cursor: Cursor<'a>,
}

/// A record of a message.
pub(crate) struct Record {
    /// The number of the member.
    pub(crate) member: u32,
    /// From its key to its end.
    pub(crate) whole: Span,
    /// What follows a key and a length.
    pub(crate) body: Option<Span>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Records { cursor: Cursor { bytes, at: 0 } }
    }

    fn read(&mut self) -> Result<Record, Problem> {
        let start = self.cursor.at;
        let (member, wire_type) = self.cursor.key()?;
        let body = if wire_type == BYTES {
            Some(self.cursor.span(wire_type)?)
        } else {
            self.cursor.skip(member, wire_type, MAX_DEPTH)?;
            None
        };
        Ok(Record { member, whole: Span::new(start, self.cursor.at - start), body })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.at == self.cursor.bytes.len() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.cursor.at = self.cursor.bytes.len();
        }
        Some(record)
    }
}
