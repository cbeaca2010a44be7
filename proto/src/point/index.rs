//! Indexes a point: one pass over its bytes records the position of every part.
//!
//! The usual encoding has a fast path: keys of one byte, lengths below 128, and map entries with a
//! key followed by a value. `general` handles every other encoding that protobuf allows.
//!
//! In the usual encoding, UTF-8 is not checked string by string. Instead, bytes with a high bit are
//! counted twice: in all bytes, which is fast, and in the parts that are not text. The pass reads
//! those parts anyway. If both counts are equal, all text is ASCII. Otherwise each string is
//! checked.

use super::cursor::{BYTES, Cursor, FIXED64, MAX_DEPTH, VARINT};
use super::error::{PointError, Problem};
use super::{Entry, Head, Kind, Point, Span};
use crate::frame::MAX_LIMIT;
use crate::wire::{self, key};

/// The maximum number of dimensions, tags and fields of a point. Limits the memory of the table.
const MAX_ENTRIES: usize = 1 << 16;

/// A table with room for more entries shrinks before the next point. This many take 64 KiB.
const KEPT_ENTRIES: usize = 4096;

pub(super) const TIME: u8 = key(1, VARINT);
pub(super) const NAME: u8 = key(2, BYTES);
pub(super) const DATABASE: u8 = key(3, BYTES);
pub(super) const RETENTION_POLICY: u8 = key(4, BYTES);
pub(super) const GROUP: u8 = key(5, BYTES);
pub(super) const DIMENSION: u8 = key(6, BYTES);
pub(super) const TAG: u8 = key(7, BYTES);
pub(super) const DOUBLE: u8 = key(8, BYTES);
pub(super) const INT: u8 = key(9, BYTES);
pub(super) const STRING: u8 = key(10, BYTES);
pub(super) const BOOL: u8 = key(12, BYTES);

/// The keys within an entry of a map: the key of the name, and the keys of the values by wire type.
pub(super) const ENTRY_NAME: u8 = key(1, BYTES);
pub(super) const ENTRY_TEXT: u8 = key(2, BYTES);
pub(super) const ENTRY_DOUBLE: u8 = key(2, FIXED64);
pub(super) const ENTRY_VARINT: u8 = key(2, VARINT);

/// The names of the members by number, for error messages.
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

/// The positions of the parts of a point. Every point reuses the tables.
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
    /// The name of the current batch.
    batch: String,
}

impl PointIndex {
    /// Creates empty tables. They grow to the largest point.
    pub fn new() -> Self {
        PointIndex::default()
    }

