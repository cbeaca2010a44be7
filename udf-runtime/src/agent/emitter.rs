//! Emits points to a stream, or whole batches.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use udf_proto::messages::{EndBatch, response::Message};
use udf_proto::point::{EditScratch, PointEdit, PointSink};
use udf_proto::response::{self, SizeMark};
use udf_proto::{BeginBatch, EdgeType, Point};

use crate::agent::counters::Count;
use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::link::{EmitError, Link, OnUnfit};

/// The size at which the buffer is flushed although there is more input to handle.
const HIGH_WATER: usize = 256 << 10;

/// The edge that receives points: [`Stream`].
#[diagnostic::on_unimplemented(
    message = "this emitter sends batches: a point goes out as part of one",
    label = "this sends a point to a stream",
    note = "within a batch, write `let mut batch = out.begin(begin);`, then `batch.pass(point)`, `batch.edit(point)` \
            or `batch.build()` for each point, and at the end `batch.end(tmax)`",
    note = "for points without batches, write `provides = stream` in `#[udf(...)]`, and `Emitter<Stream>` in the \
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
    message = "this emitter sends points to a stream: it cannot begin a batch",
    label = "this begins a batch",
    note = "for points, write `out.pass(point)`, `out.edit(point)` or `out.build(name)`",
    note = "for batches, write `provides = batch` in `#[udf(...)]`, and `Emitter<Batch>` in the signatures of the \
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
    edge: PhantomData<fn(E)>,
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
            edge: PhantomData,
        }
    }

    /// Returns a handle that sends from other threads and at later times, for example from timers.
    pub fn remote(&self) -> Remote<E> {
        Remote { link: Arc::clone(&self.link), edge: PhantomData }
    }

    /// Sets the default time of new points. `None` is the wall clock.
    #[inline]
    pub(crate) fn set_time(&mut self, time: Option<i64>) {
        self.time = time;
    }

    /// Counts a point that was not sent.
    pub(crate) fn count_dropped(&self) {
        self.link.counters.add(Count::PointsDropped, 1);
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
    /// the group of another point, [`edit`](Self::edit) that point.
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
        self.drop_open_batch();
        self.open = Some(self.out.len());
        let size = response::append_begin(begin, &mut self.out);
        let end = EndBatch {
            name: begin.name.clone(),
            group: begin.group.clone(),
            tmax: 0,
            tags: begin.tags.clone(),
            by_name: begin.by_name,
        };
        OpenBatch { emitter: E::batches(self), end, size, points: 0 }
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

/// A batch under construction; see [`Emitter::begin`].
#[must_use = "a batch goes nowhere before `end` is called"]
pub struct OpenBatch<'e> {
    emitter: &'e mut Emitter<Batch>,
    end: EndBatch,
    size: SizeMark,
    points: u64,
}

impl OpenBatch<'_> {
    /// Adds `point` unchanged by copying its bytes.
    ///
    /// Within a batch, Kapacitor reads only the time, tags and fields of a point.
    #[inline]
    pub fn pass(&mut self, point: &Point<'_>) {
        response::append_point(*point, &mut self.emitter.out);
        self.points += 1;
    }

    /// Adds `point` with changes.
    pub fn edit<'s, 'p>(&'s mut self, point: &Point<'p>) -> PointEdit<'s, 'p, Self> {
        PointEdit::new(self, *point)
    }

    /// Adds a new point. The point has the tags of the batch only if you set them. Its default time
    /// is that of [`Emitter::build`].
    pub fn build(&mut self) -> PointEdit<'_, 'static, Self> {
        PointEdit::empty(self)
    }

    /// Ends the batch and sends it. No point of the batch may be later than `tmax`, in nanoseconds
    /// since the epoch.
    ///
    /// # Errors
    /// Returns an error if the write fails.
    pub fn end(self, tmax: i64) -> Result<(), EmitError> {
        // The batch is complete: dropping `self` must not remove it from the buffer.
        self.emitter.open = None;
        let out = &mut self.emitter.out;
        response::fill_size(out, self.size, self.points);
        response::append(Message::End(EndBatch { tmax, ..self.end.clone() }), out);
        self.emitter.points += self.points;
        self.emitter.batches += 1;
        self.emitter.flush_if_much()
    }
}

impl PointSink for OpenBatch<'_> {
    type Error = EmitError;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.emitter.changes
    }

    #[inline]
    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), EmitError> {
        self.points += u64::from(self.emitter.append_edited(base, Some(&self.end.name))?);
        Ok(())
    }
}

impl Drop for OpenBatch<'_> {
    fn drop(&mut self) {
        self.emitter.drop_open_batch();
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

/// Sends from any thread and at any time, as long as the connection is open.
///
/// ```
/// use udf_runtime::{Remote, Result, Stream};
///
/// fn beat(remote: &Remote<Stream>, time: i64) -> Result<()> {
///     Ok(remote.emit(|out| out.build("heartbeat").time(time).field("alive", true).send())?)
/// }
/// ```
pub struct Remote<E: Edge> {
    link: Arc<Link>,
    edge: PhantomData<fn(E)>,
}

impl<E: Edge> Remote<E> {
    /// Sends everything that `fill` emits, and blocks until it is written.
    ///
    /// The output of one call is contiguous up to 256 KiB, and a batch is always contiguous.
    ///
    /// # Errors
    /// Returns an error if the connection has ended, or if `fill` returns an error. Output that
    /// `fill` emitted before its error is still sent.
    pub fn emit(
        &self,
        fill: impl FnOnce(&mut Emitter<E>) -> Result<(), EmitError>,
    ) -> Result<(), EmitError> {
        let _entered = self.link.span.enter();
        let mut emitter = Emitter::new(Arc::clone(&self.link));
        let filled = fill(&mut emitter);
        emitter.flush().and(filled)
    }

    /// Returns whether the connection has ended, so that nothing can be sent any more. Never
    /// blocks.
    pub fn is_closed(&self) -> bool {
        self.link.is_closed()
    }
}

impl<E: Edge> Clone for Remote<E> {
    fn clone(&self) -> Self {
        Remote { link: Arc::clone(&self.link), edge: PhantomData }
    }
}

impl<E: Edge> fmt::Debug for Remote<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("edge", &E::TYPE).finish_non_exhaustive()
    }
}
