//! SIGHUP reloads the shared things of the process, or upgrades a supervised UDF.

use std::io;
use std::thread;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use crate::agent::shortage;
use crate::udf::shared::resources::Resources;

/// A handler of SIGHUP, which then no longer ends the process.
///
/// A closed terminal must not stop the tasks. Neither must a tool that reloads every daemon.
pub(super) struct Hangups(Signals);

impl Hangups {
    /// Handles SIGHUP from now on. A signal waits until [`reload`](Self::reload) is called.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Hangups(Signals::new([SIGHUP]).map_err(shortage::of("cannot handle SIGHUP"))?))
    }

    /// Reloads at each SIGHUP.
    pub(super) fn reload(self, resources: Resources) -> io::Result<()> {
        let mut is_told = false;
        self.each(move || {
            if !resources.reload() && !is_told {
                is_told = true;
                tracing::info!(
                    "SIGHUP: ignored, there is nothing to reload; SIGTERM stops the process"
                );
            }
        })
    }

    /// Calls `then` at each SIGHUP, on its own thread. Signals that arrive during a call cause one
    /// more call.
    pub(super) fn each(self, mut then: impl FnMut() + Send + 'static) -> io::Result<()> {
        let Hangups(mut signals) = self;
        let started = thread::Builder::new().name("hangups".to_owned()).spawn(move || {
            for _ in &mut signals {
                then();
            }
        });
        started.map_err(shortage::of("cannot start the thread that waits for SIGHUP"))?;
        Ok(())
    }
}
