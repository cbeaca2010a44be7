//! The runtime's own files, compiled with the locks, threads and clocks of a model checker.
//!
//! Each of the [checks] runs a few threads in every possible order, up to a number of preemptions.

#![allow(
    clippy::duplicate_mod,
    dead_code,
    missing_docs,
    unexpected_cfgs,
    unreachable_pub,
    unused_imports,
    reason = "the files belong to the runtime, whose own build checks them; this crate uses a part"
)]

mod agent;
pub mod checks;
mod orders;
#[path = "../../udf-runtime/src/server/mod.rs"]
mod server;
mod supervise;

// As children of the crate: the checks look into them.
#[path = "../../udf-runtime/src/server/connection.rs"]
mod connection;
#[path = "../../udf-runtime/src/server/refusal.rs"]
mod refusal;
#[path = "../../udf-runtime/src/agent/ticker.rs"]
mod ticker;
#[path = "../../udf-runtime/src/agent/watchdog.rs"]
mod watchdog;

use agent::limits::Limits;
use server::{AnyAccepter, ServeError};
