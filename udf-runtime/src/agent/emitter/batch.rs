//! A batch that is being emitted.

use std::fmt;

use udf_proto::point::{EditScratch, PointEdit, PointSink};
use udf_proto::response::{self, SizeMark};
use udf_proto::{BeginBatch, EndBatch, Point};

use super::Output;
use crate::agent::link::EmitError;

/// A batch under construction; see [`Emitter::begin`](super::Emitter::begin).
#[must_use = "a batch goes nowhere before `end` is called"]
pub struct OpenBatch<'e> {
    output: &'e mut Output,
    end: EndBatch,
    size: SizeMark,
    points: u64,
}

impl<'e> OpenBatch<'e> {
    pub(super) fn new(output: &'e mut Output, begin: BeginBatch) -> Self {
        output.drop_open_batch();
        output.open = Some(output.bytes.len());
        let size = response::append_begin(&begin, &mut output.bytes);
        let BeginBatch { name, group, tags, by_name, .. } = begin;
        let end = EndBatch { name, group, tmax: 0, tags, by_name };
        OpenBatch { output, end, size, points: 0 }
    }

    /// Adds `point` unchanged by copying its bytes.
    ///
    /// Within a batch, Kapacitor reads only the time, tags and fields of a point.
    #[inline]
    pub fn pass(&mut self, point: &Point<'_>) {
        response::append_point(*point, &mut self.output.bytes);
        self.points += 1;
    }

    /// Adds `point` with changes.
    pub fn edit<'s, 'p>(&'s mut self, point: &Point<'p>) -> PointEdit<'s, 'p, Self> {
        PointEdit::new(self, *point)
    }

    /// Adds a new point. The point has the tags of the batch only if you set them. Its default time
    /// is that of [`Emitter::build`](super::Emitter::build).
    pub fn build(&mut self) -> PointEdit<'_, 'static, Self> {
        PointEdit::empty(self)
    }

    /// Ends the batch and sends it. No point of the batch may be later than `tmax`, in nanoseconds
    /// since the epoch.
    ///
    /// # Errors
    /// Returns an error if the write fails.
    pub fn end(mut self, tmax: i64) -> Result<(), EmitError> {
        // The batch is complete: dropping `self` must not remove it from the buffer.
        self.output.open = None;
        let out = &mut self.output.bytes;
        response::fill_size(out, self.size, self.points);
        self.end.tmax = tmax;
        response::append_end(&self.end, out);
        self.output.points += self.points;
        self.output.batches += 1;
        self.output.flush_if_much()
    }
}

impl PointSink for OpenBatch<'_> {
    type Error = EmitError;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.output.changes
    }

    #[inline]
    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), EmitError> {
        self.points += u64::from(self.output.append_edited(base, Some(&self.end.name))?);
        Ok(())
    }
}

impl Drop for OpenBatch<'_> {
    fn drop(&mut self) {
        self.output.drop_open_batch();
    }
}

impl fmt::Debug for OpenBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBatch")
            .field("name", &self.end.name)
            .field("group", &self.end.group)
            .field("points", &self.points)
            .finish()
    }
}
