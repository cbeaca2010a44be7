//! Walks over the parts of a point without an index.

use super::Kind;
use super::index::{
    BOOL, DATABASE, DIMENSION, DOUBLE, ENTRY_DOUBLE, ENTRY_NAME, ENTRY_TEXT, ENTRY_VARINT, GROUP,
    INT, NAME, RETENTION_POLICY, STRING, TAG, TIME,
};
use super::repeats::{Repeats, hash};
use crate::wire::{is_utf8, key, varint};

const BY_NAME: u8 = key(11, 0);

/// Takes the parts of a point from [`visit_parts`]. A method returns none to end the walk.
pub trait VisitParts<'a> {
    /// Takes the time, in nanoseconds since the epoch.
    fn time(&mut self, nanos: i64) -> Option<()>;

    /// Takes the name of the measurement, which is not empty.
    fn name(&mut self, name: RawText<'a>) -> Option<()>;

    /// Takes a tag.
    fn tag(&mut self, name: RawText<'a>, value: RawText<'a>) -> Option<()>;

    /// Takes a field.
    fn field(&mut self, name: RawText<'a>, value: RawValue<'a>) -> Option<()>;
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub enum RawValue<'a> {
    /// A float.
    Float(f64),
    /// An integer.
    Int(i64),
    /// Text.
    String(RawText<'a>),
    /// A boolean.
    Bool(bool),
}

/// Bytes that must be text. [`visit_parts`] does not check whether they are UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct RawText<'a> {
    /// The bytes, and what is behind them in the point.
    tail: &'a [u8],
    length: usize,
}

impl<'a> RawText<'a> {
    /// Returns the bytes.
    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        // The text is within the tail.
        self.tail.get(..self.length).unwrap_or_default()
    }

    /// Returns whether there are no bytes.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Returns 16 bytes that begin with the text, and the length of the text. Returns none for a
    /// longer text, and at the end of the point.
    ///
    /// Copying a fixed number of bytes is faster than copying the text alone.
    #[inline(always)]
    pub fn chunk(self) -> Option<(&'a [u8; 16], usize)> {
        let chunk = self.tail.first_chunk()?;
        (self.length <= chunk.len()).then_some((chunk, self.length))
    }
}

/// Visits the parts of a point that belong to a line of line protocol, in the order of the wire.
/// Returns whether the visitor got all of them.
///
/// This is the fast way through a usual point, and it knows no other way. It returns `None` if
/// [`PointIndex`](super::PointIndex) must find out what the point contains:
///
/// - The point is malformed, or does not have the encoding that programs write.
/// - A name may occur twice. The last part of a name counts, so the others would have to be left
///   out.
/// - The point has more than 128 tags and fields, or an empty name.
/// - Text outside of the parts is not UTF-8.
///
/// ```
/// use udf_proto::point::{PointFrame, RawText, RawValue, VisitParts, visit_parts};
///
/// /// Counts fields.
/// struct Count(usize);
///
/// impl<'a> VisitParts<'a> for Count {
///     fn time(&mut self, _: i64) -> Option<()> {
///         Some(())
///     }
///     fn name(&mut self, _: RawText<'a>) -> Option<()> {
///         Some(())
///     }
///     fn tag(&mut self, _: RawText<'a>, _: RawText<'a>) -> Option<()> {
///         Some(())
///     }
///     fn field(&mut self, _: RawText<'a>, _: RawValue<'a>) -> Option<()> {
///         self.0 += 1;
///         Some(())
///     }
/// }
///
/// let mut buffer = [0; 100];
/// let mut frame = PointFrame::begin(&mut buffer);
/// frame.int("count", 3).and_then(|()| frame.int("errors", 0)).expect("the buffer is large enough");
/// let mut count = Count(0);
/// assert!(visit_parts(frame.point(), &mut count).is_some());
/// assert_eq!(count.0, 2);
/// ```
#[inline(always)]
pub fn visit_parts<'a>(point: &'a [u8], visitor: &mut impl VisitParts<'a>) -> Option<()> {
    let mut rest = point;
    let mut is_named = false;
    let mut names = Repeats::new();
    while let Some(&key) = rest.first() {
        rest = match key {
            TAG => entries(TAG, Kind::Tag, rest, &mut names, |name, value| {
                visitor.tag(name, text_of(value)?)
            })?,
            DOUBLE => entries(DOUBLE, Kind::Float, rest, &mut names, |name, value| {
                let [ENTRY_DOUBLE, bits @ ..] = value.tail.first_chunk::<9>()? else { return None };
                let value = (value.length == 9).then_some(f64::from_le_bytes(*bits))?;
                visitor.field(name, RawValue::Float(value))
            })?,
            INT => entries(INT, Kind::Int, rest, &mut names, |name, value| {
                visitor.field(name, RawValue::Int(varint_of(value)? as i64))
            })?,
            STRING => entries(STRING, Kind::String, rest, &mut names, |name, value| {
                visitor.field(name, RawValue::String(text_of(value)?))
            })?,
            BOOL => entries(BOOL, Kind::Bool, rest, &mut names, |name, value| {
                visitor.field(name, RawValue::Bool(varint_of(value)? != 0))
            })?,
            NAME => {
                let (name, rest) = text(rest)?;
                if is_named || name.length == 0 {
                    return None;
                }
                is_named = true;
                visitor.name(name)?;
                rest
            }
            DATABASE | RETENTION_POLICY | GROUP | DIMENSION => {
                let (text, rest) = text(rest)?;
                is_utf8(text.bytes()).then_some(rest)?
            }
            TIME => {
                let (time, end) = varint(rest, 1).ok()?;
                visitor.time(time as i64)?;
                rest.get(end..)?
            }
            BY_NAME => match rest {
                [_, ..0x80, rest @ ..] => rest,
                _ => return None,
            },
            _ => return None,
        };
    }
    Some(())
}

