//! Write Kapacitor UDFs in Rust.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod agent;
mod edge;
mod emitter;
mod entry;
mod handler;
mod link;
pub mod options;
mod pulse;
mod server;
pub mod state;
mod stop;
mod udf;
mod udf_handler;
mod watchdog;

pub use agent::{Agent, AgentError, Call, RunningAgent};
pub use edge::{Batch, Edge, Stream};
pub use emitter::{Emitter, OpenBatch, Remote};
pub use entry::main;
pub use handler::{Handler, Verdict};
pub use link::EmitError;
pub use server::{Accepter, BindError, Limits, ServeError, Server, SocketFile, SocketOptions};
pub use stop::Stop;
pub use udf::{BatchUdf, FromPoint, OnMissing, StreamUdf, Task, Udf};
pub use udf_handler::UdfHandler;
pub use udf_macros::udf;
pub use udf_proto::point::FieldError;
pub use udf_proto::{
    BeginBatch, EdgeType, EndBatch, Init, OptionCall, Point, PointBuf, Points, Value, ValueType,
};

/// What can fail in a UDF: any error, by `?`, or `Err("text".into())`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of a UDF's method.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;
