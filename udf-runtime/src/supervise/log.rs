//! The input of a worker since its last checkpoint, in chunks. Kapacitor's bytes are read into a
//! chunk, written to the worker from there, and kept there for a replay. Nothing is copied.

#[cfg(test)]
#[path = "log/tests.rs"]
mod tests;

use std::collections::VecDeque;

use udf_proto::frame::FrameError;

/// The size of a chunk, unless it has a larger frame.
const CHUNK: usize = 256 << 10;

/// The size of the first chunk. A connection that only asks for Info needs no more.
const FIRST: usize = 4 << 10;

/// The maximum number of chunks that are kept to be used again. Fresh memory costs as much as a copy.
const MOST_SPARE: usize = 32;

/// The least room for a read. A chunk with less is closed.
const LEAST_ROOM: usize = 512;

/// The maximum length of the varint before a frame.
const MAX_VARINT: usize = 10;

/// Whole frames, and the beginning of the next frame.
///
/// Positions count the bytes of all frames since the start of the connection.
#[derive(Debug)]
pub(super) struct Log {
    /// At least one chunk. Input is read into the last one.
    chunks: VecDeque<Chunk>,
    /// The number of bytes in the last chunk, with those of an incomplete frame.
    filled: usize,
    /// Chunks to use again, until the log is empty.
    spare: Vec<Vec<u8>>,
    /// The position that the next frame to write has, and its chunk.
    sent: u64,
    sending: usize,
    /// The highest such position of any worker.
    most_sent: u64,
    /// The number of bytes that were written to a worker again, until they are taken.
    repeated: u64,
    /// Ranges of the input that are left out.
    holes: VecDeque<(u64, u64)>,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    /// The position of its first byte, which begins a frame.
    base: u64,
    /// The number of bytes of whole frames.
    whole: usize,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.base + self.whole as u64
    }
}

/// A frame in the log.
pub(super) struct Frame<'l> {
    pub(super) extent: Extent,
    /// The frame with its length.
    pub(super) whole: &'l [u8],
    pub(super) body: &'l [u8],
}

/// The extent of one or more frames in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Extent {
    pub(super) fn bytes(self) -> u64 {
        self.end - self.start
    }
}

impl Log {
    pub(super) fn new() -> Self {
        let first = Chunk { bytes: vec![0; FIRST], base: 0, whole: 0 };
        Log {
            chunks: [first].into(),
            filled: 0,
            spare: Vec::new(),
            sent: 0,
            sending: 0,
            most_sent: 0,
            repeated: 0,
            holes: VecDeque::new(),
        }
    }

    fn last(&self) -> &Chunk {
        self.chunks.back().expect("there is always a chunk")
    }

    /// Returns the end of the last whole frame.
    pub(super) fn end(&self) -> u64 {
        self.last().end()
    }

    /// Returns the position up to which frames were written to the worker.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns the position up to which frames were written to any worker.
    pub(super) fn most_sent(&self) -> u64 {
        self.most_sent
    }

    /// Returns the number of bytes after `position`, with those of an incomplete frame.
    pub(super) fn bytes_after(&self, position: u64) -> usize {
        (self.end() - position) as usize + self.partial()
    }

    /// Returns the number of bytes of an incomplete frame.
    pub(super) fn partial(&self) -> usize {
        self.filled - self.last().whole
    }

