//! SIGHUP reloads the shared things of the process.

use std::io;
use std::thread;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use crate::agent::shortage;
use crate::udf::shared::resources::Resources;

/// SIGHUP, which no longer ends the process.
///
/// A closed terminal, or a tool that tells every daemon to reload, must not stop the tasks.
pub(super) struct Hangups(Signals);

impl Hangups {
    /// Handles SIGHUP from here on. A signal waits until [`reload`](Self::reload) is called.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Hangups(Signals::new([SIGHUP]).map_err(shortage::of("SIGHUP cannot be handled"))?))
    }

    /// Reloads at each SIGHUP, on a thread of its own. Signals that arrive during a reload cause one
    /// more reload.
    pub(super) fn reload(self, resources: Resources) -> io::Result<()> {
        let Hangups(mut signals) = self;
        let started = thread::Builder::new().name("hangups".to_owned()).spawn(move || {
            let mut is_told = false;
            for _ in &mut signals {
                if !resources.reload() && !is_told {
                    is_told = true;
                    tracing::info!(
                        "SIGHUP: ignored, there is nothing to reload; SIGTERM stops the process"
                    );
                }
            }
        });
        started.map_err(shortage::of("cannot start the thread that waits for SIGHUP"))?;
        Ok(())
    }
}
