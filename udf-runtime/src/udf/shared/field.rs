//! The type of a `#[shared]` field.

use std::sync::Arc;

use super::Shared;
use super::resources::{Resources, SharedType};

/// The type of a `#[shared]` field: an `Arc` of a [`Shared`] thing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that tasks can share",
    label = "not an `Arc`",
    note = "write `Arc<{Self}>`, and `impl udf_runtime::shared::Shared` for the type in it"
)]
pub trait SharedField: Sized {
    #[doc(hidden)]
    const TYPE: SharedType;
    #[doc(hidden)]
    fn of(resources: &Resources) -> Option<Self>;
}

impl<T: Shared> SharedField for Arc<T> {
    const TYPE: SharedType = SharedType::of::<T>();

    fn of(resources: &Resources) -> Option<Self> {
        resources.get()
    }
}

/// Returns the functions of the shared type of a field.
#[doc(hidden)]
pub const fn shared_type<F: SharedField>() -> SharedType {
    F::TYPE
}
