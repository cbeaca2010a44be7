//! Emits points to a stream, or whole batches.

mod batch;
mod output;
mod remote;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use udf_proto::point::{EditScratch, PointEdit, PointSink};
use udf_proto::response;
use udf_proto::{BeginBatch, Point};

pub use self::batch::OpenBatch;
pub(crate) use self::output::{Collected, Output};
pub use self::remote::Remote;
use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::link::{EmitError, Link};

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
    pub(crate) output: Output,
    edge: PhantomData<fn(E)>,
}

impl<E: Edge> Emitter<E> {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Emitter { output: Output::new(link, false), edge: PhantomData }
    }

    /// Creates an emitter whose output is written later by its owner.
    pub(crate) fn collecting(link: Arc<Link>) -> Self {
        Emitter { output: Output::new(link, true), edge: PhantomData }
    }

    /// Returns the time that a new point gets if you set none: the time of the point that is being
    /// handled, or `tmax` of the batch that ends. In other calls and from a [`Remote`], this is the
    /// wall-clock time. In a replay and in a test, a tick has the time of the input.
    ///
    /// ```
    /// use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Tick, testing, udf};
    ///
    /// /// Reports the seconds since the last alarm.
    /// #[udf(wants = stream, provides = stream, tick = "10s")]
    /// struct Alarms {
    ///     #[state]
    ///     last: i64,
    /// }
    ///
    /// impl StreamUdf for Alarms {
    ///     fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
    ///         if point.bool("alarm")? {
    ///             self.last = point.time();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// impl Tick for Alarms {
    ///     fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
    ///         let seconds = (out.time() - self.last) / 1_000_000_000;
    ///         Ok(out.build("quiet").field("seconds", seconds).send()?)
    ///     }
    /// }
    ///
    /// let mut task = testing::udf::<Alarms>().start();
    /// task.feed("m alarm=true 5000000000\nm alarm=false 9000000000");
    /// task.tick();
    /// task.emits("quiet seconds=4i 9000000000");
    /// ```
    pub fn time(&self) -> i64 {
        self.output.time()
    }

    /// Returns a handle that sends from other threads and at later times, for example from timers.
    pub fn remote(&self) -> Remote<E> {
        Remote::new(&self.output.link)
    }
}

impl<E: Edge> fmt::Debug for Emitter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("edge", &E::TYPE)
            .field("bytes", &self.output.bytes.len())
            .finish()
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
        let Some(name) = point.batch_name() else { return self.output.pass(point) };
        // Only the name changes. An edited point would be checked, and this one must not be.
        let _ = self.edit(point).name(name);
        let output = &mut self.output;
        response::append_edited(Some(*point), &mut output.changes, &mut output.bytes);
        output.points += 1;
        output.flush_if_much()
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
        OpenBatch::new(&mut E::batches(self).output, begin)
    }
}

impl PointSink for Emitter<Stream> {
    type Error = EmitError;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.output.changes
    }

    #[inline]
    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), EmitError> {
        let output = &mut self.output;
        output.changes.name_after_batch(base);
        if !output.append_edited(base, None)? {
            return Ok(());
        }
        output.points += 1;
        output.flush_if_much()
    }
}
