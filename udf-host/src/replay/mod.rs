//! Plays a file of points to a UDF as Kapacitor would, and writes the resulting points as line
//! protocol.
//!
//! | input | points |
//! | --- | --- |
//! | line protocol | see [`line_protocol`](udf_text::line_protocol); a byte-order mark is skipped |
//! | a file of `influx_inspect export` | its comments set the database and the retention policy |
//! | a recording of points, `.srpl` | each has its database and retention policy |
//! | a recording of batches, `.brpl` | batches with their own groups and times; all numbers are floats, as for Kapacitor |
//! | the JSON of such a recording, without its archive | as with it |
//! | any of these in gzip | as without |
//!
//! The content decides the kind of an input, not its name. Recordings are played with their own
//! times, as `kapacitor replay -rec-time` does. A recording of batches cannot be played to a UDF
//! that wants a stream. Batches without points are left out, and the queries of a task are played
//! one after the other.
//!
//! A first connection asks for the UDF's edges and options. A second one starts the UDF with its
//! options and sends the points: as a stream, or in batches if the UDF wants batches. Then the
//! input ends and the UDF may finish. Another thread writes the output while the input is read.
//! Neither thread waits for the end of the other, and at most a few MiB are in transit.
//!
//! [`every`](Replay::every) cuts batches by time, like the batches of a query that runs at this
//! interval: windows begin at multiples of `every` since the epoch, and the time of a batch is the
//! end of its window. **The input must then be sorted by time**, at least by windows, and only one
//! window is held in memory. Without `every`, each group is one batch with the time of its latest
//! point, and the whole input is held in memory. In both cases a batch has one measurement and one
//! group, and its points are sorted by time and carry all of their tags. The batches of one window
//! come in the order of their measurements and groups.
//!
//! A batch of the output begins with a comment, `# batch cpu,host=a 60`: its measurement, the tags
//! that all of its points share, and its time. Readers of line protocol skip comments.
//!
//! Ticks of a UDF of this kit follow the times of the data; see
//! [`Interface::request_ticks`]. The first tick is due one interval after the first point
//! or batch. A tick runs before all data of its time or later. One more tick runs after the last
//! data. A replay is thus the same each time. At most 100,000 ticks run between two points; the
//! others are left out and [counted](Summary::skipped_ticks).

mod archive;
mod error;
mod feed;
mod notes;
mod output;
#[cfg(feature = "plot")]
mod picture;
mod read;
mod recording;
mod source;
mod ticks;
#[cfg(feature = "plot")]
mod tracks;
mod unseen;
mod watch;

use std::io::{BufRead, Write};
use std::rc::Rc;

use udf_proto::{EdgeType, Info, Init};
use udf_text::line_protocol::{Grouping, LineReader, Precision};
use udf_text::options;

use crate::error::Error;
use crate::interface::Interface;
pub use error::{Recorded, RecordingError, RecordingProblem, ReplayError, SourceError};
use feed::{Feed, Input};
pub use read::{Data, FileData};
use source::Source;
use unseen::TagSearch;
pub use unseen::UnseenTag;
use watch::Watch;

/// The settings of a replay.
///
/// ```no_run
/// use std::io::{BufReader, stdout};
/// use udf_host::Process;
/// use udf_text::line_protocol::Grouping;
/// use udf_host::replay::Replay;
///
/// let replay = Replay::default()
///     .options(["field=usage_user", "size=10"])
///     .grouping(Grouping::by(["cpu"]));
/// let input = BufReader::new(std::fs::File::open("cpu.lp")?);
/// let connect = || Box::new(Process::new("/usr/local/bin/moving_avg")) as _;
/// replay.run(&connect, input, stdout(), &mut |_| {})?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct Replay {
    /// The options of the UDF, each `name=value`; see [`options`].
    pub options: Vec<String>,
    /// The grouping of the points. Defaults to [`Grouping::none`].
    pub grouping: Grouping,
    /// The length of the windows that cut batches, in nanoseconds. Only for UDFs that want batches.
    /// Defaults to no windows.
    pub every: Option<i64>,
    /// The unit of the times in line protocol. Defaults to nanoseconds.
    pub precision: Option<Precision>,
    /// The database of points whose input does not name one. Defaults to `telegraf`.
    pub database: String,
    /// The retention policy of points whose input does not name one. Defaults to `autogen`.
    pub retention_policy: String,
    /// The task name in the Init. Defaults to `replay`.
    pub task_id: String,
    /// The node name in the Init. Defaults to `replay`.
    pub node_id: String,
}

