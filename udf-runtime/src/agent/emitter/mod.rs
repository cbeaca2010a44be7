//! Emits points to a stream, or whole batches.

mod batch;
mod remote;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use udf_proto::messages::response::Message;
use udf_proto::point::{EditScratch, PointEdit, PointSink};
use udf_proto::response;
use udf_proto::{BeginBatch, EdgeType, Point};

pub use self::batch::OpenBatch;
pub use self::remote::Remote;
use crate::agent::counters::Count;
use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::link::{EmitError, Link, OnUnfit};

/// The size at which the buffer is flushed although there is more input to handle.
const HIGH_WATER: usize = 256 << 10;

/// The edge that receives points: [`Stream`].
#[diagnostic::on_unimplemented(
    message = "this emitter sends batches, and a point can be sent only within a batch",
    label = "this sends a point to a stream",
    note = "within a batch, write `let mut batch = out.begin(begin);`, then `batch.pass(point)`, `batch.edit(point)` \
            or `batch.build()` for each point, and finally `batch.end(tmax)`",
    note = "to send points without batches, write `provides = stream` in `#[udf(...)]`, and `Emitter<Stream>` in the \
            signatures of the handler"
)]
pub trait ProvidesStream: Edge + Sized {
    /// Returns the emitter as an emitter of a stream.
    #[doc(hidden)]
    fn stream(emitter: &mut Emitter<Self>) -> &mut Emitter<Stream>;
}

impl ProvidesStream for Stream {
    #[inline]
    fn stream(emitter: &mut Emitter<Self>) -> &mut Emitter<Stream> {
        emitter
    }
}

/// The edge that receives batches: [`Batch`].
#[diagnostic::on_unimplemented(
    message = "this emitter sends points to a stream and cannot begin a batch",
    label = "this begins a batch",
    note = "to send points, write `out.pass(point)`, `out.edit(point)` or `out.build(name)`",
    note = "to send batches, write `provides = batch` in `#[udf(...)]`, and `Emitter<Batch>` in the signatures of the \
            handler"
)]
pub trait ProvidesBatches: Edge + Sized {
    /// Returns the emitter as an emitter of batches.
    #[doc(hidden)]
    fn batches(emitter: &mut Emitter<Self>) -> &mut Emitter<Batch>;
}

impl ProvidesBatches for Batch {
    #[inline]
    fn batches(emitter: &mut Emitter<Self>) -> &mut Emitter<Batch> {
        emitter
    }
}

/// Sends to the edge that a UDF provides.
///
/// Output is buffered. The buffer is flushed before the agent blocks for input, when it exceeds 256
/// KiB, and every few hundred milliseconds between two calls. If Kapacitor does not read, the flush
/// blocks.
///
/// On a stream, an emitter sends points: [`pass`](Self::pass), [`edit`](Self::edit),
/// [`build`](Self::build). On an edge of batches, it sends whole batches: [`begin`](Self::begin).
///
/// An emitter is valid only during the call that receives it. Use a [`Remote`] to send from another
/// thread or at a later time.
pub struct Emitter<E: Edge> {
    out: Vec<u8>,
    changes: EditScratch,
    link: Arc<Link>,
    /// The position in the buffer where the open batch begins.
    open: Option<usize>,
    points: u64,
    batches: u64,
    /// The default time of new points. `None` is the wall clock.
    time: Option<i64>,
    /// Whether the output is collected and not written.
    collects: bool,
    edge: PhantomData<fn(E)>,
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

impl<E: Edge> Emitter<E> {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Emitter {
            out: Vec::new(),
            changes: EditScratch::default(),
            link,
            open: None,
            points: 0,
            batches: 0,
            time: None,
            collects: false,
            edge: PhantomData,
        }
    }

    /// Creates an emitter whose output is written later by its owner.
    pub(crate) fn collecting(link: Arc<Link>) -> Self {
        Emitter { collects: true, ..Emitter::new(link) }
    }

    /// Returns the output. A batch that was not ended is no part of it.
    pub(crate) fn collected(mut self) -> Collected {
        self.drop_open_batch();
        Collected { bytes: self.out, points: self.points, batches: self.batches }
    }

    /// Returns a handle that sends from other threads and at later times, for example from timers.
    pub fn remote(&self) -> Remote<E> {
        Remote::new(&self.link)
    }

    /// Sets the default time of new points. `None` is the wall clock.
    #[inline]
    pub(crate) fn set_time(&mut self, time: Option<i64>) {
        self.time = time;
    }

    /// Counts points that were not sent.
    pub(crate) fn count_dropped(&self, points: u64) {
        self.link.counters.add(Count::PointsDropped, points);
    }

