//! A thread that runs one partition, with a connection of its own.
//!
//! The server cuts a connection with too much data on the way, so partitions share none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, watch};

use super::metrics::Counts;
use crate::nats::{Connection, Names, Session};

/// What a thread runs.
pub struct Task {
    /// The partition. 0 for a splitter.
    pub partition: u32,
    /// The connection of this thread.
    pub session: Session,
    /// The names on the server.
    pub names: Names,
    /// The name of the worker.
    pub worker: String,
    /// Is true once the partition is to end.
    pub leave: watch::Receiver<bool>,
    /// The counts for the metrics.
    pub counts: Arc<Counts>,
}

/// Why a task cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobError {
    /// Later, it may.
    Failed(String),
    /// The arguments of the process are invalid.
    Refused(String),
}

/// Runs a partition or a splitter until it is to leave. It runs on a thread of its own.
pub type Job =
    Arc<dyn Fn(Task) -> Pin<Box<dyn Future<Output = Result<(), JobError>>>> + Send + Sync>;

/// The end of a thread.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) partition: u32,
    pub(super) result: Result<(), JobError>,
}

/// Starts the thread of a partition. It reports its end.
pub(super) fn start(
    connection: Arc<Connection>,
    job: Job,
    task: impl FnOnce(Session) -> Task + Send + 'static,
    (partition, label, name): (u32, String, String),
    ended: mpsc::UnboundedSender<Ended>,
) -> std::io::Result<()> {
    let run = move || {
        let _span = tracing::error_span!("partition", number = %label).entered();
        let run = AssertUnwindSafe(|| {
            crate::block_on(async {
                let session = connection.connect(&name).await;
                let session = session.map_err(|error| JobError::Failed(error.to_string()))?;
                job(task(session)).await
            })
        });
        let result = match catch_unwind(run) {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(JobError::Failed(format!("cannot wait for sockets: {error}"))),
            Err(_) => Err(JobError::Failed("its thread has panicked".to_owned())),
        };
        // Without a receiver, the process ends.
        let _ = ended.send(Ended { partition, result });
    };
    thread::Builder::new().name(format!("partition-{partition}")).spawn(run)?;
    Ok(())
}
