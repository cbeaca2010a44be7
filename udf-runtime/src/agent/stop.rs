//! Requests a server or an agent to stop, from another thread.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::thread;

use udf_proto::frame::FrameError;

use crate::agent::ready::has_hung_up;
use crate::agent::shortage;
use crate::agent::sync::{Mutex, lock};

/// The error of a reader whose input was ended by a stop. An incomplete message is then not an
/// error of the peer.
#[derive(Debug, thiserror::Error)]
#[error("the UDF was stopped{}", reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
pub(crate) struct Stopped {
    reason: Option<&'static str>,
}

impl Stopped {
    /// Returns this error if it is the reason why a reader or a wait for room failed.
    pub(crate) fn of(error: &FrameError) -> Option<&Stopped> {
        match error {
            FrameError::Io(error) => error.get_ref()?.downcast_ref(),
            FrameError::NoRoom(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

/// Requests a stop: no new work is accepted, and received input is handled.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Dropping the writer ends the reader's input, which wakes every thread that polls it.
    wake: Arc<Mutex<Option<PipeWriter>>>,
    stopping: Stopping,
}

/// Shows whether a stop was requested. Its descriptor is readable from then on.
#[derive(Debug, Clone)]
pub(crate) struct Stopping {
    asked: Arc<PipeReader>,
    /// Set before a thread can observe the stop.
    reason: Arc<OnceLock<&'static str>>,
}

impl Stopping {
    /// Returns the error of a reader after a stop.
    pub(crate) fn stopped(&self) -> Stopped {
        Stopped { reason: self.reason.get().copied() }
    }

    /// Returns whether a stop was requested.
    pub(crate) fn is_asked(&self) -> bool {
        has_hung_up(self.asked.as_fd())
    }

    /// Blocks until a stop is requested.
    fn wait(&self) {
        // No byte is ever written. `read_exact` blocks until the pipe ends, and retries after
        // signals.
        let _ = (&*self.asked).read_exact(&mut [0]);
    }
}

impl AsFd for Stopping {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.as_fd()
    }
}

impl Stop {
    /// Creates a stop that is not requested yet.
    ///
    /// # Errors
    /// Returns an error if the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (asked, writer) =
            io::pipe().map_err(shortage::of("cannot create the pipe that signals a stop"))?;
        let stopping = Stopping { asked: Arc::new(asked), reason: Arc::default() };
        Ok(Stop { wake: Arc::new(Mutex::new(Some(writer))), stopping })
    }

    /// Returns the receiving side of this stop.
    pub(crate) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Requests the stop. Further calls have no effect.
    pub fn stop(&self) {
        drop(lock(&self.wake).take());
    }

    /// Requests the stop with a reason, for example `SIGTERM`. The first reason counts, and is sent
    /// to Kapacitor.
    pub fn stop_for(&self, reason: &'static str) {
        let mut wake = lock(&self.wake);
        if wake.is_some() {
            // The lock makes the first reason the one that counts.
            let _ = self.stopping.reason.set(reason);
        }
        drop(wake.take());
    }

    /// Calls `then` on its own thread when a stop is requested.
    pub(crate) fn on_stop(&self, then: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let stopping = self.stopping();
        let started = thread::Builder::new().name("stop".to_owned()).spawn(move || {
            stopping.wait();
            then();
        });
        started.map_err(shortage::of("cannot start the thread that waits for a stop"))?;
        Ok(())
    }
}
