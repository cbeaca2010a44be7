//! Asking a server or an agent to stop, from another thread.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::thread;

use udf_proto::frame::FrameError;

use crate::agent::ready::has_hung_up;
use crate::agent::shortage;
use crate::agent::sync::{Mutex, lock};

/// What a reader fails with when a stop has ended its input: whatever it has of a message is not cut.
#[derive(Debug, thiserror::Error)]
#[error("the UDF was stopped{}", reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
pub(crate) struct Stopped {
    reason: Option<&'static str>,
}

impl Stopped {
    /// Returns it if a reader has failed with it, or a wait for room.
    pub(crate) fn of(error: &FrameError) -> Option<&Stopped> {
        match error {
            FrameError::Io(error) => error.get_ref()?.downcast_ref(),
            FrameError::NoRoom(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

/// Asks whoever waits for it to stop: no new work, and what has been received is finished.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Dropping the writer ends the reader's input, which wakes whoever polls it.
    wake: Arc<Mutex<Option<PipeWriter>>>,
    stopping: Stopping,
}

/// Tells whether somebody has asked to stop. It is readable from then on.
#[derive(Debug, Clone)]
pub(crate) struct Stopping {
    asked: Arc<PipeReader>,
    /// Set before anybody can find that somebody has asked.
    reason: Arc<OnceLock<&'static str>>,
}

impl Stopping {
    /// What a reader fails with once somebody has asked.
    pub(crate) fn stopped(&self) -> Stopped {
        Stopped { reason: self.reason.get().copied() }
    }

    /// Returns whether somebody has asked.
    pub(crate) fn is_asked(&self) -> bool {
        has_hung_up(self.asked.as_fd())
    }

    /// Waits until somebody asks.
    fn wait(&self) {
        // Nothing is ever written: this waits for the end, also when a signal interrupts it.
        let _ = (&*self.asked).read_exact(&mut [0]);
    }
}

impl AsFd for Stopping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.as_fd()
    }
}

impl Stop {
    /// Creates a stop that nobody has asked for yet.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (asked, writer) =
            io::pipe().map_err(shortage::of("the pipe that tells of a stop could not be made"))?;
        let stopping = Stopping { asked: Arc::new(asked), reason: Arc::default() };
        Ok(Stop { wake: Arc::new(Mutex::new(Some(writer))), stopping })
    }

    /// What tells whether somebody has asked.
    pub(crate) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Asks to stop; from the second time on, nothing happens.
    pub fn stop(&self) {
        drop(lock(&self.wake).take());
    }

    /// Asks to stop, and says why: `SIGTERM`, for example. The first reason counts, and Kapacitor is told it.
    pub fn stop_for(&self, reason: &'static str) {
        let mut wake = lock(&self.wake);
        if wake.is_some() {
            // Under the lock, the first reason is the one that counts.
            let _ = self.stopping.reason.set(reason);
        }
        drop(wake.take());
    }

    /// Calls `then` when somebody has asked, on a thread of its own.
    pub(crate) fn on_stop(&self, then: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let stopping = self.stopping();
        let started = thread::Builder::new().name("stop".to_owned()).spawn(move || {
            stopping.wait();
            then();
        });
        started.map_err(shortage::of("the thread that waits for a stop could not be started"))?;
        Ok(())
    }
}
