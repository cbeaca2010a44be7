//! Frames: the length of a message as a varint, then the message.
//!
//! There is no footer and no magic between them, so whoever loses its place has lost the
//! connection: every error but [`FrameError::Io`] ends it.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use prost::Message;

use crate::buffer::{Buffer, CHUNK};
use crate::wire::{self, VarintError};

/// The longest frame that is accepted unless a [`FrameReader`] is told otherwise: 64 MiB.
pub const DEFAULT_LIMIT: usize = 64 << 20;

/// The highest limit that can be set: a point view addresses bytes up to here.
pub const MAX_LIMIT: usize = 256 << 20;

/// The buffer of a new reader: a connection that starts a UDF and then waits never needs more.
const FIRST: usize = 1 << 10;

/// How many times as large a buffer is made that a read has filled, up to a [`CHUNK`].
const FASTER: usize = 8;

/// Grants a [`FrameReader`] the memory that a frame needs beyond the reader's own buffer.
pub trait Room: fmt::Debug + Send + Sync {
    /// Asks for `bytes` in all, in place of those that were granted before. It never refuses fewer
    /// than before; with 0, all of them are given back, and so they are when it is dropped.
    ///
    /// # Errors
    /// When there is no room. The text is for the other side, and says what was asked for and why
    /// it was refused.
    fn hold(&mut self, bytes: usize) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length is over the limit; nothing of the frame's body was read for it.
    #[error("a frame of {length} bytes was announced, over the limit of {limit} bytes")]
    TooLong {
        /// The length that was announced.
        length: u64,
        /// The limit that is set.
        limit: usize,
    },
    /// The length is no varint of up to 64 bits.
    #[error("a frame's length is not a varint: it goes on after ten bytes or 64 bits")]
    BadLength,
    /// The input ended within a frame.
    #[error("the input ended within a frame: {}", missing(*.read, *.expected))]
    Cut {
        /// How many bytes of the frame had come, its length not counted.
        read: usize,
        /// How many it should have had; none when not even its length was complete.
        expected: Option<usize>,
    },
    /// No [`Room`] is left for a frame.
    #[error(transparent)]
    NoRoom(Box<dyn Error + Send + Sync>),
    /// The system has no memory for a frame.
    #[error("there is no memory for the first {bytes} bytes of a frame")]
    NoMemory {
        /// How many bytes the buffer was to have.
        bytes: usize,
    },
    /// The reader failed. After an error that may pass, such as a timeout, reading can go on.
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
/// Reads may stop anywhere: a frame is handed out when all of it has come. The buffer is reused
/// from frame to frame. It begins small, and grows to 256 KiB as reads fill it, or to
/// [less](Self::set_base). For a larger frame, it grows only with bytes that really came, by half
/// of them, so a length alone never costs memory.
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
    /// How large the buffer may be without room that was granted.
    base: usize,
    /// Asked before the buffer grows beyond that.
    room: Option<Box<dyn Room>>,
    /// Bytes that have come are at `start..end`; its length is its capacity for the reader.
    buffer: Buffer,
    start: usize,
    end: usize,
    /// Where the frame that was taken last begins, with its length.
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

    /// Refuses frames of more than `limit` bytes; at most [`MAX_LIMIT`].
    pub fn limit(mut self, limit: usize) -> Self {
        self.set_limit(limit);
        self
    }

    /// Refuses frames of more than `limit` bytes from now on; at most [`MAX_LIMIT`].
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(MAX_LIMIT);
    }

    /// Asks `room` before the buffer grows beyond its [base](Self::set_base).
    pub fn room(mut self, room: impl Room + 'static) -> Self {
        self.room = Some(Box::new(room));
        self
    }

    /// Sets how large the buffer may grow without [`Room`]; between 1 KiB and 256 KiB. Defaults to
    /// 256 KiB.
    ///
    /// When it is raised, granted room that is no longer needed is given back. A lower base holds
    /// for buffers that grow from now on.
    pub fn set_base(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.base, bytes.clamp(FIRST, CHUNK));
        if self.base > before && self.buffer.len() > before {
            self.hold_less(self.buffer.len().saturating_sub(self.base));
        }
    }

    /// The reader under it; bytes that were read ahead are not in it any more.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The next frame, or none when the input ends cleanly between two frames.
    ///
    /// It waits for the reader as often as it must.
    ///
    /// # Errors
    /// Each kind of [`FrameError`].
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        while !self.has_frame()? {
            if !self.fill()? {
                return Ok(None);
            }
        }
        self.buffered_frame()
    }

    /// The next frame if all of it has been read already, else none; it never waits.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] and [`FrameError::BadLength`].
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

    /// The bytes that have been read and not been taken: they begin with the length of a frame.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The frame that was taken last, with its length and with what came behind it. Once more is
    /// read, it is empty, but for what is not taken yet.
    pub fn taken(&self) -> &[u8] {
        &self.buffer[self.taken..self.end]
    }

    /// Whether a whole frame has been read and not been taken yet.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] and [`FrameError::BadLength`].
    pub fn has_frame(&self) -> Result<bool, FrameError> {
        Ok(matches!(self.peek()?, Peek::Whole { .. }))
    }

    /// Whether bytes have come that were not taken as a frame: those of a frame that is not
    /// complete, when [`buffered_frame`](Self::buffered_frame) has returned none.
    pub fn is_within_frame(&self) -> bool {
        self.start < self.end
    }

    /// Gives back what a long frame needed beyond the [base](Self::set_base), if every byte that
    /// has come was taken: the frame that was taken last is gone then. The reader does the same
    /// before it reads again.
    #[inline]
    pub fn trim(&mut self) {
        if self.start == self.end && self.buffer.len() > self.base {
            (self.start, self.end, self.taken) = (0, 0, 0);
            self.buffer.shrink(self.base);
            self.hold_less(0);
        }
    }

    /// Reads once, waiting if it must; false at the end of the input, between two frames.
    ///
    /// # Errors
    /// Each kind of [`FrameError`].
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

    /// Makes room behind the bytes that have come.
    ///
    /// Room beyond the base that was made for a long frame ends with it, so that the buffer is
    /// empty when the frame is taken: then the room is given back.
    fn make_room(&mut self) -> Result<(), FrameError> {
        let (used, peek) = (self.end - self.start, self.peek()?);
        let is_full = self.end == self.buffer.len();
        if used == 0 {
            self.trim();
            (self.start, self.end) = (0, 0);
        }
        if is_full && self.buffer.len() < self.base {
            // More may have been there than there was room for.
            self.resize((FASTER * self.buffer.len()).min(self.base))?;
        }
        let wanted = match peek {
            Peek::Part { read, expected: Some(length) } => used - read + length,
            // Whoever reads on without taking what is whole wants to have more of it.
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
        // Exactly: there is room for no more.
        let more = bytes - self.buffer.len();
        self.buffer.try_reserve_exact(more).map_err(|_| FrameError::NoMemory { bytes })?;
        self.buffer.resize(bytes, 0);
        Ok(())
    }

    /// Keeps `bytes` of the room that was granted, of which there are no fewer.
    fn hold_less(&mut self, bytes: usize) {
        if let Some(room) = &mut self.room {
            // Fewer than before are never refused.
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
/// Those of the writer.
pub fn write(message: &impl Message, mut writer: impl Write) -> io::Result<()> {
    let mut frame = Vec::new();
    append(message, &mut frame);
    writer.write_all(&frame)?;
    writer.flush()
}
