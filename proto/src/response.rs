//! Encodes responses as frames.

use std::ops::Range;

use prost::Message as _;

use crate::batch::{self, BeginBatch, EndBatch};
use crate::entries::{self, EntriesError};
use crate::frame;
use crate::messages::{Response, response};
use crate::point::{EditScratch, Point};
use crate::request::POINT_KEY;
// A point has the same number in Request and Response.
pub use crate::request::point_bytes;
use crate::wire::{MAX_VARINT, key, put_varint, varint_len};

/// Appends the frame of an answer.
pub fn append(message: response::Message, out: &mut Vec<u8>) {
    frame::append(&Response { message: Some(message) }, out);
}

/// Appends the frame of an unchanged `point`.
#[inline]
pub fn append_point(point: Point<'_>, out: &mut Vec<u8>) {
    append_head(POINT_KEY, point.as_bytes().len(), out);
    out.extend_from_slice(point.as_bytes());
}

/// Appends the frame of `base` with `changes`. Returns the range of its body in `out`.
#[inline]
pub fn append_edited(
    base: Option<Point<'_>>,
    changes: &mut EditScratch,
    out: &mut Vec<u8>,
) -> Range<usize> {
    let length = changes.plan(base);
    append_head(POINT_KEY, length, out);
    let start = out.len();
    changes.write(base, out);
    start..out.len()
}

/// Appends the length of a frame, and the key and the length of the message in it.
#[inline]
fn append_head(key: [u8; 2], length: usize, out: &mut Vec<u8>) {
    let frame = key.len() + varint_len(length as u64) + length;
    // Reserves the room for the whole frame at once.
    out.reserve(frame + MAX_VARINT);
    put_varint(frame as u64, out);
    out.extend_from_slice(&key);
    put_varint(length as u64, out);
}

/// The position of the size of a batch. [`fill_size`] writes the size there later.
#[derive(Debug, Clone, Copy)]
pub struct SizeMark(usize);

/// The key of `begin` in Response: number 16, length-delimited.
const BEGIN: [u8; 2] = [0x82, 0x01];
/// The key of `end` in Response: number 18, length-delimited.
const END: [u8; 2] = [0x92, 0x01];
/// The key of `size` in BeginBatch: number 4, a varint.
const SIZE: u8 = key(4, 0);
/// The encoded size always has this length, so that it can be filled in later. Enough for 2^35
/// points.
const SIZE_LEN: usize = 5;

/// Appends the frame that begins a batch, and leaves its size open. Ignores `begin.size`.
///
/// ```
/// use udf_proto::{BeginBatch, response};
///
/// let mut out = Vec::new();
/// let size = response::append_begin(&BeginBatch::default(), &mut out);
/// response::fill_size(&mut out, size, 300);
/// assert_eq!(out, [9, 0x82, 0x01, 6, 0x20, 0xac, 0x82, 0x80, 0x80, 0x00]);
/// ```
pub fn append_begin(begin: &BeginBatch, out: &mut Vec<u8>) -> SizeMark {
    append_head(BEGIN, batch::begin_len(begin) + 1 + SIZE_LEN, out);
    batch::encode_begin(begin, out);
    out.push(SIZE);
    let mark = SizeMark(out.len());
    out.extend_from_slice(&[0; SIZE_LEN]);
    fill_size(out, mark, 0);
    mark
}

/// Appends the frame that ends a batch.
pub fn append_end(end: &EndBatch, out: &mut Vec<u8>) {
    append_head(END, batch::end_len(end), out);
    batch::encode_end(end, out);
}

/// Sets the size of a batch that [`append_begin`] left open.
pub fn fill_size(out: &mut [u8], SizeMark(at): SizeMark, points: u64) {
    for (i, byte) in out[at..at + SIZE_LEN].iter_mut().enumerate() {
        // A varint may be padded: the high bit of every byte except the last announces another
        // byte.
        let more = if i + 1 < SIZE_LEN { 0x80 } else { 0 };
        *byte = (points >> (7 * i)) as u8 & 0x7f | more;
    }
}

/// Why a frame is not a response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The frame is not a message of this protocol.
    #[error("{0}")]
    Message(String),
    /// The frame has too many entries.
    #[error(transparent)]
    Entries(#[from] EntriesError),
}

impl From<prost::DecodeError> for ResponseError {
    fn from(error: prost::DecodeError) -> Self {
        ResponseError::Message(error.to_string())
    }
}

/// Decodes a frame from a UDF. Returns none for an empty response.
///
/// # Errors
/// If the frame is not a response, or has more than [`MAX_ENTRIES`](crate::entries::MAX_ENTRIES)
/// entries.
pub fn decode(frame: &[u8]) -> Result<Option<response::Message>, ResponseError> {
    entries::check_response(frame)?;
    Ok(Response::decode(frame)?.message)
}
