//! Reads any protobuf message, record by record.

use super::Span;
use super::error::Problem;
use crate::wire::{self, VarintError};

pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// The maximum depth of nested groups in unknown fields, as in prost.
pub(super) const MAX_DEPTH: u32 = 100;

/// A position in bytes that are read record by record.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
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

    pub(super) fn key(&mut self) -> Result<(u32, u32), Problem> {
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

    pub(super) fn int(&mut self, wire_type: u32) -> Result<u64, Problem> {
        if wire_type == VARINT { self.varint() } else { Err(Problem::WrongType) }
    }

    pub(super) fn double(&mut self, wire_type: u32) -> Result<u64, Problem> {
        if wire_type != FIXED64 {
            return Err(Problem::WrongType);
        }
        let start = self.at;
        self.advance(8)?;
        let bytes = self.bytes[start..self.at].try_into().map_err(|_| Problem::Cut)?;
        Ok(u64::from_le_bytes(bytes))
    }

    pub(super) fn span(&mut self, wire_type: u32) -> Result<Span, Problem> {
        if wire_type != BYTES {
            return Err(Problem::WrongType);
        }
        let length = self.varint()?;
        let start = self.at;
        self.advance(length)?;
        Ok(Span::new(start, self.at - start))
    }

    pub(super) fn text(&mut self, wire_type: u32) -> Result<Span, Problem> {
        let span = self.span(wire_type)?;
        let is_utf8 = wire::is_utf8(&self.bytes[span.range()]);
        if is_utf8 { Ok(span) } else { Err(Problem::NotUtf8) }
    }

    pub(super) fn skip(&mut self, field: u32, wire_type: u32, depth: u32) -> Result<(), Problem> {
        // Limits the recursion, so that nested groups cannot overflow the stack.
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

/// Iterates over the records of a message. Ends after the first malformed record.
pub(crate) struct Records<'a> {
    cursor: Cursor<'a>,
}

/// A record of a message.
pub(crate) struct Record {
    /// The number of the member.
    pub(crate) member: u32,
    /// The record from its key to its end.
    pub(crate) whole: Span,
    /// The bytes after the key and the length, for a length-delimited record.
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
