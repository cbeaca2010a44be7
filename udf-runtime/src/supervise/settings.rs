//! The settings of a supervised UDF.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use udf_host::settings::Logger;

/// The program of the workers. One worker runs for each connection.
#[derive(Clone)]
pub(crate) struct Program {
    /// The path of the program.
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// The name of the UDF.
    pub(crate) name: String,
    /// Gets the lines that workers write to stderr.
    pub(crate) log: Option<Logger>,
}

/// The policies and limits of a supervised UDF.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// A checkpoint is taken when this many bytes of input have arrived since the last one.
    pub(crate) checkpoint_bytes: usize,
    /// A checkpoint is taken when input has arrived, and the last checkpoint is this old.
    pub(crate) checkpoint_every: Duration,
    /// The maximum number of bytes of input that are kept for a replay. At this limit, the front
    /// stops reading from Kapacitor until a checkpoint is answered.
    pub(crate) memory: usize,
    /// The number of bytes of input from before a checkpoint that are replayed to a UDF whose
    /// snapshots are empty.
    pub(crate) replay: usize,
    /// The maximum number of restarts within [`restart_window`](Self::restart_window). One more
    /// death stops the task.
    pub(crate) restarts: usize,
    pub(crate) restart_window: Duration,
    pub(crate) poison: Poison,
    /// The file that skipped input is written to. Input is only skipped with such a file.
    pub(crate) poison_file: Option<PathBuf>,
    pub(crate) on_error: OnError,
    /// Whether output that a restarted worker does not repeat is passed on, so that it may be
    /// doubled, and not left out, so that it may be lost.
    pub(crate) at_least_once: bool,
    /// The directory that keeps the last checkpoint of each task and node.
    pub(crate) state_dir: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            checkpoint_bytes: 8 << 20,
            checkpoint_every: Duration::from_secs(10),
            memory: 64 << 20,
            replay: 0,
            restarts: 3,
            restart_window: Duration::from_secs(60),
            poison: Poison::Stop,
            poison_file: None,
            on_error: OnError::Stop,
            at_least_once: false,
            state_dir: None,
        }
    }
}

/// What happens to input that has killed the worker several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    /// The task stops with an error that names the input.
    Stop,
    /// The input is written to a file, and left out.
    Skip,
}

/// What happens when the UDF reports an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// The error goes to Kapacitor, which stops the task.
    Stop,
    /// The error counts as a death of the worker.
    Restart,
}