impl Default for Replay {
    fn default() -> Self {
        Replay {
            options: Vec::new(),
            grouping: Grouping::none(),
            every: None,
            precision: None,
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
            task_id: "replay".to_owned(),
            node_id: "replay".to_owned(),
        }
    }
}

impl Replay {
    /// Sets [`options`](Replay#structfield.options).
    pub fn options(mut self, options: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`grouping`](Replay#structfield.grouping).
    pub fn grouping(mut self, grouping: Grouping) -> Self {
        self.grouping = grouping;
        self
    }

    /// Sets [`every`](Replay#structfield.every).
    pub fn every(mut self, every: impl Into<Option<i64>>) -> Self {
        self.every = every.into();
        self
    }

    /// Sets [`precision`](Replay#structfield.precision).
    pub fn precision(mut self, precision: impl Into<Option<Precision>>) -> Self {
        self.precision = precision.into();
        self
    }

    /// Sets [`database`](Replay#structfield.database).
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.database = database.into();
        self
    }

    /// Sets [`retention_policy`](Replay#structfield.retention_policy).
    pub fn retention_policy(mut self, retention_policy: impl Into<String>) -> Self {
        self.retention_policy = retention_policy.into();
        self
    }

    /// Sets [`task_id`](Replay#structfield.task_id).
    pub fn task_id(mut self, task_id: impl Into<String>) -> Self {
        self.task_id = task_id.into();
        self
    }

    /// Sets [`node_id`](Replay#structfield.node_id).
    pub fn node_id(mut self, node_id: impl Into<String>) -> Self {
        self.node_id = node_id.into();
        self
    }
}

/// Creates a connection with the UDF, not yet open. Called once for each use of the UDF.
pub type Connect<'a> = &'a dyn Fn() -> Box<dyn Interface>;

/// The progress of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// The number of bytes read from the input.
    pub bytes: u64,
    /// The number of points read.
    pub points: u64,
}

/// The result of a successful replay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The number of points read and sent to the UDF.
    pub points_in: u64,
    /// The number of points received and written.
    pub points_out: u64,
    /// The grouping tags that no point had. Empty if there were no points.
    pub unseen_tags: Vec<UnseenTag>,
    /// The unit that the times seem to have. `None` if a precision was set, or if the times are not
    /// all within weeks of 1970.
    pub likely_precision: Option<Precision>,
    /// The number of ticks that were left out, in gaps of the data.
    pub skipped_ticks: u64,
}

