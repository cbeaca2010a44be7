//! The buffer of an emitter. It does not depend on the edge, so it is compiled once.

use std::sync::Arc;
use std::time::SystemTime;

use udf_proto::Point;
use udf_proto::messages::response::Message;
use udf_proto::point::EditScratch;
use udf_proto::response;

use crate::agent::counters::Count;
use crate::agent::link::{EmitError, Link, OnUnfit};

/// The size at which the buffer is flushed although there is more input to handle.
const HIGH_WATER: usize = 256 << 10;

/// The output of one handler, emitting thread or worker.
pub(crate) struct Output {
    pub(super) bytes: Vec<u8>,
    pub(super) changes: EditScratch,
    pub(super) link: Arc<Link>,
    /// The position in the buffer where the open batch begins.
    pub(super) open: Option<usize>,
    pub(super) points: u64,
    pub(super) batches: u64,
    /// The default time of new points. `None` is the wall clock.
    time: Option<i64>,
    /// Whether the output is collected and not written.
    collects: bool,
}

/// The output of an emitter that collects.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) bytes: Vec<u8>,
    pub(crate) points: u64,
    pub(crate) batches: u64,
}

impl Collected {
    pub(crate) fn append(&mut self, mut more: Collected) {
        match self.bytes.is_empty() {
            true => self.bytes = more.bytes,
            false => self.bytes.append(&mut more.bytes),
        }
        self.points += more.points;
        self.batches += more.batches;
    }
}

impl Output {
    pub(super) fn new(link: Arc<Link>, collects: bool) -> Self {
        Output {
            bytes: Vec::new(),
            changes: EditScratch::default(),
            link,
            open: None,
            points: 0,
            batches: 0,
            time: None,
            collects,
        }
    }

    /// Returns the output. A batch that was not ended is no part of it.
    pub(crate) fn collected(mut self) -> Collected {
        self.drop_open_batch();
        Collected { bytes: self.bytes, points: self.points, batches: self.batches }
    }

    /// Sets the default time of new points. `None` is the wall clock.
    #[inline]
    pub(crate) fn set_time(&mut self, time: Option<i64>) {
        self.time = time;
    }

    /// Returns the default time of new points.
    pub(super) fn time(&self) -> i64 {
        self.time.unwrap_or_else(now)
    }

    /// Counts points that were not sent.
    pub(crate) fn count_dropped(&self, points: u64) {
        self.link.counters.add(Count::PointsDropped, points);
    }

    /// Appends `base` with its changes, and returns whether it did. Within a batch, `batch` is the
    /// name of the batch.
    #[inline]
    pub(super) fn append_edited(
        &mut self,
        base: Option<Point<'_>>,
        batch: Option<&str>,
    ) -> Result<bool, EmitError> {
        if let Some(unfit) = self.changes.unfit(base, batch) {
            match self.link.on_unfit() {
                OnUnfit::Send => {}
                OnUnfit::Fail => return Err(EmitError::Unfit(unfit)),
                OnUnfit::Drop => {
                    self.link.drop_unfit(unfit);
                    return Ok(false);
                }
            }
        }
        if base.is_none() && !self.changes.has_time() {
            self.changes.set_time(self.time());
        }
        response::append_edited(base, &mut self.changes, &mut self.bytes);
        Ok(true)
    }

    /// Passes `point` on to a stream.
    #[inline]
    pub(crate) fn pass(&mut self, point: &Point<'_>) -> Result<(), EmitError> {
        response::append_point(*point, &mut self.bytes);
        self.points += 1;
        self.flush_if_much()
    }

    /// Appends the response to a request.
    pub(crate) fn answer(&mut self, message: Message) {
        self.drop_open_batch();
        response::append(message, &mut self.bytes);
    }

    /// Writes the buffer.
    pub(crate) fn flush(&mut self) -> Result<(), EmitError> {
        if self.collects {
            return Ok(());
        }
        self.drop_open_batch();
        let counters = &self.link.counters;
        counters.add(Count::PointsOut, std::mem::take(&mut self.points));
        counters.add(Count::BatchesOut, std::mem::take(&mut self.batches));
        if self.bytes.is_empty() {
            return Ok(());
        }
        let written = self.link.write(&self.bytes);
        self.bytes.clear();
        if self.bytes.capacity() > 4 * HIGH_WATER {
            // Return the memory that a large batch needed.
            self.bytes = Vec::new();
        }
        written
    }

    #[inline]
    pub(crate) fn flush_if_much(&mut self) -> Result<(), EmitError> {
        self.flush_if(HIGH_WATER)
    }

    /// Writes the buffer if it holds `bytes` or more.
    #[inline]
    pub(crate) fn flush_if(&mut self, bytes: usize) -> Result<(), EmitError> {
        if self.bytes.len() >= bytes { self.flush() } else { Ok(()) }
    }

    /// Removes a batch that was begun and never ended from the buffer.
    pub(super) fn drop_open_batch(&mut self) {
        if let Some(start) = self.open.take() {
            self.bytes.truncate(start);
        }
    }
}

/// Returns the wall-clock time in nanoseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A time before 1970 comes from a clock that is not set yet.
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
