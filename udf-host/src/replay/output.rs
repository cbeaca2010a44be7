//! Writes the UDF's output while more points are sent to the UDF.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use udf_proto::Point;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::{Unwritable, append_batch, append_line, append_point};

use super::error::ReplayError;
use crate::session::Sink;

/// The size of a write, unless the UDF pauses earlier.
const CHUNK: usize = 64 << 10;

/// The number of blocks that may wait to be written.
const BLOCKS: usize = 8;

/// Creates the sink for the data of a UDF, and the text that it makes.
pub(super) fn lines() -> (Lines, Text) {
    let (sender, blocks) = sync_channel(BLOCKS);
    let passed = Passed { blocks: Some(sender), points: 0, lost: 0, first: None };
    let passed = Arc::new(Mutex::new(passed));
    (Lines { text: Vec::new(), points: 0, passed: Arc::clone(&passed) }, Text { blocks, passed })
}

/// Makes lines of the data of a UDF.
pub(super) struct Lines {
    /// Whole lines that are not yet passed on.
    text: Vec<u8>,
    /// The number of points in the text.
    points: u64,
    passed: Arc<Mutex<Passed>>,
}

/// What was made of the data.
struct Passed {
    /// None after the end.
    blocks: Option<SyncSender<Vec<u8>>>,
    points: u64,
    /// The number of points that line protocol cannot express; `first` is the reason for the first
    /// one.
    lost: u64,
    first: Option<Unwritable>,
}

/// The lines of a UDF, in blocks.
pub(super) struct Text {
    blocks: Receiver<Vec<u8>>,
    passed: Arc<Mutex<Passed>>,
}

/// The other end of a [`Text`].
#[derive(Clone)]
pub(super) struct End(Arc<Mutex<Passed>>);

impl End {
    /// Ends the text behind what was passed on.
    pub(super) fn end(&self) {
        lock(&self.0).blocks = None;
    }
}

impl Text {
    pub(super) fn end(&self) -> End {
        End(Arc::clone(&self.passed))
    }

    /// Writes the text until its end. Returns the number of points.
    ///
    /// After a failed write, the sink fails as well.
    pub(super) fn write_to(self, mut output: impl Write) -> Result<u64, ReplayError> {
        let Text { blocks, passed } = self;
        for block in blocks {
            let written = output.write_all(&block).and_then(|()| output.flush());
            written.map_err(ReplayError::Output)?;
        }
        let passed = lock(&passed);
        match &passed.first {
            None => Ok(passed.points),
            Some(first) => {
                Err(ReplayError::Unwritable { count: passed.lost, first: first.clone() })
            }
        }
    }
}

impl Lines {
    fn append(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>) {
        match append(&mut self.text) {
            Ok(()) => self.points += 1,
            Err(why) => {
                let mut passed = lock(&self.passed);
                passed.lost += 1;
                passed.first.get_or_insert(why);
            }
        }
    }

    fn flush_if_much(&mut self) -> io::Result<()> {
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }
}

impl Lines {
    fn flush(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let block = std::mem::replace(&mut self.text, Vec::with_capacity(CHUNK + CHUNK / 8));
        let blocks = {
            let mut passed = lock(&self.passed);
            passed.points += std::mem::take(&mut self.points);
            passed.blocks.clone()
        };
        match blocks.map(|blocks| blocks.send(block)) {
            Some(Ok(())) => Ok(()),
            // The writer reports its error itself.
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Sink for Lines {
    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        self.append(|text| append_point(point, text));
        self.flush_if_much()
    }

    fn batch(&mut self, batch: &WholeBatch) -> io::Result<()> {
        let tags = batch.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // If this fails, line protocol has no form for the points of the batch either, but for its
        // time, which is only a comment.
        let _ = append_batch(&batch.name, tags, batch.tmax, &mut self.text);
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
            self.flush_if_much()?;
        }
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        self.flush()
    }
}

fn lock(passed: &Mutex<Passed>) -> MutexGuard<'_, Passed> {
    passed.lock().unwrap_or_else(PoisonError::into_inner)
}
