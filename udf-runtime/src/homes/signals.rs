//! Stops a server or an agent on signals.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{io, process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::server::Server;

impl Stop {
    /// Requests the stop when the process receives SIGTERM or SIGINT. A second signal ends the
    /// process at once, as if the signal were not handled. The first process of a container cannot
    /// end by such a signal. It exits with the status that shells use for the signal, 143 or 130.
    ///
    /// # Errors
    /// Returns an error if the signals cannot be handled, or if no thread can be started to wait
    /// for them.
    pub fn on_signals(&self) -> io::Result<()> {
        let signals = Signals::new([SIGTERM, SIGINT]);
        let mut signals = signals.map_err(shortage::of("signals cannot be handled"))?;
        let stop = self.clone();
        let started = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
                stop.stop_for(name);
                // Log after the stop: the author's subscriber may block until somebody reads the
                // log.
                tracing::info!(
                    "{name}: finishing the received requests; a second signal exits at once"
                );
            }
        });
        started.map_err(shortage::of("cannot start the thread that waits for signals"))?;
        // The second signal is handled in the signal handler itself, because all threads may be
        // blocked.
        let is_second = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            let condition = Arc::clone(&is_second);
            if process::id() == 1 {
                flag::register_conditional_shutdown(signal, 128 + signal, condition)?;
            } else {
                flag::register_conditional_default(signal, condition)?;
            }
            // Register this last, so that the first signal only sets the flag.
            flag::register(signal, Arc::clone(&is_second))?;
        }
        Ok(())
    }
}

impl Server {
    /// Stops on SIGTERM and SIGINT; see [`Stop::on_signals`].
    ///
    /// # Errors
    /// Returns an error if the signals cannot be handled.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        self.stopper().on_signals()
    }
}
