//! What happens while Telegraf is served, in words.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use udf_text::line_protocol::{LineError, Unwritable};
use udf_text::options::OptionsError;

use super::windows::AHEAD;
use crate::error::Error;
use crate::state_file::LoadError;

/// The level of an event in the log of Telegraf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Data was lost, or state was not saved.
    Error,
    /// Something needs attention.
    Warn,
    /// Something happened as it should.
    Info,
}

/// An event worth logging.
#[non_exhaustive]
pub enum Event<'a> {
    /// A line was skipped.
    BadLine(&'a LineError),
    /// The last line was skipped, because it has no line end.
    CutLine {
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// A field was dropped, because its unsigned value does not fit into Kapacitor's integers.
    TooLarge {
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// A point was dropped, because its window has ended.
    Late {
        /// The number of the line, counted from 1.
        line: u64,
        /// The grace period.
        grace: Duration,
    },
    /// A point was dropped, because its time is too far in the future for a window.
    Ahead {
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// A point of the UDF was dropped, because line protocol cannot express it.
    Unwritable(&'a Unwritable),
    /// A field of a point of the UDF was dropped, because it is NaN or infinite.
    NotFinite(&'a Unwritable),
    /// Another process uses the state file.
    StateInUse(&'a Path),
    /// The state of an earlier run was restored.
    Restored {
        /// The path of the state file.
        path: &'a Path,
        /// The length of the snapshot.
        bytes: usize,
    },
    /// The state of an earlier run was moved aside.
    StateSetAside {
        /// The path of the state file.
        path: &'a Path,
        /// The reason.
        why: &'a dyn fmt::Display,
        /// The new path.
        moved_to: &'a Path,
    },
    /// The UDF has no state to save.
    NoState(&'a Path),
    /// The state was not saved.
    StateNotSaved(&'a io::Error),
    /// SIGTERM or SIGINT has come before the end of stdin.
    Signal {
        /// Whether the state is saved now.
        saves_state: bool,
        /// How long more lines are read. Zero on a terminal.
        grace: Duration,
    },
    /// The end of stdin did not come after a signal.
    Cut,
}

impl Event<'_> {
    /// Returns the level of the event.
    pub fn level(&self) -> Level {
        match self {
            Event::Signal { .. } | Event::Restored { .. } | Event::NoState(_) => Level::Info,
            Event::StateNotSaved(_) => Level::Error,
            Event::BadLine(_)
            | Event::CutLine { .. }
            | Event::TooLarge { .. }
            | Event::Late { .. }
            | Event::Ahead { .. }
            | Event::Unwritable(_)
            | Event::NotFinite(_)
            | Event::StateInUse(_)
            | Event::StateSetAside { .. }
            | Event::Cut => Level::Warn,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::BadLine(error) => write!(f, "skipped a line of stdin: {error}"),
            Event::CutLine { line } => write!(
                f,
                "skipped line {line} of stdin, the last one: it has no line end, so a part of it is missing"
            ),
            Event::TooLarge { line } => write!(
                f,
                "dropped an unsigned field of line {line}: it is larger than {}, the largest integer that a UDF \
                 can get",
                i64::MAX
            ),
            Event::Late { line, grace } => write!(
                f,
                "dropped the point of line {line}: it came more than {grace:?} after the end of its window; \
                 raise --grace if points may come later"
            ),
            Event::Ahead { line } => write!(
                f,
                "dropped the point of line {line}: its time is more than {AHEAD:?} in the future; \
                 check the clock of its host"
            ),
            Event::Unwritable(why) => {
                write!(f, "dropped a point of the UDF that line protocol cannot express: {why}")
            }
            Event::NotFinite(why) => write!(f, "dropped a field of a point of the UDF: {why}"),
            Event::StateInUse(path) => write!(
                f,
                "another process uses the state file {}, so this one keeps no state; with an aggregator, Telegraf \
                 runs each processor twice: set skip_processors_after_aggregators = true in [agent]",
                path.display()
            ),
            Event::Restored { path, bytes } => {
                write!(f, "restored the state from {} ({bytes} bytes)", path.display())
            }
            Event::StateSetAside { path, why, moved_to } => write!(
                f,
                "starting without state: cannot use the state file {}: {why}; it was moved to {}",
                path.display(),
                moved_to.display()
            ),
            Event::NoState(path) => {
                write!(f, "the UDF has no state, so there is nothing to save in {}", path.display())
            }
            Event::StateNotSaved(error) => write!(f, "{error}"),
            Event::Signal { saves_state, grace } => {
                f.write_str("a signal has come before the end of stdin: ")?;
                if *saves_state {
                    f.write_str("saving the state, and ")?;
                }
                match *grace {
                    Duration::ZERO => f.write_str("finishing with the lines that have arrived"),
                    grace => write!(f, "reading on until the end of stdin, for at most {grace:?}"),
                }
            }
            Event::Cut => write!(
                f,
                "stdin has not ended {:?} after the signal: finishing with the lines that have arrived",
                super::END_WITHIN
            ),
        }
    }
}

/// Why serving Telegraf ended before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelegrafError {
    /// The options do not fit the UDF.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The UDF refused its options. Holds the text of the UDF.
    #[error("the UDF refused its options: {0}")]
    Refused(String),
    /// The UDF wants batches, and no windows were set.
    #[error("the UDF wants batches: set --every, the length of the windows that become batches")]
    NoWindows,
    /// The length of a window is less than 1 nanosecond, or the grace period is negative.
    #[error("the length of a window must be at least 1ns, and the grace period at least 0")]
    BadWindows,
    /// Windows were set for a UDF that wants a stream.
    #[error("the UDF wants a stream, which is not cut into batches; leave --every out")]
    WindowsOfStream,
    /// The state file cannot be used.
    #[error("{0}")]
    StateFile(io::Error),
    /// The state file cannot be read.
    #[error(transparent)]
    State(LoadError),
    /// The saved state does not fit.
    #[error(
        "cannot use the state file {}: {why}; remove the file, or begin without state with --bad-snapshot fresh",
        path.display()
    )]
    Unfit {
        /// The path of the state file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The connection or the UDF failed. A text of the UDF is part of the message, unchanged.
    #[error(transparent)]
    Udf(#[from] Error),
    /// Stdin cannot be read.
    #[error("reading stdin failed: {0}")]
    Stdin(io::Error),
    /// An original line cannot be written to stdout.
    #[error("writing to stdout failed: {0}")]
    Stdout(io::Error),
    /// There is no descriptor or thread left.
    #[error("cannot set up the connection with Telegraf: {0}")]
    Setup(#[from] io::Error),
    /// The end took too long.
    #[error(
        "gave up after {0:?}, because Telegraf kills a program that does not end: {1}; output is lost"
    )]
    TooLate(Duration, &'static str),
}

impl TelegrafError {
    /// Returns whether the settings are the reason, and not the course of events.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            TelegrafError::Options(_)
                | TelegrafError::Refused(_)
                | TelegrafError::NoWindows
                | TelegrafError::BadWindows
                | TelegrafError::WindowsOfStream
        )
    }
}
