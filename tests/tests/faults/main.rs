//! Fault tests: each injects a fault into a running UDF and checks the promise for this fault.
//!
//! Every case is a separate test. A table names it with its promise. The table is a part of
//! `docs/faults.md`. To update it, run `UPDATE=1 cargo test -p udf-tests --test faults table`.

mod crowds;
mod descriptors;
mod frames;
mod handlers;
mod hangups;
mod limits;
mod liveness;
mod logs;
mod memory;
mod metrics;
mod neighbours;
mod options;
mod order;
mod points;
mod process;
mod programs;
mod signals;
mod snapshots;
mod sockets;
mod subject;
mod systemd;
mod table;
mod unread;
mod waiting;

use udf_tests::cases;
use udf_tests::cases::{BOTH, PIPE, SOCKET};
