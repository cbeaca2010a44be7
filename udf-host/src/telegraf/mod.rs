//! Serves Telegraf as the program of `processors.execd`: reads line protocol from stdin, plays it to
//! a UDF, and writes the points of the UDF to stdout.
//!
//! | Telegraf | here |
//! | --- | --- |
//! | writes one line for each metric, and counts it as delivered | reads as much as has arrived; sends it to the UDF when nothing more waits, or at 256 KiB |
//! | sends lines without a time | each gets the time of its arrival |
//! | ignores a program that is slow at first, and then waits for it | a UDF that does not read stops the reading of stdin |
//! | closes stdin to stop the program; SIGTERM follows after 5 s, SIGKILL after 10 s | saves the state, lets the UDF finish, and is done within [`END_WITHIN`] |
//! | closes stdout when the program has exited, even if it has not read all of it | waits until stdout was read |
//! | is stopped by a signal to its whole process group while it still writes | saves the state at once, and goes on until the end of stdin |
//! | runs each processor twice if an aggregator is configured | the second one gets no state file, and a warning says what to set |
//!
//! A line that is not valid is logged and skipped: if the program ended, Telegraf would drop all
//! metrics until it starts the program again.
//!
//! # Windows
//!
//! A UDF that wants batches gets the points of a [window](Windows) of time at its end, in a batch
//! for each measurement and group. A window ends when a point comes that is later than its end and
//! the grace period. It also ends when no point has come for the window for the grace period, and
//! the clock has passed its end. Points of a window that has ended are dropped, with a warning. At
//! the end of stdin, all windows end.

mod end;
mod event;
mod input;
mod output;
mod run;
mod saver;
mod shared;
mod stdin;
mod stdout;
mod windows;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use udf_text::line_protocol::Grouping;

pub use end::wait_until_read;
pub use event::{Event, Level, TelegrafError};

/// The time for the end of the program, from the end of stdin. Telegraf sends SIGTERM after 5
/// seconds.
pub const END_WITHIN: Duration = Duration::from_millis(4500);

/// The time that an exiting program waits until its log is read: see [`wait_until_read`].
pub const LOG_READ_WITHIN: Duration = Duration::from_secs(2);

/// The time between two saves of the state.
pub const SAVE_EVERY: Duration = Duration::from_secs(60);

/// The settings of a UDF that serves Telegraf.
///
/// ```no_run
/// use udf_host::Process;
/// use udf_host::telegraf::{Ends, Telegraf};
/// use udf_text::line_protocol::Grouping;
///
/// # fn serve(ends: Ends) -> Result<(), Box<dyn std::error::Error>> {
/// let telegraf = Telegraf::new("moving_avg")
///     .options(["field=usage_user", "size=10"])
///     .grouping(Grouping::by(["host", "cpu"]));
/// let connect = || Box::new(Process::new("/usr/local/bin/moving_avg")) as _;
/// telegraf.run(&connect, ends, |event| eprintln!("{event}"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct Telegraf {
    /// The name of the UDF, which is the name of the node in the Init. The task is `telegraf`.
    pub name: String,
    /// The options of the UDF, each `name=value`; see [`options`](udf_text::options).
    pub options: Vec<String>,
    /// The grouping of the points. Defaults to [`Grouping::none`].
    pub grouping: Grouping,
    /// The windows that cut batches. A UDF that wants batches needs them. Defaults to none.
    pub windows: Option<Windows>,
    /// Where the state of the UDF is kept between two runs. Defaults to none: the state is lost.
    pub state: Option<State>,
    /// Whether each line is also passed on as it came, before the points of the UDF. Defaults to
    /// `false`.
    pub keep_original: bool,
    /// The database of all points. Defaults to `telegraf`.
    pub database: String,
    /// The retention policy of all points. Defaults to `autogen`.
    pub retention_policy: String,
}

/// Windows of time, which begin at multiples of their length since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The length, in nanoseconds.
    pub every: i64,
    /// The time that a window waits for late points, in nanoseconds.
    pub grace: i64,
}

/// Where the state of a UDF is kept between two runs.
///
/// The state is saved every [`SAVE_EVERY`], at SIGTERM and SIGINT, and at the end of stdin. If
/// another process uses the file, the UDF runs without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The path of the file.
    pub path: PathBuf,
    /// The maximum age of a saved state. An older one is moved aside.
    pub max_age: Option<Duration>,
    /// What to do with a state that does not fit: a damaged file, the state of another UDF or of
    /// another grouping, or one that the UDF refuses.
    pub on_unfit: OnUnfit,
}

/// What to do with a state that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnfit {
    /// Refuse to run.
    #[default]
    Refuse,
    /// Move the file aside, and begin without state.
    Fresh,
}

/// The ends of the process.
#[derive(Debug)]
pub struct Ends {
    /// The lines of Telegraf.
    pub stdin: OwnedFd,
    /// The pipe to Telegraf.
    pub stdout: OwnedFd,
    /// Becomes readable when SIGTERM or SIGINT has come.
    pub signal: OwnedFd,
}

/// The counts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The number of points that the UDF got.
    pub points_in: u64,
    /// The number of points that were written.
    pub points_out: u64,
    /// The number of lines that were skipped, because they are not valid or too late.
    pub skipped: u64,
    /// The number of points of the UDF that line protocol cannot express.
    pub unwritable: u64,
}

impl Telegraf {
    /// Creates the settings for the UDF of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Telegraf {
            name: name.into(),
            options: Vec::new(),
            grouping: Grouping::none(),
            windows: None,
            state: None,
            keep_original: false,
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
        }
    }

    /// Sets [`options`](Telegraf#structfield.options).
    pub fn options(mut self, options: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`grouping`](Telegraf#structfield.grouping).
    pub fn grouping(mut self, grouping: Grouping) -> Self {
        self.grouping = grouping;
        self
    }

    /// Sets [`windows`](Telegraf#structfield.windows).
    pub fn windows(mut self, windows: impl Into<Option<Windows>>) -> Self {
        self.windows = windows.into();
        self
    }

    /// Sets [`state`](Telegraf#structfield.state).
    pub fn state(mut self, state: impl Into<Option<State>>) -> Self {
        self.state = state.into();
        self
    }

    /// Sets [`keep_original`](Telegraf#structfield.keep_original).
    pub fn keep_original(mut self, keep: bool) -> Self {
        self.keep_original = keep;
        self
    }

    /// Sets [`database`](Telegraf#structfield.database).
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.database = database.into();
        self
    }

    /// Sets [`retention_policy`](Telegraf#structfield.retention_policy).
    pub fn retention_policy(mut self, retention_policy: impl Into<String>) -> Self {
        self.retention_policy = retention_policy.into();
        self
    }
}
