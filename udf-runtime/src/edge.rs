//! The two kinds of edges, as types.

use udf_proto::EdgeType;

use crate::Emitter;

/// A kind of edge: [`Stream`] or [`Batch`].
pub trait Edge: sealed::Sealed + Send + Sync + 'static {
    /// How the protocol names it.
    const TYPE: EdgeType;
}

/// Single points.
#[derive(Debug, Clone, Copy)]
pub enum Stream {}

/// Batches of points.
#[derive(Debug, Clone, Copy)]
pub enum Batch {}

impl Edge for Stream {
    const TYPE: EdgeType = EdgeType::Stream;
}

impl Edge for Batch {
    const TYPE: EdgeType = EdgeType::Batch;
}

/// The edge to which points are sent: [`Stream`].
#[diagnostic::on_unimplemented(
    message = "this emitter sends batches: a point goes out as part of one",
    label = "this sends a point to a stream",
    note = "within a batch, write `let mut batch = out.begin(begin);`, then `batch.pass(point)`, `batch.edit(point)` \
            or `batch.build()` for each point, and at the end `batch.end(tmax)`",
    note = "for points without batches, write `provides = stream` in `#[udf(...)]`, and `Emitter<Stream>` in the \
            signatures of the handler"
)]
pub trait ProvidesStream: Edge + Sized {
    /// The emitter, whose edge is known now.
    #[doc(hidden)]
    fn stream(emitter: &mut Emitter<Self>) -> &mut Emitter<Stream>;
}

impl ProvidesStream for Stream {
    #[inline]
    fn stream(emitter: &mut Emitter<Self>) -> &mut Emitter<Stream> {
        emitter
    }
}

/// The edge to which batches are sent: [`Batch`].
#[diagnostic::on_unimplemented(
    message = "this emitter sends points to a stream: it cannot begin a batch",
    label = "this begins a batch",
    note = "for points, write `out.pass(point)`, `out.edit(point)` or `out.build(name)`",
    note = "for batches, write `provides = batch` in `#[udf(...)]`, and `Emitter<Batch>` in the signatures of the \
            handler"
)]
pub trait ProvidesBatches: Edge + Sized {
    /// The emitter, whose edge is known now.
    #[doc(hidden)]
    fn batches(emitter: &mut Emitter<Self>) -> &mut Emitter<Batch>;
}

impl ProvidesBatches for Batch {
    #[inline]
    fn batches(emitter: &mut Emitter<Self>) -> &mut Emitter<Batch> {
        emitter
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Stream {}
    impl Sealed for super::Batch {}
}
