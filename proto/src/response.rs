//! How answers and data become frames of Response messages.

use std::ops::Range;

use prost::Message as _;

use crate::frame;
use crate::messages::{Response, response};
use crate::point::{EditScratch, Point};
use crate::request::POINT;
use crate::wire::{put_varint, varint_len};

/// Appends the frame of an answer, or of the begin or end of a batch.
pub fn append(message: response::Message, out: &mut Vec<u8>) {
    frame::append(&Response { message: Some(message) }, out);
}

/// Appends the frame of `point` as it came.
#[inline]
pub fn append_point(point: Point<'_>, out: &mut Vec<u8>) {
    append_point_head(point.as_bytes().len(), out);
    out.extend_from_slice(point.as_bytes());
}

/// Appends the frame of the point that `changes` make of `base`; returns where its body lies.
#[inline]
pub fn append_edited(
    base: Option<Point<'_>>,
    changes: &mut EditScratch,
    out: &mut Vec<u8>,
) -> Range<usize> {
    let length = changes.plan(base);
    append_point_head(length, out);
    let start = out.len();
    changes.write(base, out);
    start..out.len()
}

#[inline]
fn append_point_head(length: usize, out: &mut Vec<u8>) {
    put_varint((POINT.len() + varint_len(length as u64) + length) as u64, out);
    out.extend_from_slice(&POINT);
    put_varint(length as u64, out);
}

/// Decodes a frame that a UDF sent.
///
/// # Errors
/// When the frame is not a response.
pub fn decode(frame: &[u8]) -> Result<Option<response::Message>, prost::DecodeError> {
    Ok(Response::decode(frame)?.message)
}
