//! Checks points without an index, for a program that passes points on and reads no part of them.

use super::index::{
    BOOL, DATABASE, DIMENSION, DOUBLE, ENTRY_DOUBLE, ENTRY_NAME, ENTRY_TEXT, ENTRY_VARINT, GROUP,
    INT, NAME, RETENTION_POLICY, STRING, TAG, TIME,
};
use super::{PointError, PointIndex};
use crate::wire;

/// A shorter point cannot have too many entries: each takes two bytes or more.
const MOST_USUAL: usize = 1 << 16;

/// Checks points. Accepts and refuses the same bytes as [`PointIndex::parse`], in less time.
///
/// ```
/// use udf_proto::messages;
/// use udf_proto::point::PointCheck;
/// use prost::Message;
///
/// let bytes = messages::Point { time: 7, ..Default::default() }.encode_to_vec();
/// let mut check = PointCheck::new();
/// assert!(check.check(&bytes).is_ok());
/// assert!(check.check(b"no point").is_err());
/// ```
#[derive(Debug, Default)]
pub struct PointCheck {
    /// For points that are not of the usual shape.
    index: PointIndex,
}

impl PointCheck {
    /// Creates a check.
    pub fn new() -> Self {
        PointCheck::default()
    }

    /// Checks `bytes`, the encoding of one Point message.
    ///
    /// # Errors
    /// Returns the error of [`PointIndex::parse`].
    #[inline]
    pub fn check(&mut self, bytes: &[u8]) -> Result<(), PointError> {
        if is_usual(bytes) { Ok(()) } else { self.index.parse(bytes).map(drop) }
    }
}

/// Returns whether all records have the usual shape, and all text is ASCII. The bytes with a high bit
/// are counted as [`PointIndex`] counts them.
///
/// Only the length of a record leads to the next one, so that the processor can check several records
/// at the same time.
fn is_usual(bytes: &[u8]) -> bool {
    if bytes.len() > MOST_USUAL {
        return false;
    }
    let mut not_text = 0;
    let mut rest = bytes;
    while let [key, behind @ ..] = rest {
        if *key == TIME {
            let Ok((_, end)) = wire::varint(rest, 1) else { return false };
            not_text += end as u64 - 2;
            rest = &rest[end..];
            continue;
        }
        let [length @ ..0x80, behind @ ..] = behind else { return false };
        let Some((body, next)) = behind.split_at_checked(usize::from(*length)) else {
            return false;
        };
        let is_usual = match *key {
            DOUBLE => is_double(body, &mut not_text),
            TAG | STRING => is_text_entry(body),
            INT | BOOL => is_varint_entry(body, &mut not_text),
            NAME | DATABASE | RETENTION_POLICY | GROUP | DIMENSION => true,
            _ => false,
        };
        if !is_usual {
            return false;
        }
        rest = next;
    }
    wire::count_high(bytes) == not_text
}

/// Splits an entry of a map behind its name.
#[inline(always)]
fn behind_name(body: &[u8]) -> Option<&[u8]> {
    let [ENTRY_NAME, length, rest @ ..] = body else { return None };
    rest.get(usize::from(*length)..)
}

#[inline(always)]
fn is_double(body: &[u8], not_text: &mut u64) -> bool {
    let Some(Ok([ENTRY_DOUBLE, bits @ ..])) = behind_name(body).map(<&[u8; 9]>::try_from) else {
        return false;
    };
    *not_text += wire::count_high_of_word(u64::from_le_bytes(*bits));
    true
}

#[inline(always)]
fn is_text_entry(body: &[u8]) -> bool {
    let Some([ENTRY_TEXT, length, text @ ..]) = behind_name(body) else { return false };
    text.len() == usize::from(*length)
}

#[inline(always)]
fn is_varint_entry(body: &[u8], not_text: &mut u64) -> bool {
    let Some([ENTRY_VARINT, number @ ..]) = behind_name(body) else { return false };
    *not_text += number.len() as u64 - u64::from(!number.is_empty());
    wire::varint(number, 0).is_ok_and(|(_, end)| end == number.len())
}
