//! What generated code names. It is no part of the public surface and changes without notice.

pub use std::ops::Bound;
pub use std::time::Duration;

pub use udf_macros::__Udf;

pub use crate::options::{Flag, Help, OptionParser, OptionSpec, OptionType, Parsed, no_choice};
pub use crate::state::{StateReader, StateWriter};
pub use crate::typed::{field, group, point, put, tag, time};
pub use crate::{
    Batch, BatchUdf, FieldError, FieldWriter, Fields, FromPoint, OnMissing, Point, Result, Stream,
    StreamUdf, Udf,
};

/// Fails to compile unless the UDF handles the points of a stream.
pub const fn handles_stream<T: StreamUdf>() {}

/// Fails to compile unless the UDF handles batches.
pub const fn handles_batches<T: BatchUdf>() {}

/// A `#[state]` field that a snapshot restores.
#[derive(Debug)]
pub struct Slot<'a, T>(pub &'a mut T);

impl<T> Slot<'_, crate::state::Groups<T>> {
    /// Restores the groups; the limits stay, which are no part of a snapshot.
    pub fn restore(self, restored: Option<crate::state::Groups<T>>) {
        self.0.restore(restored.unwrap_or_default());
    }
}

/// Restores what is not [`Groups`](crate::state::Groups), whose own method comes before this one.
pub trait Restore<T> {
    /// Sets the field to what was saved, or to its default if the snapshot is older than the field.
    fn restore(self, restored: Option<T>);
}

impl<T: Default> Restore<T> for Slot<'_, T> {
    fn restore(self, restored: Option<T>) {
        *self.0 = restored.unwrap_or_default();
    }
}
