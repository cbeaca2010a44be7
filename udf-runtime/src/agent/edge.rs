//! The two kinds of edges, as types.

use udf_proto::EdgeType;

/// A kind of edge: [`Stream`] or [`Batch`].
pub trait Edge: sealed::Sealed + Send + Sync + 'static {
    /// The name of the edge in the protocol.
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

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Stream {}
    impl Sealed for super::Batch {}
}
