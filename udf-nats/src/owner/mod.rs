//! Which worker owns which partition.
//!
//! Each worker writes a key every second, and reads the keys of the others. All of them compute the
//! same assignment, give up what is no longer theirs, and claim what is. A lease is only there for
//! efficiency: if two workers run the same partition for a while, the fence in the output lets one
//! of them through.

mod assign;
mod members;
mod plan;
mod registry;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use assign::assign;
pub use members::{Members, Sign};
pub use plan::{Action, Slot, plan};
pub use registry::{Registry, Seen, View, worker_name};

/// The interval at which a worker shows that it lives.
pub const BEAT: Duration = Duration::from_secs(1);

/// A worker whose key has not changed for this time has died.
pub const DEAD_AFTER: Duration = Duration::from_secs(5);

/// The key of a worker stays for this time after its death, for the status.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Workers own partitions.
    Worker,
    /// One splitter owns the raw lines.
    Splitter,
}

impl Role {
    /// Returns the name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Role::Worker => "worker",
            Role::Splitter => "splitter",
        }
    }
}

/// The value of the key of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The version of `udf`.
    pub version: String,
    /// When it has started, in nanoseconds since the epoch.
    pub started: i64,
    /// Whether it gives everything up, to end.
    #[serde(default)]
    pub leaving: bool,
    /// The input sequence up to which the output of each of its partitions is stored.
    #[serde(default)]
    pub positions: BTreeMap<u32, u64>,
    /// The partitions that cannot run, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<u32, String>,
    /// What fails in its partitions and is tried again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retrying: BTreeMap<u32, String>,
}

/// The value of the key of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lease {
    /// The owner. Empty after it was given up.
    pub worker: String,
}
