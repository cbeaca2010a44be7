//! Fault tests of supervised UDFs: each kills or misleads a worker, or its front, and checks the
//! promise for this fault.
//!
//! The workers are examples of this kit, and a UDF in Python's standard library,
//! `tests/workers/plain.py`. The tables of `docs/faults.md` list the cases. To update them, run
//! `UPDATE=1 cargo test -p udf-tests --test supervise table`.

mod changes;
mod check;
mod deaths;
mod examples;
mod front;
mod fronts;
mod kapacitor;
mod kills;
mod limits;
mod liveness;
mod plan;
mod poison;
mod soak;
mod states;
mod table;

use udf_tests::cases;
