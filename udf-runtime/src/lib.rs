//! Write Kapacitor user-defined functions (UDFs) in Rust: annotate a struct, and implement one
//! trait.
//!
//! ```
//! use std::process::ExitCode;
//! use udf_runtime::options::FieldName;
//! use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};
//!
//! /// Adds a field with the sum of two others.
//! #[udf(wants = stream, provides = stream)]
//! struct Sum {
//!     /// The first field to add.
//!     #[option]
//!     left: FieldName,
//!     /// The second field to add.
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
//! | item | purpose |
//! | --- | --- |
//! | [`udf`], [`StreamUdf`], [`WholeBatchUdf`], [`BatchUdf`], [`main`](fn@main), [`main!`] | writing a UDF |
//! | [`ConcurrentUdf`], [`Task::spawn`] | work that waits, and threads of a task |
//! | [`options`] | the types of options, and the messages about invalid ones |
//! | [`typed`] | structs that are read from points, and structs that become fields |
//! | [`Point`], [`Group`], [`Emitter`], [`Remote`] | reading and sending points |
//! | [`state`] | state per group, and snapshots |
//! | [`shared`] | things that the process makes once, its own arguments, and reloads |
//! | [`Counter`], [`Gauge`] | your own metrics |
//! | [`testing`] | testing a UDF with `cargo test` |
//! | [`Handler`], [`Agent`], [`Server`], [`serve_stdio`] | the low-level interface |
//!
//! # Features
//!
//! | feature | contents |
//! | --- | --- |
//! | `main`, a default | [`main`](fn@main): the command line, logs on stderr, signals, systemd, metrics over HTTP |
//! | `testing`, a default | [`testing`] |

#[cfg(not(unix))]
compile_error!(
    "udf-runtime runs on Unix only: Kapacitor speaks with UDFs over pipes and Unix sockets"
);

#[doc = include_str!("main.md")]
#[cfg(feature = "main")]
#[macro_export]
macro_rules! main {
    ($udf:ty $(,)?) => {
        $crate::main::<$udf>()
    };
    ($($udf:ty),+ $(,)?) => {{
        const PROGRAMS: &[$crate::__private::Program] =
            $crate::__private::programs(&[$($crate::__private::Program::of::<$udf>()),+]);
        $crate::__private::main_of(
            PROGRAMS,
            $crate::__private::option_env!("CARGO_BIN_NAME"),
            $crate::__private::option_env!("CARGO_PKG_VERSION"),
        )
    }};
}

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod agent;
mod homes;
mod server;
#[cfg(feature = "main")]
mod supervise;
#[cfg(feature = "testing")]
pub mod testing;
mod udf;

pub use agent::agent_error::AgentError;
pub use agent::edge::{Batch, Edge, Stream};
pub use agent::emitter::{Emitter, OpenBatch, ProvidesBatches, ProvidesStream, Remote};
pub use agent::error::{Error, Result};
pub use agent::group::Group;
pub use agent::handler::{Handler, Verdict};
pub use agent::limits::Limits;
pub use agent::link::{EmitError, OnUnfit};
pub use agent::metrics::Metrics;
pub use agent::own_metrics::{Counter, Gauge, Metric};
pub use agent::pulse::Call;
pub use agent::run::{Agent, RunningAgent};
pub use agent::stop::Stop;
#[cfg(feature = "main")]
pub use homes::program::main;
pub use homes::stdio::{StdioError, serve_stdio};
pub use server::socket_file::{BindError, SocketFile, SocketOptions};
pub use server::{Accepter, ServeError, Server};
pub use udf::batch_view::BatchView;
pub use udf::concurrent::ConcurrentUdf;
pub use udf::handler::UdfHandler;
pub use udf::missing::OnMissing;
pub use udf::restore::UnfitSnapshot;
pub use udf::task::{Task, TaskThread};
pub use udf::traits::{BatchUdf, FromPoint, StreamUdf, Tick, Udf};
pub use udf::whole_batch::WholeBatchUdf;
pub use udf::{options, shared, state, typed};
#[doc = include_str!("attributes.md")]
pub use udf_macros::udf;
pub use udf_macros::{Fields, FromPoint};
pub use udf_proto::point::{
    FieldError, FieldSet as Fields, FieldValue, FieldWriter, PointEdit, PointSink,
};
pub use udf_proto::{
    BeginBatch, EdgeType, EndBatch, Init, OptionCall, Point, PointBuf, Points, Value, ValueType,
};

// Compiles the code of the README as doc-tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
