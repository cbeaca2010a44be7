//! Asking a server or an agent to stop, from another thread or by a signal.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::{process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use udf_proto::frame::FrameError;

use crate::link::lock;
use crate::shortage;
use crate::sync::Mutex;
use crate::transport::has_hung_up;

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
    pub(crate) fn new() -> io::Result<Self> {
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

    /// Asks to stop, and says why if nobody has asked before.
    fn stop_for(&self, reason: &'static str) {
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

    /// Asks to stop when the process receives SIGTERM or SIGINT. A second signal ends the process at once, as
    /// if it were not handled; the first process of a container, which such a signal cannot end, exits with
    /// the status that shells have for it, 143 or 130.
    ///
    /// # Errors
    /// When the signals cannot be handled, or no thread be started to wait for them.
    pub fn on_signals(&self) -> io::Result<()> {
        let signals = Signals::new([SIGTERM, SIGINT]);
        let mut signals = signals.map_err(shortage::of("signals cannot be handled"))?;
        let stop = self.clone();
        let started = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
                stop.stop_for(name);
                // Only now: a subscriber of the author's may wait for whoever reads the log.
                tracing::info!(
                    "{name}: finishing what has been received; a second one ends at once"
                );
            }
        });
        started.map_err(shortage::of("the thread that waits for signals could not be started"))?;
        // No thread is needed for the second signal: all of them may wait for something.
        let is_second = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            let condition = Arc::clone(&is_second);
            if process::id() == 1 {
                flag::register_conditional_shutdown(signal, 128 + signal, condition)?;
            } else {
                flag::register_conditional_default(signal, condition)?;
            }
            // Behind it, so that the first signal only sets it.
            flag::register(signal, Arc::clone(&is_second))?;
        }
        Ok(())
    }
}
