//! Supervises a UDF: a front between Kapacitor and a worker process, which replaces a worker that
//! has died without loss.
//!
//! The front keeps the Init, the last snapshot, and the input since the request of that snapshot. A
//! new worker gets them, and repeats the output that the last one had sent. The repetition is left
//! out. Answers come in order, so the answer to a snapshot request splits the output exactly.
mod connection;
mod core;
mod deaths;
mod ledger;
mod log;
mod output;
mod pipes;
mod poison;
mod requests;
mod settings;
mod start;
mod store;
mod talk;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use self::connection::Connection;
pub(crate) use self::deaths::BEFORE_SEARCH;
use self::poison::PoisonFile;
pub(crate) use self::settings::{OnError, Poison, Program, Settings};
use crate::agent::allowance::Allowance;
use crate::agent::limits::Limits;
use crate::agent::link::Link;
use crate::agent::service::{Ends, Opened, Service};

/// A supervised UDF. All connections of the process share it.
#[derive(Clone)]
pub(crate) struct Supervision(Arc<Shared>);

struct Shared {
    program: Program,
    settings: Settings,
    poison_file: Option<PoisonFile>,
    /// The number of requested upgrades. A connection compares it with those that it has seen.
    upgrades: AtomicU64,
    /// The number of connections that start another worker for an upgrade.
    upgrading: AtomicUsize,
    /// Whether the guarantees were logged. They apply to all connections.
    is_introduced: AtomicBool,
    /// Whether empty snapshots were logged.
    has_logged_empty: AtomicBool,
}

impl Supervision {
    /// Checks the files of the settings, and prepares to supervise the program.
    ///
    /// # Errors
    /// Returns an error that names the path if a file cannot be used.
    pub(crate) fn new(program: Program, settings: Settings) -> io::Result<Self> {
        settings.state_dir.as_deref().map_or(Ok(()), store::check)?;
        let poison_file = settings.poison_file.as_deref().map(PoisonFile::open).transpose()?;
        Ok(Supervision(Arc::new(Shared {
            program,
            settings,
            poison_file,
            upgrades: AtomicU64::new(0),
            upgrading: AtomicUsize::new(0),
            is_introduced: AtomicBool::new(false),
            has_logged_empty: AtomicBool::new(false),
        })))
    }

    /// Returns the front of a new connection.
    pub(crate) fn front(&self) -> Box<dyn Service> {
        Box::new(Front { shared: Arc::clone(&self.0) })
    }

    /// Replaces the worker of each connection by one of the present program.
    pub(crate) fn upgrade(&self) {
        self.0.upgrades.fetch_add(1, Ordering::SeqCst);
    }
}

/// The front of one connection.
struct Front {
    shared: Arc<Shared>,
}

impl Service for Front {
    fn open(self: Box<Self>, ends: Ends, limits: &Limits, allowance: &Arc<Allowance>) -> Opened {
        let link = Arc::new(Link::new(ends.writer));
        link.counters.supervise();
        let (limits, allowance, ours) = (limits.clone(), Arc::clone(allowance), Arc::clone(&link));
        let run = move || {
            // The reader is not used: the connection reads from the descriptor itself.
            drop(ends.reader);
            Connection::open(self.shared, ours, ends.transport, ends.stopping, limits, allowance)?
                .run()
        };
        Opened { link, run: Box::new(run) }
    }
}
