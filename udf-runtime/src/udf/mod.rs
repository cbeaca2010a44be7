//! The interface for authors: the traits of a UDF, options, state, and typed points.

pub(crate) mod batch_view;
pub(crate) mod concurrent;
pub(crate) mod handler;
pub(crate) mod lent;
pub(crate) mod missing;
pub mod options;
pub(crate) mod restore;
pub mod shared;
pub mod state;
pub(crate) mod task;
pub(crate) mod traits;
pub mod typed;
pub(crate) mod whole_batch;
