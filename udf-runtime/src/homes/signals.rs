//! Stopping by a signal.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{io, process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::server::{Accepter, Server};

impl Stop {
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

impl<A: Accepter> Server<A> {
    /// Stops on SIGTERM and SIGINT; see [`Stop::on_signals`].
    ///
    /// # Errors
    /// When the signals cannot be handled.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        self.stopper().on_signals()
    }
}