    /// Indexes and validates `bytes`, the encoding of one Point message.
    ///
    /// # Errors
    /// If prost could not decode the bytes, or if a map field has the wrong wire type, which prost
    /// does not check.
    #[inline]
    pub fn parse<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Point<'a>, PointError> {
        self.index(bytes)?;
        Ok(Point { bytes, head: &self.head, entries: &self.entries, batch: &self.batch })
    }

    /// Frees the memory that a point with very many parts needed. Parsing the next point does the
    /// same.
    pub fn give_room_back(&mut self) {
        self.entries.clear();
        self.entries.shrink_to(KEPT_ENTRIES);
    }

    /// Sets the name of the current batch. Points without a name get this name. Empty outside of a
    /// batch.
    pub fn set_batch(&mut self, name: &str) {
        self.batch.clear();
        self.batch.push_str(name);
    }

    fn index(&mut self, bytes: &[u8]) -> Result<(), PointError> {
        self.head = Head::default();
        self.give_room_back();
        if bytes.len() > MAX_LIMIT {
            return Err(PointError { problem: Problem::TooLong, member: None, offset: 0 });
        }
        // The bytes with a high bit in records of the usual shape, and those of them that are not
        // text. Records of another shape are checked one by one and not counted.
        let (mut high, mut not_text) = (0, 0);
        let mut uncounted = 0;
        let mut rest = bytes;
        while let Some(&key) = rest.first() {
            let at = bytes.len() - rest.len();
            let usual = match key {
                TAG => self.usual_entries(bytes, rest, TAG, &mut not_text),
                DOUBLE => self.usual_entries(bytes, rest, DOUBLE, &mut not_text),
                INT => self.usual_entries(bytes, rest, INT, &mut not_text),
                STRING => self.usual_entries(bytes, rest, STRING, &mut not_text),
                BOOL => self.usual_entries(bytes, rest, BOOL, &mut not_text),
                NAME => usual_text(bytes, rest, |text| self.head.set_text(0, text)),
                DATABASE => usual_text(bytes, rest, |text| self.head.set_text(1, text)),
                RETENTION_POLICY => usual_text(bytes, rest, |text| self.head.set_text(2, text)),
                GROUP => usual_text(bytes, rest, |text| self.head.set_text(3, text)),
                DIMENSION if self.entries.len() < MAX_ENTRIES => {
                    let entry = |name| Entry::new(Kind::Dimension, name, 0);
                    usual_text(bytes, rest, |name| self.entries.push(entry(name)))
                }
                TIME => self.usual_time(rest, &mut not_text),
                _ => None,
            };
            rest = match usual {
                Some(rest) => rest,
                None => {
                    let next = self.general(bytes, at)?;
                    high += wire::count_high(&bytes[uncounted..at]);
                    uncounted = next;
                    &bytes[next..]
                }
            };
        }
        high += wire::count_high(&bytes[uncounted..]);
        if high == not_text { Ok(()) } else { self.check_text(bytes) }
    }

    #[inline(always)]
    fn usual_time<'a>(&mut self, rest: &'a [u8], not_text: &mut u64) -> Option<&'a [u8]> {
        let (time, end) = wire::varint(rest, 1).ok()?;
        self.head.time = time as i64;
        // All bytes of a varint except the last have a high bit.
        *not_text += end as u64 - 2;
        Some(&rest[end..])
    }

    /// Indexes adjacent map entries of the usual shape. Returns none if the first entry has another
    /// shape.
    #[inline(always)]
    fn usual_entries<'a>(
        &mut self,
        bytes: &[u8],
        mut rest: &'a [u8],
        key: u8,
        not_text: &mut u64,
    ) -> Option<&'a [u8]> {
        let (end, before) = (bytes.len(), rest.len());
        while rest.first() == Some(&key) && self.entries.len() < MAX_ENTRIES {
            let read = match key {
                DOUBLE => usual_double(end, rest, not_text),
                TAG => usual_text_entry(end, rest, Kind::Tag),
                STRING => usual_text_entry(end, rest, Kind::String),
                INT => usual_varint_entry(end, rest, Kind::Int, not_text),
                _ => usual_varint_entry(end, rest, Kind::Bool, not_text),
            };
            let Some((entry, next)) = read else { break };
            self.entries.push(entry);
            rest = next;
        }
        if rest.len() == before {
            return None;
        }
        if key != TAG {
            self.head.fields.extend(end - before, end - rest.len());
        }
        Some(rest)
    }

    /// Indexes a record of any shape at `start`. Returns its end.
    #[inline(never)]
    fn general(&mut self, bytes: &[u8], start: usize) -> Result<usize, PointError> {
        let mut cursor = Cursor { bytes, at: start };
        let mut number = 0;
        self.record(&mut cursor, &mut number).map_err(|problem| PointError {
            problem,
            member: MEMBERS.get(number as usize).copied().filter(|member| !member.is_empty()),
            offset: start,
        })?;
        if matches!(number, 8..=10 | 12) {
            self.head.fields.extend(start, cursor.at);
        }
        Ok(cursor.at)
    }

    fn record(&mut self, cursor: &mut Cursor<'_>, number: &mut u32) -> Result<(), Problem> {
        let (field, wire_type) = cursor.key()?;
        *number = field;
        if self.entries.len() == MAX_ENTRIES && matches!(field, 6..=10 | 12) {
            return Err(Problem::TooManyEntries);
        }
        match field {
            1 => self.head.time = cursor.int(wire_type)? as i64,
            2..=5 => self.head.set_text(field as usize - 2, cursor.text(wire_type)?),
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

    /// Indexes an entry of a map: a message with a key and a value. Each may be missing or
    /// repeated, in any order.
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

    /// Checks each string, because some are not ASCII.
    #[inline(never)]
    fn check_text(&self, bytes: &[u8]) -> Result<(), PointError> {
        let is_text = |span: Span| wire::is_utf8(&bytes[span.range()]);
        let all = !self.head.texts_replaced
            && self.head.texts.into_iter().all(is_text)
            && self.entries.iter().all(|entry| {
                is_text(entry.name())
                    && (!matches!(entry.kind(), Kind::Tag | Kind::String)
                        || is_text(Span::unpack(entry.value)))
            });
        if all { Ok(()) } else { check_records(bytes) }
    }
}

/// Indexes a record of text without checking the text.
#[inline(always)]
fn usual_text<'a>(bytes: &[u8], rest: &'a [u8], set: impl FnOnce(Span)) -> Option<&'a [u8]> {
    let [_, length @ ..0x80, rest @ ..] = rest else { return None };
    let (text, next) = rest.split_at_checked(usize::from(*length))?;
    set(Span::new(bytes.len() - rest.len(), text.len()));
    Some(next)
}