impl Replay {
    /// Plays `input` to a UDF, and writes the resulting points to `output`.
    ///
    /// `connect` is called twice, as Kapacitor opens a UDF once to ask for its edges and options,
    /// and again for each task. `progress` is called repeatedly while points are read.
    ///
    /// # Errors
    /// The first error, after all points that the UDF still sent are written.
    pub fn run(
        &self,
        connect: Connect<'_>,
        input: impl BufRead,
        output: impl Write + Send,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, ReplayError> {
        self.play(&ask(connect)?, connect, input, output, progress, &mut Watch::default())
    }

    /// Plays `input`, and shows the data to `watch`. `info` is the description of the UDF.
    fn play(
        &self,
        info: &Info,
        connect: Connect<'_>,
        input: impl BufRead,
        output: impl Write + Send,
        progress: &mut dyn FnMut(Progress),
        watch: &mut Watch,
    ) -> Result<Summary, ReplayError> {
        let options = options::parse(info, &self.options)?;
        self.check_windows(info.wants)?;
        let counts = Rc::default();
        let mut input = match source::open(input, Rc::clone(&counts))? {
            Source::Text(text) => Input::Lines(Box::new(self.lines(text))),
            Source::Batches(batches) => {
                self.refuse_for_recording(info.wants)?;
                Input::Batches(batches)
            }
        };
        let udf = &*connect();
        udf.open()?;
        let (lines, written) = output::channel();
        udf.data_to(info.provides, watch.sink(output::Lines::new(lines.clone())))?;
        let (task_id, node_id) = (self.task_id.clone(), self.node_id.clone());
        udf.request_ticks(false)?;
        if let Err(error) = udf.init(Init { options, task_id, node_id }) {
            // The refusal says more than any later error of the connection.
            let _ = udf.close();
            return Err(error.into());
        }
        let tags = TagSearch::new(self.grouping.tags());
        let mut feed = Feed { udf, counts, progress, points: 0, tags, ticks: None, watch };

        std::thread::scope(|scope| {
            let writing = scope.spawn(move || {
                output::write(&written, output).inspect_err(|error| {
                    if let ReplayError::Output(_) = error {
                        udf.abort(Error::Aborted(error.to_string()));
                    }
                })
            });
            let fed = feed.play(&mut input, info.wants, self.every);
            let closed = udf.close();
            // The reader may be left behind by an abort, with its end of the channel. The send fails
            // after an error of the output.
            let _ = lines.send(None);
            let written = writing.join().expect("writing does not panic");
            let written = match written {
                // The connection was aborted because of this error.
                Err(error @ ReplayError::Output(_)) => return Err(error),
                written => written,
            };
            match fed {
                Err(error) if !matches!(error, ReplayError::Udf(_)) => return Err(error),
                fed => {
                    // The error of `close` is the first error of the connection.
                    closed?;
                    fed?;
                }
            }
            let points_in = feed.points;
            let unseen_tags = if points_in == 0 { Vec::new() } else { feed.tags.left() };
            let likely_precision = match &input {
                Input::Lines(lines) => lines.likely_precision(),
                Input::Batches(_) => None,
            };
            let skipped_ticks = feed.ticks.map_or(0, |ticks| ticks.skipped);
            let points_out = written?;
            Ok(Summary { points_in, points_out, unseen_tags, likely_precision, skipped_ticks })
        })
    }

    fn lines<R: BufRead>(&self, text: R) -> LineReader<R> {
        LineReader::new(text, self.grouping.clone())
            .source(self.database.clone(), self.retention_policy.clone())
            .precision(self.precision)
            .recordings()
    }

    /// Returns an error for windows that do not fit the UDF.
    fn check_windows(&self, wants: EdgeType) -> Result<(), ReplayError> {
        match (wants, self.every) {
            (EdgeType::Stream, Some(_)) => Err(ReplayError::EveryOfStream),
            (_, Some(..1)) => Err(ReplayError::BadEvery),
            _ => Ok(()),
        }
    }

    /// Returns an error for settings that do not fit a recording of batches.
    fn refuse_for_recording(&self, wants: EdgeType) -> Result<(), ReplayError> {
        match () {
            () if wants == EdgeType::Stream => Err(ReplayError::BatchesForStream),
            () if self.every.is_some() => Err(ReplayError::Recorded(Recorded::Windows)),
            () if self.precision.is_some() => Err(ReplayError::Recorded(Recorded::Times)),
            () if self.grouping != Grouping::none() => Err(ReplayError::Recorded(Recorded::Groups)),
            () => Ok(()),
        }
    }
}

/// Asks for the edges and options of the UDF, on a separate connection.
///
/// # Errors
/// The errors of the connection.
pub fn ask(connect: Connect<'_>) -> Result<Info, Error> {
    let udf = connect();
    udf.open()?;
    let info = udf.info();
    let closed = udf.close();
    let info = info?;
    closed.map(|()| info)
}