    /// Returns the room for a read.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let last = self.chunks.back_mut().expect("there is always a chunk");
        &mut last.bytes[self.filled..]
    }

    /// Adds bytes that were read into the [room](Self::room), and calls `on_frame` with each frame
    /// that is now whole. It returns the limit of later frames.
    ///
    /// # Errors
    /// Returns an error if a frame is longer than the limit, or if its length is no varint.
    pub(super) fn add(
        &mut self,
        read: usize,
        mut limit: usize,
        mut on_frame: impl FnMut(Frame<'_>) -> usize,
    ) -> Result<(), FrameError> {
        self.filled += read;
        let filled = self.filled;
        let last = self.chunks.back_mut().expect("there is always a chunk");
        let needed = loop {
            let rest = &last.bytes[last.whole..filled];
            let Some((length, start)) = varint(rest)? else { break 0 };
            if length > limit as u64 {
                return Err(FrameError::TooLong { length, limit });
            }
            let end = start + length as usize;
            let Some(whole) = rest.get(..end) else { break end };
            let at = last.base + last.whole as u64;
            let extent = Extent { start: at, end: at + end as u64 };
            limit = on_frame(Frame { extent, whole, body: &whole[start..] });
            last.whole += end;
        };
        self.make_room(needed);
        Ok(())
    }

    /// Takes the end of the input.
    ///
    /// # Errors
    /// Returns an error if it lies within a frame.
    pub(super) fn check_end(&self) -> Result<(), FrameError> {
        let last = self.last();
        let rest = &last.bytes[last.whole..self.filled];
        match varint(rest)? {
            _ if rest.is_empty() => Ok(()),
            Some((length, start)) => {
                Err(FrameError::Cut { read: rest.len() - start, expected: Some(length as usize) })
            }
            None => Err(FrameError::Cut { read: 0, expected: None }),
        }
    }

    /// Makes room for the next read, and for a frame of `needed` bytes that has begun.
    ///
    /// A frame is read into one chunk. The chunk grows as the frame arrives, so that an announced
    /// length alone costs no memory.
    fn make_room(&mut self, needed: usize) {
        let filled = self.filled;
        let last = self.chunks.back_mut().expect("there is always a chunk");
        let partial = filled - last.whole;
        if last.bytes.len() - filled >= LEAST_ROOM {
            return;
        }
        if last.whole == 0 || last.bytes.len() < CHUNK {
            let most = (last.whole + needed).max(CHUNK).max(filled + LEAST_ROOM);
            last.bytes.resize((last.bytes.len() * 2).min(most), 0);
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_else(|| vec![0; CHUNK]);
        if bytes.len() < partial + LEAST_ROOM {
            bytes.resize(partial + LEAST_ROOM, 0);
        }
        bytes[..partial].copy_from_slice(&last.bytes[last.whole..filled]);
        let base = last.end();
        last.bytes.truncate(last.whole);
        self.chunks.push_back(Chunk { bytes, base, whole: 0 });
        self.filled = partial;
    }

    /// Returns the next bytes to write to the worker, up to the position `limit`.
    pub(super) fn unsent(&mut self, limit: u64) -> &[u8] {
        let mut limit = limit.min(self.end());
        while let Some(&(start, end)) = self.holes.iter().find(|(_, end)| *end > self.sent) {
            if self.sent < start {
                limit = limit.min(start);
                break;
            }
            self.sent = end;
        }
        while self.chunks[self.sending].end() <= self.sent && self.sending + 1 < self.chunks.len() {
            self.sending += 1;
        }
        let chunk = &self.chunks[self.sending];
        let end = limit.min(chunk.end()).max(self.sent);
        &chunk.bytes[(self.sent - chunk.base) as usize..(end - chunk.base) as usize]
    }

    /// Marks bytes of [`unsent`](Self::unsent) as written.
    pub(super) fn note_sent(&mut self, bytes: usize) {
        let from = self.sent;
        self.sent += bytes as u64;
        self.repeated += self.most_sent.min(self.sent).saturating_sub(from);
        self.most_sent = self.most_sent.max(self.sent);
    }

    /// Returns the number of bytes that were written to a worker again, since the last call.
    pub(super) fn take_repeated(&mut self) -> u64 {
        std::mem::take(&mut self.repeated)
    }

    /// Begins again at `position`, for a new worker.
    pub(super) fn rewind(&mut self, position: u64) {
        self.sent = position;
        self.sending = 0;
    }

    /// Drops the frames before `position`, as far as they fill chunks.
    pub(super) fn drop_before(&mut self, position: u64) {
        while self.chunks.len() > 1 && self.chunks[0].end() <= position {
            let mut bytes = self.chunks.pop_front().map(|chunk| chunk.bytes).unwrap_or_default();
            self.sending = self.sending.saturating_sub(1);
            if bytes.capacity() == CHUNK && self.spare.len() < MOST_SPARE {
                bytes.resize(CHUNK, 0);
                self.spare.push(bytes);
            }
        }
        if self.chunks.len() == 1 && position == self.end() && self.filled == self.chunks[0].whole {
            // Everything was handled: begin the chunk again.
            let chunk = &mut self.chunks[0];
            (chunk.base, chunk.whole) = (position, 0);
            if chunk.bytes.len() > CHUNK {
                chunk.bytes = vec![0; FIRST];
            }
            self.filled = 0;
            self.spare = Vec::new();
        }
        while self.holes.front().is_some_and(|(_, end)| *end <= position) {
            self.holes.pop_front();
        }
    }

    /// Leaves a range of whole frames out of what is written.
    pub(super) fn leave_out(&mut self, extent: Extent) {
        let at = self.holes.partition_point(|(start, _)| *start < extent.start);
        self.holes.insert(at, (extent.start, extent.end));
    }

    /// Returns the frames from `position` on. Ranges that are left out are skipped.
    pub(super) fn frames(&self, position: u64) -> impl Iterator<Item = Frame<'_>> {
        let chunks = self.chunks.iter().filter(move |chunk| chunk.end() > position);
        let frames = chunks.flat_map(|chunk| {
            let mut at = 0;
            std::iter::from_fn(move || {
                let rest = &chunk.bytes[at..chunk.whole];
                let (length, start) = varint(rest).ok()??;
                let whole = rest.get(..start + length as usize)?;
                let begin = chunk.base + at as u64;
                at += whole.len();
                let extent = Extent { start: begin, end: begin + whole.len() as u64 };
                Some(Frame { extent, whole, body: &whole[start..] })
            })
        });
        frames.filter(move |Frame { extent, .. }| {
            let is_left_out = |(start, end): &(u64, u64)| (*start..*end).contains(&extent.start);
            extent.start >= position && !self.holes.iter().any(is_left_out)
        })
    }
}

/// Returns the varint that `bytes` begin with, and its length. Returns none if it is incomplete.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(MAX_VARINT) {
        if at == MAX_VARINT - 1 && *byte > 1 {
            return Err(FrameError::BadLength);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= MAX_VARINT { Err(FrameError::BadLength) } else { Ok(None) }
}
