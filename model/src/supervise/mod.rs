//! The engine of the supervisor, file by file, and what surrounds it in a check: Kapacitor, workers
//! that die, and the loop that moves their bytes.

#[path = "../../../udf-runtime/src/supervise/core.rs"]
mod core;
#[path = "../../../udf-runtime/src/supervise/deaths.rs"]
mod deaths;
#[path = "../../../udf-runtime/src/supervise/ledger.rs"]
mod ledger;
#[path = "../../../udf-runtime/src/supervise/log.rs"]
mod log;
#[path = "../../../udf-runtime/src/supervise/output.rs"]
mod output;
#[path = "../../../udf-runtime/src/supervise/requests.rs"]
mod requests;
#[path = "../../../udf-runtime/src/supervise/settings.rs"]
mod settings;
#[path = "../../../udf-runtime/src/supervise/start.rs"]
mod start;
#[path = "../../../udf-runtime/src/supervise/talk/mod.rs"]
mod talk;

#[path = "../../../udf-runtime/src/supervise/store/saved.rs"]
mod saved;

/// The state directory, without its files.
mod store {
    pub(crate) use super::saved::{Given, Saved};
}

mod front;
mod handover;
mod kapacitor;
mod udf;
mod worker;
mod world;

pub(crate) use self::kapacitor::{Scenario, run};
pub(crate) use self::udf::{Kind, Version};
pub(crate) use self::world::Incident;
