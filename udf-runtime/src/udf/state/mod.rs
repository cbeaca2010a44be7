//! State: what a UDF keeps for each group, and how it survives a restart of Kapacitor.
//!
//! Kapacitor asks for a snapshot about once a minute and hands the last one back when the task starts
//! again. A snapshot of this kit is an envelope around the `#[state]` fields of a UDF.

mod groups;
mod snapshot;

pub use groups::{Grouped, Groups};
pub use snapshot::{SnapshotError, StateReader, StateWriter};
