//! Signals that stop a process.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal. Returns its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Waits for the next signal, and exits at once.
    pub(super) async fn exit(&mut self) -> ! {
        let name = self.next().await;
        tracing::warn!("{name}: exiting at once; the next owner replays more input");
        process::exit(if name == "SIGTERM" { 143 } else { 130 })
    }
}
