//! The driver that splits raw lines into partitions by group, exactly once.
//!
//! Each line of the raw input goes to the partition of its group, in the order of the raw input:
//! the [CRC-32](partition_of) of the group, as Kapacitor names it, modulo the number of partitions. A
//! line without a time gets the time at which the server stored its message.
//!
//! The outputs of a splitter are the inputs of the partitions. They have the same
//! [marks](crate::Mark) and the same fence as the outputs of a UDF, so several splitters may run at
//! once, and one makes progress. The key `split` says how far all partitions go; see [`Register`].
//!
//! Lines that are not valid go to the dead-letter subject, together with the others of their
//! message. After a restart, a dead letter may be stored again.

mod register;
mod route;
mod run;

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::watch;
use udf_text::line_protocol::Grouping;

pub use register::{REGISTER_KEY, Register};
pub use route::partition_of;
use run::Run;

use crate::log::{Clock, Log};
use crate::partition::context::{Context, Report};
use crate::partition::error::Stop;
use crate::partition::shared;
use crate::partition::{Counters, Event, PartitionError};

/// The settings of a splitter.
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct Settings {
    /// The number of partitions, which never changes.
    pub partitions: u32,
    /// The name of the worker, which no other running worker has.
    pub worker: String,
    /// The grouping. All points of a group go to one partition.
    pub grouping: Grouping,
    /// The time between two writes of the [`Register`]. Defaults to 2 s.
    pub save_every: Duration,
    /// Whether to go on if retention has removed raw input. Defaults to `false`.
    pub skip_lost: bool,
    /// The size of a chunk in bytes of input. Defaults to 256 KiB.
    pub chunk_bytes: usize,
    /// The number of chunks on their way to the log. Defaults to 3.
    pub depth: usize,
}

impl Settings {
    /// Creates the settings of a splitter.
    ///
    /// # Panics
    /// If `partitions` is 0.
    pub fn new(partitions: u32, worker: impl Into<String>, grouping: Grouping) -> Self {
        assert!(partitions > 0, "there must be a partition");
        Settings {
            partitions,
            worker: worker.into(),
            grouping,
            save_every: Duration::from_secs(2),
            skip_lost: false,
            chunk_bytes: 256 << 10,
            depth: 3,
        }
    }

    /// Sets [`save_every`](Settings#structfield.save_every).
    pub fn save_every(mut self, time: Duration) -> Self {
        self.save_every = time;
        self
    }

    /// Sets [`skip_lost`](Settings#structfield.skip_lost).
    pub fn skip_lost(mut self, skip_lost: bool) -> Self {
        self.skip_lost = skip_lost;
        self
    }

    /// Sets [`chunk_bytes`](Settings#structfield.chunk_bytes).
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// Sets [`depth`](Settings#structfield.depth).
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }
}

/// Splits raw input until `leave` is true or its sender is dropped. Calls `report` with every event
/// worth logging.
///
/// # Errors
/// If the driver cannot go on: see [`PartitionError`].
pub async fn drive<L: Log, C: Clock>(
    settings: &Settings,
    log: &L,
    clock: &C,
    counters: &Counters,
    mut leave: watch::Receiver<bool>,
    report: &dyn Fn(&Event<'_>),
) -> Result<(), PartitionError> {
    let (failing, snapshots) = (Cell::new(0), Cell::new(0));
    let report = Report { to: report, failing: &failing };
    let context = Context { log, clock, report, snapshots: &snapshots };
    let (mut limit, mut fenced) = (usize::MAX, 0);
    loop {
        let position = counters.position.get();
        let run = async {
            Run::start(context, settings, counters, limit, leave.clone()).await?.drive().await
        };
        let ended = run.await;
        if counters.position.get() > position {
            fenced = 0;
        }
        let pause = match ended {
            Ok(()) => return Ok(()),
            Err(Stop::GiveUp(error)) => return Err(error),
            Err(Stop::Udf(_)) => unreachable!("a splitter has no UDF"),
            Err(Stop::Smaller(bytes)) => {
                limit = bytes.saturating_sub(1 << 10).max(1);
                Duration::ZERO
            }
            Err(Stop::Fenced(what)) => shared::fenced(&mut fenced, what, counters, report),
        };
        let is_left = leave.wait_for(|leave| *leave);
        tokio::select! {
            biased;
            _ = is_left => return Ok(()),
            () = clock.sleep(pause) => {}
        }
    }
}
