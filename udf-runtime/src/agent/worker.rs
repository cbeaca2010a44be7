//! A program as the worker of a supervised UDF.
//!
//! The supervisor speaks with Kapacitor, and decides when a worker ends. A worker serves its stdin
//! and stdout, and ends with its supervisor. It crashes at a panic, because a supervisor replaces a
//! worker that has crashed, and passes an error on to Kapacitor.

use std::env;
use std::sync::LazyLock;

use rustix::process::{Pid, getppid};

/// The variable with the process id of the supervisor, in the environment of a worker.
pub(crate) const SUPERVISOR: &str = "UDF_SUPERVISOR";

/// Returns whether a supervisor has started this process.
pub(crate) fn is_worker() -> bool {
    // The supervisor may die at any time, but the process stays its worker.
    static IS_WORKER: LazyLock<bool> = LazyLock::new(has_supervisor);
    *IS_WORKER
}

/// Ends this process with SIGKILL when its supervisor dies. Returns false if the supervisor has
/// died already.
///
/// Where the system cannot do this, a worker ends with its input.
pub(crate) fn follow_supervisor() -> bool {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        // This fails for an unknown signal only.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
    has_supervisor()
}

/// Ignores signals that end or reload a program. They reach all processes of a service, and the
/// supervisor handles them: it ends its workers when they have handled their input.
#[cfg(feature = "main")]
pub(crate) fn ignore_signals() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // The flag is never read. Programs that the UDF starts do not inherit this.
        signal_hook::flag::register(signal, std::sync::Arc::default())?;
    }
    Ok(())
}

/// Returns whether the supervisor in the environment is the parent of this process. Programs that a
/// worker starts inherit the variable, but have another parent.
fn has_supervisor() -> bool {
    let supervisor = env::var(SUPERVISOR).ok().and_then(|pid| pid.parse().ok());
    supervisor.is_some() && supervisor == getppid().map(Pid::as_raw_pid)
}
