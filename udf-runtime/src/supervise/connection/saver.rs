//! Saves the checkpoints of a connection, on a thread of its own: a disk can be slow.

#[cfg(test)]
#[path = "saver/tests.rs"]
mod tests;

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::agent::rate_limit::RateLimit;
use crate::agent::shortage;
use crate::agent::sync::lock;
use crate::supervise::store::{Given, Saved, Store};

/// The thread that saves checkpoints. Dropping it does not wait: see [`finish`](Self::finish).
pub(super) struct Saver {
    next: Arc<Next>,
    /// Disconnected at the end of the thread.
    end: Receiver<()>,
}

/// The latest checkpoint that is not saved yet.
#[derive(Default)]
struct Next {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    save: Option<Save>,
    /// Whether no other checkpoint follows.
    is_last: bool,
}

/// A snapshot, and the snapshots that Kapacitor has.
type Save = (Vec<u8>, Given);

impl Next {
    /// Waits for a checkpoint. Returns none at the end.
    fn wait(&self) -> Option<Save> {
        let mut slot = lock(&self.slot);
        loop {
            match slot.save.take() {
                None if !slot.is_last => {
                    slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
                }
                save => return save,
            }
        }
    }
}

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
        match Saver::start(move |snapshot: &[u8], given| store.save(snapshot, given)) {
            Ok(saver) => (Some(saver), saved),
            Err(error) => {
                tracing::error!("checkpoints are not saved: {}", shortage::text(&error));
                (None, saved)
            }
        }
    }

    /// Starts the thread. It calls `save` with one checkpoint after the other.
    fn start<E: Display>(
        mut save: impl FnMut(&[u8], Given) -> Result<(), E> + Send + 'static,
    ) -> io::Result<Self> {
        let next = Arc::new(Next::default());
        let (ended, end) = channel::<()>();
        let (checkpoints, span) = (Arc::clone(&next), tracing::Span::current());
        thread::Builder::new().name("checkpoints".to_owned()).spawn(move || {
            let _entered = span.enter();
            let mut failures = RateLimit::default();
            while let Some((snapshot, given)) = checkpoints.wait() {
                if let Err(error) = save(&snapshot, given)
                    && let Some(held_back) = failures.pass()
                {
                    tracing::error!("a checkpoint was not saved: {error}{held_back}");
                }
            }
            // The lock of the files is released before the end is known.
            drop(save);
            drop(ended);
        })?;
        Ok(Saver { next, end })
    }

    /// Saves a checkpoint. While the disk is slow, only the latest one waits. Never blocks.
    pub(super) fn save(&mut self, snapshot: &[u8], given: Given) {
        lock(&self.next.slot).save = Some((snapshot.to_vec(), given));
        self.next.changed.notify_one();
    }

    /// Waits until the last checkpoint is saved. Without a `limit`, a disk that hangs keeps the
    /// connection open.
    pub(super) fn finish(self, limit: Option<Duration>) {
        self.close();
        let Some(limit) = limit else {
            // Nothing is ever sent: this is the end of the thread.
            let _ = self.end.recv();
            return;
        };
        if self.end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::error!(
                "the last checkpoint was not saved within {limit:?}, and the connection ends without it; \
                 check the disk of --state-dir"
            );
        }
    }

    fn close(&self) {
        lock(&self.next.slot).is_last = true;
        self.next.changed.notify_one();
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.close();
    }
}
