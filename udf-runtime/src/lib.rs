//! Write Kapacitor user-defined functions (UDFs) in Rust: annotate a struct, and the rest is done.
//!
//! ```
//! use std::process::ExitCode;
//! use udf_runtime::options::FieldName;
//! use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};
//!
//! /// Adds a field with the sum of two others.
//! #[udf(wants = stream, provides = stream)]
//! struct Sum {
//!     /// The field that is added to.
//!     #[option]
//!     left: FieldName,
//!     /// The field that is added.
//!     #[option]
//!     right: FieldName,
//! }
//!
//! impl StreamUdf for Sum {
//!     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
//!         let sum = point.number(&self.left)? + point.number(&self.right)?;
//!         Ok(out.edit(point).field("sum", sum).send()?)
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     udf_runtime::main::<Sum>()
//! }
//! ```
//!
//! | where to look | for |
//! | --- | --- |
//! | [`udf`], [`StreamUdf`], [`BatchUdf`], [`main`] | writing a UDF |
//! | [`options`] | what an option can be, and how a mistake is told |
//! | [`typed`] | structs that are made of points, and structs that become fields |
//! | [`Point`], [`Emitter`], [`Remote`] | reading points, and sending them |
//! | [`state`] | state for each group, and snapshots |
//! | [`testing`] | a UDF in `cargo test` |
//! | [`Handler`], [`Agent`], [`Server`], [`serve_stdio`] | the level below, to be used by hand |
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `main`, a default | [`main`]: the command line, logs on stderr, signals, systemd, metrics over HTTP |
//! | `testing`, a default | [`testing`] |

#[cfg(not(unix))]
compile_error!(
    "udf-runtime runs on Unix only: Kapacitor speaks with UDFs over pipes and Unix sockets"
);

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod agent;
mod allowance;
mod counters;
mod edge;
mod emitter;
mod entry;
mod error_text;
mod handler;
mod input;
mod linger;
mod link;
#[cfg(any(feature = "main", feature = "testing"))]
mod loopback;
mod metrics;
pub mod options;
mod pulse;
mod rate_limit;
mod server;
mod shortage;
#[cfg(feature = "main")]
mod signals;
pub mod state;
mod stop;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;
pub mod typed;
mod udf;
mod udf_handler;
mod watchdog;

pub use agent::{Agent, AgentError, Call, RunningAgent};
pub use edge::{Batch, Edge, ProvidesBatches, ProvidesStream, Stream};
pub use emitter::{Emitter, OpenBatch, Remote};
#[cfg(feature = "main")]
pub use entry::main;
pub use entry::{StdioError, serve_stdio};
pub use handler::{Handler, Verdict};
pub use link::{EmitError, OnUnfit};
pub use metrics::Metrics;
pub use server::{Accepter, BindError, Limits, ServeError, Server, SocketFile, SocketOptions};
pub use stop::Stop;
pub use udf::{BatchUdf, FromPoint, OnMissing, StreamUdf, Task, Tick, Udf};
pub use udf_handler::{UdfHandler, UnfitSnapshot};
#[doc = include_str!("attributes.md")]
pub use udf_macros::udf;
pub use udf_macros::{Fields, FromPoint};
pub use udf_proto::point::{FieldError, FieldSet as Fields, FieldValue, FieldWriter};
pub use udf_proto::{
    BeginBatch, EdgeType, EndBatch, Init, OptionCall, Point, PointBuf, Points, Value, ValueType,
};

/// What can fail in a UDF: any error, by `?`, or `Err("text".into())`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of a UDF's method.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
