//! Encodes a point part by part, without a message in between.

use std::ops::Range;

use crate::request::POINT_KEY;
use crate::wire::{MAX_VARINT, key, put_varint, varint_len};

/// The usual length of the head of a frame: two bytes for each length, and the key.
const HEAD: usize = 2 + POINT_KEY.len() + 2;

/// Appends a point to a buffer as a whole frame, part by part.
///
/// The parts can come in any order. Readers are fastest if the parts of one kind are adjacent, and
/// if all fields are. The parts are those of the encoding: a tag or a field that is added twice is
/// there twice, and the last one counts.
///
/// ```
/// use udf_proto::point::{PointFrame, PointIndex};
///
/// let mut frames = Vec::new();
/// let mut frame = PointFrame::begin(&mut frames);
/// frame.name("cpu");
/// frame.tag("host", "a");
/// frame.float("usage", 1.5);
/// frame.time(10);
/// let point = frame.end();
///
/// let mut index = PointIndex::new();
/// let point = index.parse(&frames[point])?;
/// assert_eq!((point.time(), point.float("usage")?), (10, 1.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PointFrame<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> PointFrame<'o> {
    /// Begins a frame at the end of `out`.
    #[inline]
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD]);
        PointFrame { out, start }
    }

    /// Sets the name of the measurement.
    #[inline]
    pub fn name(&mut self, name: &str) {
        self.text(2, name);
    }

    /// Sets the group.
    #[inline]
    pub fn group(&mut self, group: &str) {
        self.text(5, group);
    }

    /// Adds a dimension.
    #[inline]
    pub fn dimension(&mut self, tag: &str) {
        self.text(6, tag);
    }

    /// Adds parts that are encoded already: whole records of a point, such as the bytes of another
    /// one.
    #[inline]
    pub fn encoded(&mut self, records: &[u8]) {
        self.out.extend_from_slice(records);
    }

    /// Adds a tag.
    #[inline]
    pub fn tag(&mut self, name: &str, value: &str) {
        self.text_entry(7, name, value);
    }

    /// Adds a float.
    #[inline]
    pub fn float(&mut self, name: &str, value: f64) {
        self.entry(8, name, 9);
        let mut encoded = [key(2, 1); 9];
        encoded[1..].copy_from_slice(&value.to_le_bytes());
        self.out.extend_from_slice(&encoded);
    }

    /// Adds an integer.
    #[inline]
    pub fn int(&mut self, name: &str, value: i64) {
        self.entry(9, name, 1 + varint_len(value as u64));
        self.out.push(key(2, 0));
        put_varint(value as u64, self.out);
    }

    /// Adds a text.
    #[inline]
    pub fn string(&mut self, name: &str, value: &str) {
        self.text_entry(10, name, value);
    }

    /// Adds a boolean.
    #[inline]
    pub fn bool(&mut self, name: &str, value: bool) {
        self.entry(12, name, 2);
        self.out.extend_from_slice(&[key(2, 0), value.into()]);
    }

    /// Sets the time, in nanoseconds since the epoch.
    #[inline]
    pub fn time(&mut self, nanos: i64) {
        self.out.push(key(1, 0));
        put_varint(nanos as u64, self.out);
    }

    /// Ends the frame. Returns the position of the encoded point in the buffer.
    #[inline]
    pub fn end(self) -> Range<usize> {
        let body = self.start + HEAD;
        let length = self.out.len() - body;
        let frame = length + HEAD - 2;
        if length >= 0x80 && frame < 0x4000 {
            let [low, high] = POINT_KEY;
            let two = |length: usize| [length as u8 | 0x80, (length >> 7) as u8];
            let ([a, b], [c, d]) = (two(frame), two(length));
            self.out[self.start..body].copy_from_slice(&[a, b, low, high, c, d]);
            return body..self.out.len();
        }
        self.end_unusual(length)
    }

    /// Ends a frame whose head has another length than the usual one.
    #[cold]
    fn end_unusual(self, length: usize) -> Range<usize> {
        let mut head = Vec::with_capacity(2 * MAX_VARINT + POINT_KEY.len());
        put_varint((POINT_KEY.len() + varint_len(length as u64) + length) as u64, &mut head);
        head.extend_from_slice(&POINT_KEY);
        put_varint(length as u64, &mut head);
        self.out.splice(self.start..self.start + HEAD, head);
        self.out.len() - length..self.out.len()
    }

    /// Removes the frame from the buffer again.
    pub fn cancel(self) {
        self.out.truncate(self.start);
    }

    #[inline(always)]
    fn text(&mut self, member: u32, text: &str) {
        self.out.push(key(member, 2));
        put_varint(text.len() as u64, self.out);
        self.out.extend_from_slice(text.as_bytes());
    }

    #[inline(always)]
    fn text_entry(&mut self, member: u32, name: &str, value: &str) {
        self.entry(member, name, 1 + varint_len(value.len() as u64) + value.len());
        self.text(2, value);
    }

    /// Appends the start of an entry of a map: everything before its value, which takes
    /// `value_length` bytes with its key.
    #[inline(always)]
    fn entry(&mut self, member: u32, name: &str, value_length: usize) {
        let length = 1 + varint_len(name.len() as u64) + name.len() + value_length;
        if length < 0x80 {
            let head = [key(member, 2), length as u8, key(1, 2), name.len() as u8];
            self.out.extend_from_slice(&head);
        } else {
            self.out.push(key(member, 2));
            put_varint(length as u64, self.out);
            self.out.push(key(1, 2));
            put_varint(name.len() as u64, self.out);
        }
        self.out.extend_from_slice(name.as_bytes());
    }
}
