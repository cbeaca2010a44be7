//! A process that runs the partitions that are its own, or splits raw lines.

mod agree;
mod manager;
mod metrics;
mod signals;
mod slot;

use std::sync::Arc;
use std::time::Duration;

pub use agree::agree;
pub use metrics::{Counts, Metrics};
pub use slot::{Job, JobError, Task};

use self::manager::Manager;
use self::signals::Signals;
use crate::nats::{Connection, ConnectionError, Names, Session};
use crate::owner::Role;
use crate::setup::SetupError;

/// The pause before the next attempt to connect at the start.
const RETRY: Duration = Duration::from_secs(2);

/// How a process works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the worker, which no other process has.
    pub worker: String,
    /// The name of this machine.
    pub host: String,
    /// What it owns.
    pub role: Role,
    /// Whether it ends when it has handled what was there at its start.
    pub until_end: bool,
    /// How long partitions may take to end after a stop.
    pub shutdown: Duration,
}

/// Why a process ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The servers cannot be reached.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The configuration on the server does not fit.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The UDF refuses its options.
    #[error("{0}")]
    Refused(String),
    /// A partition cannot go on, and the process was to end with the input.
    #[error("partition {partition}: {why}")]
    Partition {
        /// The partition.
        partition: u32,
        /// The reason.
        why: String,
    },
    /// The system lacks a resource.
    #[error("{0}")]
    System(String),
}

/// Connects, and waits for a server that is not there yet, as at the start of a machine. Returns
/// none if the process is told to stop.
async fn connect(
    connection: &Connection,
    name: &str,
    signals: &mut Signals,
) -> Result<Option<Session>, RunError> {
    loop {
        let error = match connection.connect(name).await {
            Ok(session) => match session.too_old() {
                None => return Ok(Some(session)),
                Some(why) => return Err(SetupError::Server(why).into()),
            },
            Err(error) if error.may_pass() => error,
            Err(error) => return Err(error.into()),
        };
        tracing::warn!("{error}; trying again");
        tokio::select! {
            name = signals.next() => {
                tracing::info!("{name}: stopping");
                return Ok(None);
            }
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Works until SIGTERM or SIGINT, or with [`until_end`](Settings::until_end) until the input is
/// handled. `prepare` gets the first session, and returns the names and the job.
///
/// # Errors
/// See [`RunError`].
pub async fn work(
    connection: &Connection,
    name: &str,
    settings: &Settings,
    metrics: &Metrics,
    prepare: impl AsyncFnOnce(&Session) -> Result<(Names, Job), RunError>,
) -> Result<(), RunError> {
    let mut signals = Signals::new().map_err(|error| RunError::System(error.to_string()))?;
    let Some(session) = connect(connection, name, &mut signals).await? else { return Ok(()) };
    let (names, job) = tokio::select! {
        prepared = prepare(&session) => prepared?,
        name = signals.next() => {
            tracing::info!("{name}: stopping");
            return Ok(());
        }
    };
    let connection = Arc::new(connection.clone());
    let manager = Manager::new(session, connection, names, settings, metrics, job);
    manager.run(signals).await
}
