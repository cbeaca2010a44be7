//! Frames: the length of a message as a varint, then the message.
//!
//! Nothing marks the start or the end of a frame. A reader that has lost its position cannot find
//! the next frame, so every error except [`FrameError::Io`] ends the connection.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use prost::Message;

use crate::buffer::{Buffer, CHUNK};
use crate::wire::{self, VarintError};

/// The default limit of the length of a frame: 64 MiB.
pub const DEFAULT_LIMIT: usize = 64 << 20;

/// The maximum limit. The positions in a view of a point are below it.
pub const MAX_LIMIT: usize = 256 << 20;

/// The size of the buffer of a new reader. A connection that starts a UDF and then waits needs no
/// more.
const FIRST: usize = 1 << 10;

/// The factor by which a buffer grows that a read has filled, up to a [`CHUNK`].
const FASTER: usize = 8;

/// Grants a [`FrameReader`] the memory that a frame needs beyond the reader's own buffer.
pub trait Room: fmt::Debug + Send + Sync {
    /// Requests a total of `bytes`, which replaces the earlier request. A request for fewer bytes
    /// never fails. A request for 0 bytes, or dropping the room, returns all bytes.
    ///
    /// # Errors
    /// Returns an error if there is no room. The peer gets the text, which names the request and
    /// the reason.
    fn hold(&mut self, bytes: usize) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length is over the limit. The reader has not requested the body of the frame.
    #[error("a frame of {length} bytes was announced, over the limit of {limit} bytes")]
    TooLong {
        /// The announced length.
        length: u64,
        /// The limit.
        limit: usize,
    },
    /// The length is not a varint of at most 64 bits.
    #[error("a frame's length is not a varint: it goes on after ten bytes or 64 bits")]
    BadLength,
    /// The input ended within a frame.
    #[error("the input ended within a frame: {}", missing(*.read, *.expected))]
    Cut {
        /// The number of received bytes of the body.
        read: usize,
        /// The length of the body. `None` if the length itself is incomplete.
        expected: Option<usize>,
    },
    /// No [`Room`] is left for a frame.
    #[error(transparent)]
    NoRoom(Box<dyn Error + Send + Sync>),
    /// The system has no memory for a frame.
    #[error("there is no memory for the first {bytes} bytes of a frame")]
    NoMemory {
        /// The size that the buffer needed.
        bytes: usize,
    },
    /// The reader failed. After a temporary error, such as a timeout, reading can go on.
    #[error("reading failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        FrameError::Io(error)
    }
}

fn missing(read: usize, expected: Option<usize>) -> String {
    match expected {
        Some(expected) => format!("{} of its {expected} bytes are missing", expected - read),
        None => "its length is incomplete".to_owned(),
    }
}

/// Reads frames from any reader.
///
/// A read may end anywhere: the reader returns a frame when it is complete. All frames use the same
/// buffer. The buffer begins small, and grows to its [base](Self::set_base) as reads fill it. For a
/// larger frame, the buffer grows by half of the received bytes at a time. So an announced length
/// alone never costs memory.
///
/// ```
/// use udf_proto::frame::FrameReader;
///
/// let mut reader = FrameReader::new(&b"\x03abc\x00"[..]);
/// assert_eq!(reader.next_frame()?, Some(&b"abc"[..]));
/// assert_eq!(reader.next_frame()?, Some(&b""[..]));
/// assert_eq!(reader.next_frame()?, None);
/// # Ok::<(), udf_proto::frame::FrameError>(())
/// ```
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    limit: usize,
    /// The maximum size of the buffer without granted room.
    base: usize,
    /// Grants growth beyond `base`.
    room: Option<Box<dyn Room>>,
    /// The received bytes are at `start..end`. Reads fill the rest of the length.
    buffer: Buffer,
    start: usize,
    end: usize,
    /// The position of the last taken frame, which begins with its length.
    taken: usize,
}

impl<R: Read> FrameReader<R> {
    /// Reads from `reader`, and refuses frames over [`DEFAULT_LIMIT`].
    pub fn new(reader: R) -> Self {
        FrameReader {
            reader,
            limit: DEFAULT_LIMIT,
            base: CHUNK,
            room: None,
            buffer: Buffer::new(FIRST),
            start: 0,
            end: 0,
            taken: 0,
        }
    }

    /// Refuses frames of more than `limit` bytes. The maximum is [`MAX_LIMIT`].
    pub fn limit(mut self, limit: usize) -> Self {
        self.set_limit(limit);
        self
    }