/// Visits adjacent entries of a map, and returns the bytes behind them.
#[inline(always)]
fn entries<'a>(
    key: u8,
    kind: Kind,
    mut rest: &'a [u8],
    names: &mut Repeats,
    mut visit: impl FnMut(RawText<'a>, RawText<'a>) -> Option<()>,
) -> Option<&'a [u8]> {
    while rest.first() == Some(&key) {
        let (entry, behind) = text(rest)?;
        let [ENTRY_NAME, ..] = entry.tail else { return None };
        let (name, value) = text(entry.tail)?;
        // The name must not end behind the entry.
        let length = value.len().checked_sub(behind.len())?;
        if name.length == 0 || names.add(hash(kind as u8, name.tail, name.length)) {
            return None;
        }
        visit(name, RawText { tail: value, length })?;
        rest = behind;
    }
    Some(rest)
}

/// Splits a record of bytes behind its key, and the bytes behind it.
#[inline(always)]
fn text(record: &[u8]) -> Option<(RawText<'_>, &[u8])> {
    let (length, start) = match record {
        [_, length @ ..0x80, ..] => (usize::from(*length), 2),
        _ => long(record)?,
    };
    let tail = record.get(start..)?;
    Some((RawText { tail, length }, tail.get(length..)?))
}

/// Returns the length of a record of many bytes, and where they start.
#[inline(never)]
fn long(record: &[u8]) -> Option<(usize, usize)> {
    let (length, start) = varint(record, 1).ok()?;
    Some((usize::try_from(length).ok()?, start))
}

/// Returns the text in the value of an entry.
#[inline(always)]
fn text_of(value: RawText<'_>) -> Option<RawText<'_>> {
    let (text, behind) = text(value.tail)?;
    let is_whole =
        value.tail.first() == Some(&ENTRY_TEXT) && behind.len() + value.length == value.tail.len();
    is_whole.then_some(text)
}

/// Returns the number in the value of an entry.
#[inline(always)]
fn varint_of(value: RawText<'_>) -> Option<u64> {
    let (number, end) = varint(value.tail, 1).ok()?;
    let is_whole = value.tail.first() == Some(&ENTRY_VARINT) && end == value.length;
    is_whole.then_some(number)
}