// In the next three functions, `end` is the length of all bytes, and `rest` are the bytes that are
// not indexed yet.
#[inline(always)]
fn usual_double<'a>(end: usize, rest: &'a [u8], not_text: &mut u64) -> Option<(Entry, &'a [u8])> {
    let [_, length @ ..0x80, ENTRY_NAME, name_length, rest @ ..] = rest else { return None };
    let name = Span::new(end - rest.len(), usize::from(*name_length));
    let (_, value) = rest.split_at_checked(usize::from(*name_length))?;
    let ([ENTRY_DOUBLE, bits @ ..], next) = value.split_first_chunk::<9>()? else { return None };
    if usize::from(*length) != usize::from(*name_length) + 11 {
        return None;
    }
    let bits = u64::from_le_bytes(*bits);
    *not_text += wire::count_high_of_word(bits);
    Some((Entry::new(Kind::Float, name, bits), next))
}

#[inline(always)]
fn usual_text_entry(end: usize, rest: &[u8], kind: Kind) -> Option<(Entry, &[u8])> {
    let [_, length @ ..0x80, ENTRY_NAME, name_length, rest @ ..] = rest else { return None };
    let name = Span::new(end - rest.len(), usize::from(*name_length));
    let (_, value) = rest.split_at_checked(usize::from(*name_length))?;
    let [ENTRY_TEXT, text_length, value @ ..] = value else { return None };
    let (_, next) = value.split_at_checked(usize::from(*text_length))?;
    if usize::from(*length) != usize::from(*name_length) + usize::from(*text_length) + 4 {
        return None;
    }
    let text = Span::new(end - value.len(), usize::from(*text_length));
    Some((Entry::new(kind, name, text.pack()), next))
}

#[inline(always)]
fn usual_varint_entry<'a>(
    end: usize,
    rest: &'a [u8],
    kind: Kind,
    not_text: &mut u64,
) -> Option<(Entry, &'a [u8])> {
    let [_, length @ ..0x80, ENTRY_NAME, name_length, rest @ ..] = rest else { return None };
    let name = Span::new(end - rest.len(), usize::from(*name_length));
    let (_, value) = rest.split_at_checked(usize::from(*name_length))?;
    let [ENTRY_VARINT, value @ ..] = value else { return None };
    let (number, taken) = wire::varint(value, 0).ok()?;
    if usize::from(*length) != usize::from(*name_length) + taken + 3 {
        return None;
    }
    *not_text += taken as u64 - 1;
    let number = if kind == Kind::Bool { u64::from(number != 0) } else { number };
    Some((Entry::new(kind, name, number), &value[taken..]))
}

/// Checks each record again, to return the error of the malformed one.
#[cold]
fn check_records(bytes: &[u8]) -> Result<(), PointError> {
    let mut unused = PointIndex::new();
    let mut at = 0;
    while at < bytes.len() {
        at = unused.general(bytes, at)?;
        unused.entries.clear();
    }
    Ok(())
}
