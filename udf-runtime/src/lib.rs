//! Write Kapacitor UDFs in Rust.

mod edge;
mod emitter;
pub mod options;
pub mod state;
mod udf;

pub use edge::{Batch, Edge, Stream};
pub use emitter::Emitter;
pub use udf::{BatchUdf, FromPoint, OnMissing, StreamUdf, Task, Udf};
pub use udf_proto::{BeginBatch, EndBatch, Point, PointBuf, Points};

/// What can fail in a UDF: any error, by `?`, or `Err("text".into())`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of a UDF's method.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;
