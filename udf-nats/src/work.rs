//! What the threads of a worker and of a splitter run.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use udf_text::line_protocol::Grouping;
use udf_text::message::one_line;

use crate::host::{Connect, HostUdf, Program, ProgramError};
use crate::nats::{Groups, NatsLog, SystemClock};
use crate::partition::{self, Event, Level, OnPoison, PartitionError};
use crate::run::{Counts, Job, JobError, RunError, Task};
use crate::split;

/// The most that the status shows of a reason, in bytes.
const LONGEST_WHY: usize = 300;

/// A UDF with its options, and the policies of its partitions.
#[derive(Clone)]
pub struct Run {
    /// Creates a connection with the UDF.
    pub connect: Arc<Connect>,
    /// The name of the UDF, which belongs to its state.
    pub udf: String,
    /// The options, each `name=value`.
    pub options: Vec<String>,
    /// The grouping of the points.
    pub grouping: Grouping,
    /// The database of all points.
    pub database: String,
    /// The retention policy of all points.
    pub retention_policy: String,
    /// The time between two snapshots.
    pub snapshot_every: Duration,
    /// The bytes of input between two snapshots.
    pub snapshot_bytes: u64,
    /// Whether a partition stops at a line that kills the UDF each time.
    pub stops_at_poison: bool,
    /// Whether to go on if retention has removed input.
    pub skip_lost: bool,
    /// Whether the UDF may send points from threads of its own.
    pub may_use_threads: bool,
}

impl Run {
    /// Starts the UDF once to ask for its edges and options. Returns what the thread of a partition
    /// runs.
    ///
    /// # Errors
    /// If the UDF fails, or the options do not fit.
    pub fn job(&self, name: &str) -> Result<Job, RunError> {
        let program = Program::new(
            Arc::clone(&self.connect),
            name,
            &self.udf,
            &self.options,
            self.grouping.clone(),
        );
        let mut program = program.map_err(|error| match error {
            ProgramError::Udf(error) => RunError::System(format!("the UDF does not run: {error}")),
            error => RunError::Refused(error.to_string()),
        })?;
        program.database.clone_from(&self.database);
        program.retention_policy.clone_from(&self.retention_policy);
        program.may_use_threads = self.may_use_threads;
        let run = self.clone();
        Ok(Arc::new(move |task| {
            let settings = run.settings(&task);
            let mut program = program.clone();
            // Its log names the node, and so the partition.
            program.init.node_id = format!("{}-{}", run.udf, task.partition);
            let udf = HostUdf::new(Arc::new(program));
            Box::pin(drive(task, settings, udf))
        }))
    }

    fn settings(&self, task: &Task) -> partition::Settings {
        let groups = Groups::of(&self.grouping).to_string();
        let poison = if self.stops_at_poison { OnPoison::Stop } else { OnPoison::DeadLetter };
        partition::Settings::new(task.partition, task.worker.clone())
            .state_of(self.udf.clone(), groups)
            .snapshot_every(self.snapshot_every)
            .snapshot_bytes(self.snapshot_bytes)
            .on_poison(poison)
            .skip_lost(self.skip_lost)
    }
}

/// How raw lines are split.
#[derive(Debug, Clone)]
pub struct Split {
    /// The grouping.
    pub grouping: Grouping,
    /// Whether to go on if retention has removed raw lines.
    pub skip_lost: bool,
}

impl Split {
    /// Returns what the thread of a splitter runs.
    pub fn job(&self) -> Job {
        let split = self.clone();
        Arc::new(move |task| {
            let grouping = split.grouping.clone();
            let settings = split::Settings::new(task.names.partitions, &task.worker, grouping)
                .skip_lost(split.skip_lost);
            Box::pin(split_lines(task, settings))
        })
    }
}

async fn split_lines(task: Task, settings: split::Settings) -> Result<(), JobError> {
    let Task { session, names, leave, counts, .. } = task;
    let log = NatsLog::of_splitter(session, names).pending(Arc::clone(&counts.pending));
    let (clock, report) = (SystemClock::default(), |event: &Event<'_>| note(event, &counts));
    let driven = split::drive(&settings, &log, &clock, &counts.driver, leave, &report);
    driven.await.map_err(|error| JobError::Failed(error.to_string()))
}

async fn drive(
    task: Task,
    settings: partition::Settings,
    mut udf: HostUdf,
) -> Result<(), JobError> {
    let Task { partition, session, names, leave, counts, .. } = task;
    let log = NatsLog::of_partition(session, names, partition);
    let log = log.pending(Arc::clone(&counts.pending));
    let (clock, report) = (SystemClock::default(), |event: &Event<'_>| note(event, &counts));
    let driven =
        partition::drive(&settings, &log, &clock, &mut udf, &counts.driver, leave, &report);
    driven.await.map_err(|error| match error {
        PartitionError::Refused(why) => JobError::Refused(why),
        // It would take the partition from workers that can run it.
        error @ PartitionError::OtherState { .. } => JobError::Refused(error.to_string()),
        error => JobError::Failed(error.to_string()),
    })
}

/// Logs an event. What fails and is tried again is also a part of the status.
fn note(event: &Event<'_>, counts: &Counts) {
    match event {
        Event::Unavailable { what, why } => {
            counts.set_retrying(Some(format!("cannot {what}: {}", one_line(why, LONGEST_WHY))));
        }
        Event::UdfEnded { why, .. } => {
            counts.set_retrying(Some(format!("the UDF has ended: {}", one_line(why, LONGEST_WHY))));
        }
        Event::Available | Event::Started { .. } | Event::SplitStarted { .. } => {
            counts.set_retrying(None);
        }
        _ => {}
    }
    log_event(event);
}

fn log_event(event: &Event<'_>) {
    // Each kind that a peer can cause has its own limit of lines.
    match event {
        Event::Invalid { .. } => tracing::warn!("{event}"),
        Event::Unwritable { .. } => tracing::warn!("{event}"),
        Event::LineTooLong { .. } => tracing::error!("{event}"),
        Event::Stored { .. } => tracing::debug!("{event}"),
        event => log_at(event.level(), event),
    }
}

fn log_at(level: Level, event: &dyn Display) {
    match level {
        Level::Error => tracing::error!("{event}"),
        Level::Warn => tracing::warn!("{event}"),
        Level::Info => tracing::info!("{event}"),
    }
}
