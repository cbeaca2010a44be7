//! Runs UDFs of any language on several machines, over NATS JetStream.
//!
//! A stream of lines is split into partitions by group. Each partition has one owner at a time,
//! which hands the lines to a UDF, and appends the lines of the UDF to the output of the partition.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`log`] | what the drivers need of a log: reading, appending behind a fence, keys |
//! | [`mark`] | how far the output of a partition goes, in the headers of each output message |
//! | [`nats`] | connections with NATS, and its log |
//! | [`owner`] | which worker owns which partition |
//! | [`run`] | the process of a worker or of a splitter |
//! | [`setup`] | creates the streams and the bucket of a UDF |
//! | [`partition`] | the driver of a partition |
//! | [`status`] | how far the partitions are, and who runs them |
//! | [`split`] | the driver that splits raw lines into partitions |
//! | [`udf`] | what the driver of a partition needs of a UDF |
//! | [`host`] | UDFs in any language |
//! | [`work`] | what the threads of a worker and of a splitter run |
//! | [`lines`] | lines of output, with their ends |

pub mod host;
pub mod lines;
pub mod log;
pub mod mark;
pub mod nats;
pub mod owner;
pub mod partition;
pub mod run;
pub mod setup;
pub mod split;
pub mod status;
pub mod udf;
pub mod work;

pub use host::{HostUdf, Program, ProgramError};
pub use lines::Lines;
pub use log::{AppendError, Batch, Bounds, Clock, DeadLetter, Entry, Input, Last, Log, LogError};
pub use log::{Message, PutError};
pub use mark::Mark;
pub use udf::{Chunk, Output, Udf, UdfError};

/// Runs a future on this thread, with the timers and sockets that it needs.
///
/// # Errors
/// Returns an error if the system has no descriptors left.
pub fn block_on<F: Future>(future: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
