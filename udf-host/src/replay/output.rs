//! Writes the UDF's output while more points are sent to the UDF.
//!
//! The thread that handles the responses of the UDF writes lines into chunks, and another thread
//! writes the chunks to the output, which may have a lifetime of its own.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use udf_proto::Point;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::{
    Unwritable, append_batch, append_encoded, append_line, append_point,
};

use super::error::ReplayError;
use crate::session::Sink;

/// The size of a write, unless the UDF pauses earlier.
const CHUNK: usize = 64 << 10;

/// The most chunks that wait for the output.
const WAITING: usize = 4;

/// Whole lines.
pub(super) struct Chunk {
    text: Vec<u8>,
    points: u64,
    /// The number of points that line protocol cannot express; `first` is the reason for the first
    /// one.
    lost: u64,
    first: Option<Unwritable>,
}

impl Chunk {
    fn new() -> Self {
        // The last line may exceed the size.
        let text = Vec::with_capacity(CHUNK + CHUNK / 16);
        Chunk { text, points: 0, lost: 0, first: None }
    }
}

/// Sends a chunk, or the end.
pub(super) type Sender = SyncSender<Option<Chunk>>;

/// Returns a channel for chunks.
pub(super) fn channel() -> (Sender, Receiver<Option<Chunk>>) {
    sync_channel(WAITING)
}

/// Writes all chunks up to the end. Returns the number of written points.
pub(super) fn write(
    received: &Receiver<Option<Chunk>>,
    mut output: impl Write,
) -> Result<u64, ReplayError> {
    let mut all = Chunk::new();
    loop {
        let next = match received.try_recv() {
            // The UDF is pausing: show the points so far.
            Err(TryRecvError::Empty) => {
                output.flush().map_err(ReplayError::Output)?;
                received.recv().ok()
            }
            next => next.ok(),
        };
        let Some(Some(chunk)) = next else { break };
        output.write_all(&chunk.text).map_err(ReplayError::Output)?;
        all.points += chunk.points;
        all.lost += chunk.lost;
        all.first = all.first.or(chunk.first);
    }
    output.flush().map_err(ReplayError::Output)?;
    match all.first {
        None => Ok(all.points),
        Some(first) => Err(ReplayError::Unwritable { count: all.lost, first }),
    }
}

/// Writes the data of a UDF into chunks.
pub(super) struct Lines {
    to: Sender,
    chunk: Chunk,
}

impl Lines {
    pub(super) fn new(to: Sender) -> Self {
        Lines { to, chunk: Chunk::new() }
    }

    fn append(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>) {
        match append(&mut self.chunk.text) {
            Ok(()) => self.chunk.points += 1,
            Err(why) => {
                self.chunk.lost += 1;
                self.chunk.first.get_or_insert(why);
            }
        }
    }

    /// Counts points that are not printed.
    #[cfg(feature = "plot")]
    pub(super) fn count(&mut self, points: usize) -> io::Result<()> {
        self.chunk.points += points as u64;
        Ok(())
    }

    fn pass_on_if_much(&mut self) -> io::Result<()> {
        if self.chunk.text.len() >= CHUNK { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Chunk::new());
        // Nobody receives after an error of the output, which has already aborted the connection.
        self.to.send(Some(chunk)).map_err(|_| ErrorKind::BrokenPipe.into())
    }
}

impl Sink for Lines {
    fn encoded_point(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !append_encoded(bytes, &mut self.chunk.text) {
            return Ok(false);
        }
        self.chunk.points += 1;
        self.pass_on_if_much().map(|()| true)
    }

    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        self.append(|text| append_point(point, text));
        self.pass_on_if_much()
    }

    fn batch(&mut self, batch: &WholeBatch) -> io::Result<()> {
        let tags = batch.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // If this fails, line protocol has no form for the points of the batch either, but for its
        // time, which is only a comment.
        let _ = append_batch(&batch.name, tags, batch.tmax, &mut self.chunk.text);
        for point in batch.points.iter() {
            // The tags of a batch apply to all its points, even to points that do not repeat them.
            let shared = batch.tags.iter().filter(|(name, _)| point.tag(name).is_none());
            let shared = shared.map(|(name, value)| (name.as_str(), value.as_str()));
            self.append(|text| {
                append_line(
                    &batch.name,
                    shared.chain(point.tags()),
                    point.fields(),
                    point.time(),
                    text,
                )
            });
            self.pass_on_if_much()?;
        }
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        let is_empty = self.chunk.points == 0 && self.chunk.text.is_empty() && self.chunk.lost == 0;
        if is_empty { Ok(()) } else { self.pass_on() }
    }
}
