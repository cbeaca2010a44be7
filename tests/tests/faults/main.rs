//! The fault suite: what is done to running UDFs from outside, and what each fault must not do to them.
//!
//! Every case is a test of its own, named in a table with the promise that it checks. The table is part of
//! `docs/reliability.md`, which is renewed with `UPDATE=1 cargo test -p udf-tests --test faults table`.

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
mod signals;
mod snapshots;
mod sockets;
mod subject;
mod systemd;
mod table;
mod unread;

use subject::{BOTH, Case, PIPE, SOCKET, cases};
