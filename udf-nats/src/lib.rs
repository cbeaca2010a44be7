//! Runs UDFs of any language on several machines, over NATS JetStream.
//!
//! A stream of lines is split into partitions by group. Each partition has one owner at a time,
//! which hands the lines to a UDF, and appends the lines of the UDF to the output of the partition.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`log`] | what the drivers need of a log: reading, appending behind a fence, keys |
//! | [`mark`] | how far the output of a partition goes, in the headers of each output message |
//! | [`partition`] | the driver of a partition |
//! | [`split`] | the driver that splits raw lines into partitions |
//! | [`udf`] | what the driver of a partition needs of a UDF |
//! | [`host`] | UDFs in any language |
//! | [`lines`] | lines of output, with their ends |

pub mod host;
pub mod lines;
pub mod log;
pub mod mark;
pub mod partition;
pub mod split;
pub mod udf;

pub use host::{HostUdf, Program, ProgramError};
pub use lines::Lines;
pub use log::{AppendError, Batch, Bounds, Clock, DeadLetter, Entry, Input, Last, Log, LogError};
pub use log::{Message, PutError};
pub use mark::Mark;
pub use udf::{Chunk, Output, Udf, UdfError};

// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