    /// Refuses frames of more than `limit` bytes from now on. The maximum is [`MAX_LIMIT`].
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(MAX_LIMIT);
    }

    /// Asks `room` before the buffer grows beyond its [base](Self::set_base).
    pub fn room(mut self, room: impl Room + 'static) -> Self {
        self.room = Some(Box::new(room));
        self
    }

    /// Sets the maximum size of the buffer without [`Room`], between 1 KiB and 256 KiB. Defaults to
    /// 256 KiB.
    ///
    /// A higher base returns granted room that is no longer needed. A lower base limits only later
    /// growth.
    pub fn set_base(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.base, bytes.clamp(FIRST, CHUNK));
        if self.base > before && self.buffer.len() > before {
            self.hold_less(self.buffer.len().saturating_sub(self.base));
        }
    }

    /// Returns the inner reader. It no longer has the bytes that were read ahead.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Returns the next frame, or `None` if the input ends between two frames. Waits for the
    /// reader.
    ///
    /// # Errors
    /// Returns each kind of [`FrameError`].
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        while !self.has_frame()? {
            if !self.fill()? {
                return Ok(None);
            }
        }
        self.buffered_frame()
    }

    /// Returns the next frame if it is complete in the buffer. Never waits.
    ///
    /// # Errors
    /// Returns [`FrameError::TooLong`] and [`FrameError::BadLength`].
    #[inline]
    pub fn buffered_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        match self.peek()? {
            Peek::Whole { body, length } => {
                (self.taken, self.start) = (self.start, body + length);
                Ok(Some(&self.buffer[body..body + length]))
            }
            _ => Ok(None),
        }
    }

    /// Returns the bytes in the buffer that were not taken. They begin with the length of a frame.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the last taken frame with its length, and all bytes after it. After another read,
    /// returns only the bytes that are not taken yet.
    pub fn taken(&self) -> &[u8] {
        &self.buffer[self.taken..self.end]
    }

    /// Returns the last `bytes` bytes of the frames that were taken since the last read, with their
    /// lengths.
    ///
    /// ```
    /// use udf_proto::frame::FrameReader;
    ///
    /// let mut reader = FrameReader::new(&b"\x01a\x02bc\x01d"[..]);
    /// reader.fill()?;
    /// reader.buffered_frame()?;
    /// reader.buffered_frame()?;
    /// assert_eq!(reader.last_taken(3), b"\x02bc");
    /// assert_eq!(reader.last_taken(5), b"\x01a\x02bc");
    /// # Ok::<(), udf_proto::frame::FrameError>(())
    /// ```
    ///
    /// # Panics
    /// If fewer bytes were taken.
    pub fn last_taken(&self, bytes: usize) -> &[u8] {
        &self.buffer[self.start - bytes..self.start]
    }

    /// Returns whether the buffer has a complete frame that was not taken yet.
    ///
    /// # Errors
    /// Returns [`FrameError::TooLong`] and [`FrameError::BadLength`].
    pub fn has_frame(&self) -> Result<bool, FrameError> {
        Ok(matches!(self.peek()?, Peek::Whole { .. }))
    }

    /// Returns whether the buffer has bytes that were not taken. After
    /// [`buffered_frame`](Self::buffered_frame) has returned `None`, these are an incomplete frame.
    pub fn is_within_frame(&self) -> bool {
        self.start < self.end
    }

    /// Frees the memory beyond the [base](Self::set_base) if all received bytes were taken. This
    /// drops the last taken frame. The reader does the same before its next read.
    #[inline]
    pub fn trim(&mut self) {
        if self.start == self.end && self.buffer.len() > self.base {
            (self.start, self.end, self.taken) = (0, 0, 0);
            self.buffer.shrink(self.base);
            self.hold_less(0);
        }
    }

    /// Waits for one read. Returns false at the end of the input between two frames.
    ///
    /// # Errors
    /// Returns each kind of [`FrameError`].
    pub fn fill(&mut self) -> Result<bool, FrameError> {
        self.make_room()?;
        self.taken = self.start;
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => return self.end_of_input().map(|()| false),
                Ok(read) => {
                    self.end += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes bytes from the start of `bytes`, as if the reader had returned them. Leaves those for
    /// which the buffer has no room before frames are taken.
    ///
    /// ```
    /// use udf_proto::frame::FrameReader;
    ///
    /// let (mut reader, mut bytes) = (FrameReader::new(std::io::empty()), &b"\x03abc"[..]);
    /// reader.fill_from(&mut bytes)?;
    /// assert!(bytes.is_empty());
    /// assert_eq!(reader.buffered_frame()?, Some(&b"abc"[..]));
    /// # Ok::<(), udf_proto::frame::FrameError>(())
    /// ```
    ///
    /// # Errors
    /// Returns each kind of [`FrameError`] but [`Cut`](FrameError::Cut) and
    /// [`Io`](FrameError::Io).
    pub fn fill_from(&mut self, bytes: &mut &[u8]) -> Result<(), FrameError> {
        self.make_room()?;
        self.taken = self.start;
        let taken;
        (taken, *bytes) = bytes.split_at(bytes.len().min(self.buffer.len() - self.end));
        self.buffer[self.end..self.end + taken.len()].copy_from_slice(taken);
        self.end += taken.len();
        Ok(())
    }

    fn end_of_input(&self) -> Result<(), FrameError> {
        match self.peek()? {
            Peek::Empty | Peek::Whole { .. } => Ok(()),
            Peek::Part { read, expected } => Err(FrameError::Cut { read, expected }),
        }
    }

    #[inline]
    fn peek(&self) -> Result<Peek, FrameError> {
        let bytes = &self.buffer[..self.end];
        if self.start == self.end {
            return Ok(Peek::Empty);
        }
        match wire::varint(bytes, self.start) {
            Ok((length, _)) if length > self.limit as u64 => {
                Err(FrameError::TooLong { length, limit: self.limit })
            }
            Ok((length, body)) => {
                let (length, read) = (length as usize, self.end - body);
                if read < length {
                    Ok(Peek::Part { read, expected: Some(length) })
                } else {
                    Ok(Peek::Whole { body, length })
                }
            }
            Err(VarintError::Cut) => Ok(Peek::Part { read: 0, expected: None }),
            Err(VarintError::TooLong) => Err(FrameError::BadLength),
        }
    }

    /// Makes room for the next read behind the received bytes.
    ///
    /// Beyond the base, the buffer ends where the long frame ends. So the buffer is empty when the
    /// frame has been taken, and its memory can be freed.
    fn make_room(&mut self) -> Result<(), FrameError> {
        let (used, peek) = (self.end - self.start, self.peek()?);
        let is_full = self.end == self.buffer.len();
        if used == 0 {
            self.trim();
            (self.start, self.end) = (0, 0);
        }
        if is_full && self.buffer.len() < self.base {
            // The reader may have more bytes than the buffer had room for.
            self.resize((FASTER * self.buffer.len()).min(self.base))?;
        }
        let wanted = match peek {
            Peek::Part { read, expected: Some(length) } => used - read + length,
            // The caller reads on without taking the complete frame, so it wants more bytes.
            Peek::Whole { .. } => 2 * used,
            Peek::Empty | Peek::Part { .. } => used + 1,
        };
        let half = self.buffer.len().min(self.base) / 2;
        if self.start > 0 && self.start + wanted.max(used + half) > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, used);
        }
        if self.end == self.buffer.len() {
            self.resize(wanted.clamp(used + 1, used + used / 2))?;
        }
        Ok(())
    }

    fn resize(&mut self, bytes: usize) -> Result<(), FrameError> {
        if let Some(room) = self.room.as_mut().filter(|_| bytes > self.base) {
            room.hold(bytes - self.base).map_err(FrameError::NoRoom)?;
        }
        // No room was granted for more than these bytes.
        let more = bytes - self.buffer.len();
        self.buffer.try_reserve_exact(more).map_err(|_| FrameError::NoMemory { bytes })?;
        self.buffer.resize(bytes, 0);
        Ok(())
    }

    /// Returns all granted room except `bytes`, which must not be more than was granted.
    fn hold_less(&mut self, bytes: usize) {
        if let Some(room) = &mut self.room {
            // A request for fewer bytes never fails.
            let _ = room.hold(bytes);
        }
    }
}

enum Peek {
    Empty,
    Part { read: usize, expected: Option<usize> },
    Whole { body: usize, length: usize },
}

/// Appends `message` to `out` as a frame.
///
/// ```
/// use udf_proto::frame;
/// use udf_proto::messages::KeepaliveRequest;
///
/// let mut out = Vec::new();
/// frame::append(&KeepaliveRequest { time: 5 }, &mut out);
/// assert_eq!(out, [2, 0x08, 5]);
/// ```
pub fn append(message: &impl Message, out: &mut Vec<u8>) {
    wire::put_varint(message.encoded_len() as u64, out);
    message.encode_raw(out);
}

/// Writes `message` to `writer` as a frame, in one write, and flushes it.
///
/// # Errors
/// Returns the errors of the writer.
pub fn write(message: &impl Message, mut writer: impl Write) -> io::Result<()> {
    let mut frame = Vec::new();
    append(message, &mut frame);
    writer.write_all(&frame)?;
    writer.flush()
}