    /// Appends `base` with its changes, and returns whether it did. Within a batch, `batch` is the
    /// name of the batch.
    #[inline]
    fn append_edited(
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
            self.changes.set_time(self.time.unwrap_or_else(now));
        }
        response::append_edited(base, &mut self.changes, &mut self.out);
        Ok(true)
    }

    /// Appends the response to a request.
    pub(crate) fn answer(&mut self, message: Message) {
        self.drop_open_batch();
        response::append(message, &mut self.out);
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
        if self.out.is_empty() {
            return Ok(());
        }
        let written = self.link.write(&self.out);
        self.out.clear();
        if self.out.capacity() > 4 * HIGH_WATER {
            // Return the memory that a large batch needed.
            self.out = Vec::new();
        }
        written
    }

    /// Passes `point` on if this edge is a stream.
    #[inline]
    pub(crate) fn pass_on(&mut self, point: &Point<'_>) -> Result<(), EmitError> {
        if E::TYPE == EdgeType::Batch {
            return Ok(());
        }
        response::append_point(*point, &mut self.out);
        self.points += 1;
        self.flush_if_much()
    }

    #[inline]
    pub(crate) fn flush_if_much(&mut self) -> Result<(), EmitError> {
        self.flush_if(HIGH_WATER)
    }

    /// Writes the buffer if it holds `bytes` or more.
    #[inline]
    pub(crate) fn flush_if(&mut self, bytes: usize) -> Result<(), EmitError> {
        if self.out.len() >= bytes { self.flush() } else { Ok(()) }
    }

    /// Removes a batch that was begun and never ended from the buffer.
    fn drop_open_batch(&mut self) {
        if let Some(start) = self.open.take() {
            self.out.truncate(start);
        }
    }
}

/// Returns the wall-clock time in nanoseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A time before 1970 comes from a clock that is not set yet.
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl<E: Edge> fmt::Debug for Emitter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("edge", &E::TYPE).field("bytes", &self.out.len()).finish()
    }
}

/// The methods that send. The edge is a bound of each method and not of the block, so that the
/// compiler shows our message for a method of the other edge.
impl<E: Edge> Emitter<E> {
    /// Sends `point` unchanged by copying its bytes. A point of a batch is sent under the name of
    /// the batch.
    ///
    /// # Errors
    /// Returns an error if the write fails.
    #[inline]
    pub fn pass(&mut self, point: &Point<'_>) -> Result<(), EmitError>
    where
        E: ProvidesStream,
    {
        let Some(name) = point.batch_name() else { return self.pass_on(point) };
        // Only the name changes. An edited point would be checked, and this one must not be.
        let _ = self.edit(point).name(name);
        response::append_edited(Some(*point), &mut self.changes, &mut self.out);
        self.points += 1;
        self.flush_if_much()
    }

    /// Sends `point` with changes: `out.edit(point).field("mean", 4.2).send()`. A point of a batch
    /// is sent under the name of the batch, unless you set another name.
    pub fn edit<'p>(&mut self, point: &Point<'p>) -> PointEdit<'_, 'p, Emitter<Stream>>
    where
        E: ProvidesStream,
    {
        PointEdit::new(E::stream(self), *point)
    }

    /// Sends a new point of the measurement `name`.
    ///
    /// Without [`time`](PointEdit::time), the point has the time of the point that is being
    /// handled, or `tmax` of the batch that ends. In other calls and from a [`Remote`], it has the
    /// wall-clock time.
    ///
    /// Kapacitor derives the group of the point from its tags and dimensions. To send a point into
    /// the group of another point, [`edit`](Self::edit) that point, or keep its
    /// [`Group`](crate::Group) and use [`build_in`](Self::build_in).
    pub fn build(&mut self, name: &str) -> PointEdit<'_, 'static, Emitter<Stream>>
    where
        E: ProvidesStream,
    {
        PointEdit::build(E::stream(self), name)
    }

    /// Begins a batch with the name, group and tags of `begin`. The size in `begin` is ignored.
    ///
    /// [`OpenBatch::end`] sends the whole batch. Dropping the batch discards it.
    ///
    /// ```
    /// use udf_runtime::{Batch, BeginBatch, Emitter, EndBatch, Points, Result};
    ///
    /// fn send(points: &Points, begin: &BeginBatch, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
    ///     let mut batch = out.begin(begin);
    ///     for point in points.iter() {
    ///         batch.pass(&point);
    ///     }
    ///     Ok(batch.end(end.tmax)?)
    /// }
    /// ```
    pub fn begin(&mut self, begin: &BeginBatch) -> OpenBatch<'_>
    where
        E: ProvidesBatches,
    {
        self.begin_owned(begin.clone())
    }

    pub(crate) fn begin_owned(&mut self, begin: BeginBatch) -> OpenBatch<'_>
    where
        E: ProvidesBatches,
    {
        OpenBatch::new(E::batches(self), begin)
    }
}

impl PointSink for Emitter<Stream> {
    type Error = EmitError;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.changes
    }

    #[inline]
    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), EmitError> {
        self.changes.name_after_batch(base);
        if !self.append_edited(base, None)? {
            return Ok(());
        }
        self.points += 1;
        self.flush_if_much()
    }
}
