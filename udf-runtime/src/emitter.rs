//! What a handler sends on.

use std::marker::PhantomData;

use crate::Edge;

/// Sends to the edge that a UDF provides.
#[derive(Debug)]
pub struct Emitter<E: Edge> {
    edge: PhantomData<fn(E)>,
}
