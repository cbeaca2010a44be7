//! Encodes a point part by part, without a message in between.

use crate::request::POINT_KEY;
use crate::wire::{key, varint_len};

/// The room for the head of a frame: two lengths of at most five bytes, and the key.
const HEAD: usize = 5 + POINT_KEY.len() + 5;

/// Writes a point into a buffer of a fixed size as a whole frame, part by part.
///
/// A method returns none if the buffer is too small for its part. The frame is then unusable.
///
/// The parts can come in any order. Readers are fastest if the parts of one kind are adjacent, and
/// if all fields are. If a tag or a field is added twice, the last one counts.
///
/// ```
/// use udf_proto::point::{PointFrame, PointIndex};
///
/// fn encode(frame: &mut PointFrame<'_>) -> Option<()> {
///     frame.name("cpu")?;
///     frame.tag("host", "a")?;
///     frame.float("usage", 1.5)?;
///     frame.time(10)
/// }
///
/// let mut buffer = [0; 100];
/// let mut frame = PointFrame::begin(&mut buffer);
/// encode(&mut frame).expect("the buffer is large enough");
/// let mut index = PointIndex::new();
/// let point = index.parse(frame.point())?;
/// assert_eq!((point.time(), point.float("usage")?), (10, 1.5));
/// assert_eq!(frame.end().len(), 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PointFrame<'b> {
    buffer: &'b mut [u8],
    at: usize,
}

impl<'b> PointFrame<'b> {
    /// Begins a frame. Frames that are longer than the buffer less a few bytes do not fit.
    #[inline(always)]
    pub fn begin(buffer: &'b mut [u8]) -> Self {
        PointFrame { buffer, at: HEAD }
    }

    /// Sets the name of the measurement.
    #[inline(always)]
    pub fn name(&mut self, name: &str) -> Option<()> {
        self.text(2, name)
    }

    /// Sets the group.
    #[inline(always)]
    pub fn group(&mut self, group: &str) -> Option<()> {
        self.text(5, group)
    }

    /// Adds a dimension.
    #[inline(always)]
    pub fn dimension(&mut self, tag: &str) -> Option<()> {
        self.text(6, tag)
    }

    /// Adds parts that are encoded already, such as the bytes of another point.
    #[inline(always)]
    pub fn encoded(&mut self, records: &[u8]) -> Option<()> {
        self.room(records.len())?.copy_from_slice(records);
        Some(())
    }

    /// Adds a tag.
    #[inline(always)]
    pub fn tag(&mut self, name: &str, value: &str) -> Option<()> {
        self.text_entry(7, name, value)
    }

    /// Adds a float.
    #[inline(always)]
    pub fn float(&mut self, name: &str, value: f64) -> Option<()> {
        let mut encoded = [key(2, 1); 9];
        encoded[1..].copy_from_slice(&value.to_le_bytes());
        let length = name.len() + 11;
        if length >= 0x80 {
            self.entry(8, name, 9)?;
            return self.encoded(&encoded);
        }
        // The usual shape, written with one check of the room.
        let (head, rest) = self.room(length + 2)?.split_first_chunk_mut()?;
        *head = [key(8, 2), length as u8, key(1, 2), name.len() as u8];
        let (text, last) = rest.split_last_chunk_mut()?;
        text.copy_from_slice(name.as_bytes());
        *last = encoded;
        Some(())
    }

    /// Adds an integer.
    #[inline(always)]
    pub fn int(&mut self, name: &str, value: i64) -> Option<()> {
        self.entry(9, name, 1 + varint_len(value as u64))?;
        self.byte(key(2, 0))?;
        self.varint(value as u64)
    }

    /// Adds a text.
    #[inline(always)]
    pub fn string(&mut self, name: &str, value: &str) -> Option<()> {
        self.text_entry(10, name, value)
    }

    /// Adds a boolean.
    #[inline(always)]
    pub fn bool(&mut self, name: &str, value: bool) -> Option<()> {
        self.entry(12, name, 2)?;
        self.byte(key(2, 0))?;
        self.byte(value.into())
    }

    /// Sets the time, in nanoseconds since the epoch.
    #[inline(always)]
    pub fn time(&mut self, nanos: i64) -> Option<()> {
        self.byte(key(1, 0))?;
        self.varint(nanos as u64)
    }

    /// Returns the encoded point, without the head of the frame.
    pub fn point(&self) -> &[u8] {
        self.buffer.get(HEAD..self.at).unwrap_or_default()
    }

    /// Ends the frame and returns it. It ends with the encoded point.
    #[inline(always)]
    pub fn end(self) -> &'b [u8] {
        let length = self.at - HEAD;
        let inner = POINT_KEY.len() + varint_len(length as u64);
        let start = HEAD - inner - varint_len((inner + length) as u64);
        let mut head = PointFrame { buffer: self.buffer, at: start };
        let written = head
            .varint((inner + length) as u64)
            .and_then(|()| head.encoded(&POINT_KEY))
            .and_then(|()| head.varint(length as u64));
        // A buffer without room for a head has none for a part either.
        written.and(head.buffer.get(start..self.at)).unwrap_or_default()
    }

    #[inline(always)]
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        let room = self.buffer.get_mut(self.at..)?.get_mut(..length)?;
        self.at += length;
        Some(room)
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        *self.buffer.get_mut(self.at)? = byte;
        self.at += 1;
        Some(())
    }

    #[inline(always)]
    fn varint(&mut self, mut value: u64) -> Option<()> {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80)?;
            value >>= 7;
        }
        self.byte(value as u8)
    }

    #[inline(always)]
    fn text(&mut self, member: u32, text: &str) -> Option<()> {
        self.byte(key(member, 2))?;
        self.varint(text.len() as u64)?;
        self.encoded(text.as_bytes())
    }

    #[inline(always)]
    fn text_entry(&mut self, member: u32, name: &str, value: &str) -> Option<()> {
        self.entry(member, name, 1 + varint_len(value.len() as u64) + value.len())?;
        self.text(2, value)
    }

    /// Adds the start of an entry of a map: everything before its value, which takes `value_length`
    /// bytes with its key.
    #[inline(always)]
    fn entry(&mut self, member: u32, name: &str, value_length: usize) -> Option<()> {
        let length = 1 + varint_len(name.len() as u64) + name.len() + value_length;
        self.byte(key(member, 2))?;
        self.varint(length as u64)?;
        self.text(1, name)
    }
}
