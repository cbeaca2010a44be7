//! The interface for authors: the traits of a UDF, options, state, and typed points.

pub(crate) mod handler;
pub mod options;
pub mod state;
pub(crate) mod traits;
pub mod typed;
