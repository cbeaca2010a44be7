//! State: the values that a UDF keeps per group, and snapshots that survive a restart of Kapacitor.
//!
//! Kapacitor requests a snapshot about once a minute, and sends the last one back when the task
//! starts again. A snapshot of this kit is an envelope around the `#[state]` fields of a UDF.

mod groups;
mod made_with;
mod snapshot;

pub use groups::{Grouped, Groups};
#[doc(hidden)]
pub use made_with::{is_made_with, save_options};
pub use snapshot::{SnapshotError, StateReader, StateWriter};
