//! Asking a server or an agent to stop, from another thread or by a signal.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::link::lock;
use crate::sync::Mutex;

/// What a reader fails with when it was we who ended its input: whatever it has of a message is not cut.
#[derive(Debug, thiserror::Error)]
#[error("the UDF was asked to stop")]
pub(crate) struct Stopped;

impl Stopped {
    pub(crate) fn error() -> io::Error {
        io::Error::other(Stopped)
    }

    /// Whether a reader has failed with it.
    pub(crate) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|error| error.is::<Stopped>())
    }
}

/// Asks whoever waits for it to stop: no new work, and what has been received is finished.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Dropping the writer ends the reader's input, which wakes whoever polls it.
    wake: Arc<Mutex<Option<PipeWriter>>>,
    stopped: Arc<PipeReader>,
}

impl Stop {
    /// The one who asks, and something that is readable once it was asked.
    pub(crate) fn new() -> io::Result<(Self, PipeReader)> {
        let (reader, writer) = io::pipe()?;
        let stopped = Arc::new(reader.try_clone()?);
        Ok((Stop { wake: Arc::new(Mutex::new(Some(writer))), stopped }, reader))
    }

    /// Asks to stop; from the second time on, nothing happens.
    pub fn stop(&self) {
        drop(lock(&self.wake).take());
    }

    /// Calls `then` when somebody has asked, on a thread of its own.
    pub(crate) fn on_stop(&self, then: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let stopped = Arc::clone(&self.stopped);
        thread::Builder::new().name("stop".to_owned()).spawn(move || {
            // Nothing is ever written: this waits for the end.
            let _ = (&*stopped).read(&mut [0]);
            then();
        })?;
        Ok(())
    }

    /// Asks to stop when the process receives SIGTERM or SIGINT. A second signal ends the process at once, as
    /// if it were not handled.
    ///
    /// # Errors
    /// When the signals cannot be handled, or no thread be started to wait for them.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let stop = self.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut asked = false;
            for signal in &mut signals {
                if std::mem::replace(&mut asked, true) {
                    // When that fails, there is nothing left but the next signal.
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
                let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
                tracing::info!(
                    "{name}: finishing what has been received; a second one ends at once"
                );
                stop.stop();
            }
        })?;
        Ok(())
    }
}
