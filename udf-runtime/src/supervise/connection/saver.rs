//! Saves the checkpoints of a connection, on a thread of its own: a disk can be slow.

use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use crate::agent::rate_limit::RateLimit;
use crate::agent::shortage;
use crate::supervise::store::{Given, Saved, Store};

/// The thread that saves checkpoints. Dropping it waits until the last one is saved.
pub(super) struct Saver {
    /// None after its end.
    to: Option<SyncSender<Save>>,
    /// The latest checkpoint, while an earlier one is saved.
    waiting: Option<Save>,
    thread: Option<JoinHandle<()>>,
}

/// A snapshot, and the snapshots that Kapacitor has.
type Save = (Vec<u8>, Given);

impl Saver {
    /// Opens the checkpoint of a task and node. Returns what was saved, if it can be used. Logs why
    /// no checkpoints are saved, or why the last one is not used.
    pub(super) fn open(directory: &Path, task: &str, node: &str) -> (Option<Self>, Option<Saved>) {
        let store = match Store::open(directory, task, node) {
            Ok(Some(store)) => store,
            Ok(None) => {
                tracing::warn!(
                    "another connection has the same task and node, so the checkpoints of this one are not saved"
                );
                return (None, None);
            }
            Err(error) => {
                tracing::error!("checkpoints are not saved: {error}");
                return (None, None);
            }
        };
        let saved = store.load().unwrap_or_else(|error| {
            tracing::error!("{error}");
            None
        });
        match Saver::start(store) {
            Ok(saver) => (Some(saver), saved),
            Err(error) => {
                tracing::error!("checkpoints are not saved: {}", shortage::text(&error));
                (None, saved)
            }
        }
    }

    fn start(store: Store) -> io::Result<Self> {
        let (to, from) = sync_channel::<Save>(1);
        let span = tracing::Span::current();
        let thread = thread::Builder::new().name("checkpoints".to_owned()).spawn(move || {
            let _entered = span.enter();
            let mut failures = RateLimit::default();
            for (snapshot, given) in from {
                if let Err(error) = store.save(&snapshot, given)
                    && let Some(held_back) = failures.pass()
                {
                    tracing::error!("a checkpoint was not saved: {error}{held_back}");
                }
            }
        })?;
        Ok(Saver { to: Some(to), waiting: None, thread: Some(thread) })
    }

    /// Saves a checkpoint. While the disk is slow, only the latest one waits. Never blocks.
    pub(super) fn save(&mut self, snapshot: &[u8], given: Given) {
        let Some(to) = &self.to else { return };
        if let Err(TrySendError::Full(save)) = to.try_send((snapshot.to_vec(), given)) {
            self.waiting = Some(save);
        }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        if let (Some(to), Some(save)) = (self.to.take(), self.waiting.take()) {
            // Fails only if the thread has panicked.
            let _ = to.send(save);
        }
        if let Some(thread) = self.thread.take() {
            // It returns nothing, and its panic was logged.
            let _ = thread.join();
        }
    }
}
