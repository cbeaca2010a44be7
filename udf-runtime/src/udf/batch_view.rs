//! A whole batch: the handler gathers its points, and shows them to the UDF at the end.

use std::cell::Cell;
use std::fmt;

use udf_proto::point::{FieldError, PointsIter};
use udf_proto::{BeginBatch, EndBatch, Point, Points};

use super::missing::Missing;
use crate::agent::error::Result;

/// The memory that is kept between two batches.
const KEPT: usize = 1 << 20;

/// A view of a whole batch, for [`WholeBatchUdf::batch`](crate::WholeBatchUdf::batch).
///
/// Reading the view copies no point. It lives as long as the call of the handler.
pub struct BatchView<'a> {
    begin: &'a BeginBatch,
    end: &'a EndBatch,
    points: &'a Points,
    missing: &'a Missing,
    left_out: Cell<u64>,
}

impl<'a> BatchView<'a> {
    /// Returns the begin of the batch, with its name, group and tags. Its size is a hint of the
    /// peer; [`len`](Self::len) is the number of points.
    pub fn begin(&self) -> &'a BeginBatch {
        self.begin
    }

    /// Returns the time of the batch in nanoseconds since the epoch. No point is later.
    pub fn tmax(&self) -> i64 {
        self.end.tmax
    }

    /// Returns the number of points.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Returns whether the batch has no points.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Iterates over the points, in the order in which they arrived.
    pub fn points(&self) -> PointsIter<'a> {
        self.points.iter()
    }

    /// Reads each point with `read`, and returns the results. A point whose `read` fails because a
    /// field is missing is left out, as [`OnMissing`](crate::OnMissing) decides.
    ///
    /// ```
    /// use udf_runtime::{BatchView, FromPoint, Point, Result};
    ///
    /// #[derive(FromPoint)]
    /// struct Cpu<'p> {
    ///     #[field]
    ///     usage: f64,
    ///     #[tag]
    ///     host: &'p str,
    /// }
    ///
    /// fn read(batch: &BatchView<'_>) -> Result<()> {
    ///     // Only values, points with a value, and typed points.
    ///     let values: Vec<f64> = batch.read(|point| point.number("usage"))?;
    ///     let points: Vec<(Point<'_>, f64)> =
    ///         batch.read(|point| Ok((point, point.number("usage")?)))?;
    ///     let typed: Vec<Cpu<'_>> = batch.read(Cpu::from_point)?;
    ///     assert!(values.len() == points.len() && typed.len() <= batch.len());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error with [`OnMissing::Fail`](crate::OnMissing::Fail) only: that of the first
    /// point that lacks a field.
    pub fn read<T>(
        &self,
        mut read: impl FnMut(Point<'a>) -> Result<T, FieldError>,
    ) -> Result<Vec<T>> {
        let mut values = Vec::with_capacity(self.len());
        for point in self.points {
            match read(point) {
                Ok(value) => values.push(value),
                Err(error) => {
                    self.missing.forgive("a point", error.into())?;
                    self.left_out.set(self.left_out.get() + 1);
                }
            }
        }
        Ok(values)
    }

    /// Returns the number of points that were left out. A point that was left out of several reads
    /// may count only once.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.get().min(self.len() as u64)
    }
}

impl fmt::Debug for BatchView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchView")
            .field("begin", self.begin)
            .field("tmax", &self.tmax())
            .field("points", &self.len())
            .finish()
    }
}

/// The batch that is arriving.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    begin: BeginBatch,
    points: Points,
    /// The size of the points in memory.
    bytes: usize,
}

impl Gathered {
    /// Begins a batch. Drops the points of an earlier one that has not ended.
    pub(super) fn begin(&mut self, begin: &BeginBatch) {
        self.clear();
        self.begin = begin.clone();
    }

    #[inline]
    pub(super) fn push(&mut self, point: &Point<'_>) {
        self.bytes += point.kept_size();
        self.points.push(point);
    }

    pub(super) fn view<'a>(&'a self, end: &'a EndBatch, missing: &'a Missing) -> BatchView<'a> {
        BatchView {
            begin: &self.begin,
            end,
            points: &self.points,
            missing,
            left_out: Cell::default(),
        }
    }

    /// Removes the batch. Keeps the room for the next one, unless this one was large.
    pub(super) fn clear(&mut self) {
        self.begin = BeginBatch::default();
        if self.bytes > KEPT {
            self.points = Points::new();
        } else {
            self.points.clear();
        }
        self.bytes = 0;
    }
}
