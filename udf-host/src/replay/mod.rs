//! A file of points, played to a UDF as Kapacitor would, and what comes back as line protocol.
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
//! The content decides what an input is, not its name. Recordings are played with the times that
//! they have, as `kapacitor replay -rec-time` does. A recording of batches is refused by a UDF that
//! wants a stream; batches without points are left out, and the queries of a task follow each
//! other.
//!
//! A connection of its own tells what the UDF is. On a second one it is started with its options
//! and given the points: as a stream, or in batches if that is what it wants. Then its input ends, and it may
//! finish. While points are read, what comes back is written, by another thread; neither waits for the whole
//! of the other, and at most a few MiB are on their way.
//!
//! Batches are cut by time with [`every`](Replay::every), as those of a query that runs so often: windows
//! begin at multiples of it since the epoch, and a batch's time is the end of its window. **The input must then be sorted
//! by time**, as far as windows go, and only one window is held in memory. Without it, each group is one batch, its time is that of
//! its latest point, and the whole input is held in memory. Either way a batch has one measurement and one
//! group, its points are sorted by time and carry all of their tags, and batches of one
//! window come in the order of their measurements and groups.

mod archive;
mod error;
mod output;
mod recording;
mod source;
mod unseen;

use std::cell::Cell;
use std::io::{BufRead, Write};
use std::rc::Rc;

use udf_proto::{EdgeType, Info, Init, PointBuf};
use udf_text::line_protocol::{Grouping, LineReader, Precision};
use udf_text::options;
use udf_text::windows::Batches;

use crate::error::Error;
use crate::interface::Interface;
pub use error::{Recorded, RecordingError, RecordingProblem, ReplayError, SourceError};
use recording::BatchReader;
use source::Source;
use unseen::Lookout;
pub use unseen::UnseenTag;

/// What to play, and how.
///
/// ```no_run
/// use std::io::{BufReader, stdout};
/// use udf_host::Process;
/// use udf_text::line_protocol::Grouping;
/// use udf_host::replay::Replay;
///
/// let replay = Replay {
///     options: vec!["field=usage_user".into(), "size=10".into()],
///     grouping: Grouping::by(["cpu"]),
///     ..Replay::default()
/// };
/// let input = BufReader::new(std::fs::File::open("cpu.lp")?);
/// let connect = || Box::new(Process::new("/usr/local/bin/moving_avg")) as _;
/// replay.run(&connect, input, stdout(), &mut |_| {})?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Replay {
    /// The options of the UDF, each `name=value`; see [`options`].
    pub options: Vec<String>,
    /// What points are grouped by.
    pub grouping: Grouping,
    /// How long the windows are that batches are cut by, in nanoseconds. Only for UDFs that want batches.
    pub every: Option<i64>,
    /// The unit of the times in line protocol. Defaults to nanoseconds.
    pub precision: Option<Precision>,
    /// The database of points whose input does not name one. Defaults to `telegraf`.
    pub database: String,
    /// The retention policy of points whose input does not name one. Defaults to `autogen`.
    pub retention_policy: String,
    /// The name of the task that the UDF is told: `replay`.
    pub task_id: String,
    /// The name of the node that the UDF is told: `replay`.
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

/// Makes a connection with the UDF, which is not open yet. It is called for each use.
pub type Connect<'a> = &'a dyn Fn() -> Box<dyn Interface>;

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// How many bytes of the input have been read.
    pub bytes: u64,
    /// How many points have been read.
    pub points: u64,
}

/// What was done, when all went well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many points were read, and sent to the UDF.
    pub points_in: u64,
    /// How many points came back, and were written.
    pub points_out: u64,
    /// The tags that points were grouped by, and that none of them had. None when there were no points.
    pub unseen_tags: Vec<UnseenTag>,
    /// The unit that the times seem to have, when all of them lie within weeks of 1970 and no
    /// precision was set.
    pub likely_precision: Option<Precision>,
}

/// Points are reported so often.
const REPORT_EVERY: u64 = 256;

impl Replay {
    /// Plays `input` to a UDF, and writes the points that come back to `output`.
    ///
    /// `connect` is called twice, as Kapacitor opens a UDF once to ask what it is, and again for
    /// each task. `progress` is called again and again while points are read.
    ///
    /// # Errors
    /// The first one that occurred, after what the UDF still sent has been written.
    pub fn run(
        &self,
        connect: Connect<'_>,
        input: impl BufRead,
        output: impl Write + Send,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, ReplayError> {
        let info = ask(connect)?;
        let options = options::parse(&info, &self.options)?;
        match (info.wants, self.every) {
            (EdgeType::Stream, Some(_)) => return Err(ReplayError::EveryOfStream),
            (_, Some(..1)) => return Err(ReplayError::BadEvery),
            _ => {}
        }
        let bytes = Rc::default();
        let mut input = match source::open(input, Rc::clone(&bytes))? {
            Source::Text(text) => Input::Lines(Box::new(self.lines(text))),
            Source::Batches(batches) => {
                self.refuse_for_recording(info.wants)?;
                Input::Batches(batches)
            }
        };
        let udf = &*connect();
        udf.open()?;
        let (task_id, node_id) = (self.task_id.clone(), self.node_id.clone());
        if let Err(error) = udf.init(Init { options, task_id, node_id }) {
            // What follows from the refusal tells less than it.
            let _ = udf.close();
            return Err(error.into());
        }
        let tags = Lookout::new(self.grouping.tags());
        let mut feed = Feed { udf, bytes, progress, points: 0, tags };

        std::thread::scope(|scope| {
            let written = output::start(scope, udf, info.provides, output)?;
            let fed = match (&mut input, info.wants) {
                (Input::Lines(lines), EdgeType::Stream) => feed.stream(lines),
                (Input::Lines(lines), EdgeType::Batch) => feed.batches(lines, self.every),
                (Input::Batches(batches), _) => feed.recorded(batches),
            };
            let closed = udf.close();
            let written = written.join().expect("writing does not panic");
            let written = match written {
                // The connection was given up for it.
                Err(error @ ReplayError::Output(_)) => return Err(error),
                written => written,
            };
            match fed {
                Err(error) if !matches!(error, ReplayError::Udf(_)) => return Err(error),
                fed => {
                    // Closing tells what the connection failed of first.
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
            Ok(Summary { points_in, points_out: written?, unseen_tags, likely_precision })
        })
    }

    fn lines<R: BufRead>(&self, text: R) -> LineReader<R> {
        LineReader::new(text, self.grouping.clone())
            .with_source(self.database.clone(), self.retention_policy.clone())
            .with_precision(self.precision)
            .with_recordings()
    }

    /// Refuses to play a recording of batches with what does not fit it.
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

/// Asks what the UDF is, on a connection of its own.
///
/// # Errors
/// Those of the connection.
pub fn ask(connect: Connect<'_>) -> Result<Info, Error> {
    let udf = connect();
    udf.open()?;
    let info = udf.info();
    let closed = udf.close();
    let info = info?;
    closed.map(|()| info)
}

/// What is played.
enum Input<'a> {
    Lines(Box<LineReader<Box<dyn BufRead + 'a>>>),
    Batches(BatchReader<Box<dyn BufRead + 'a>>),
}

/// Sends points to the UDF.
struct Feed<'a> {
    udf: &'a dyn Interface,
    bytes: Rc<Cell<u64>>,
    progress: &'a mut dyn FnMut(Progress),
    points: u64,
    tags: Lookout,
}

impl Feed<'_> {
    fn stream(&mut self, lines: &mut LineReader<impl BufRead>) -> Result<(), ReplayError> {
        let points = self.udf.point_in()?;
        while let Some(point) = self.next(lines)? {
            points.send(PointBuf::from(point).as_point())?;
        }
        Ok(())
    }

    fn batches(
        &mut self,
        lines: &mut LineReader<impl BufRead>,
        every: Option<i64>,
    ) -> Result<(), ReplayError> {
        let sink = self.udf.batch_in()?;
        let mut batches = Batches::new(every);
        loop {
            let point = match self.next(lines) {
                Ok(Some(point)) => point,
                // What came before a bad line is complete, and is played.
                ended => {
                    batches.take().try_for_each(|batch| sink.send(&batch))?;
                    return ended.map(drop);
                }
            };
            if batches.is_past(point.time) {
                batches.take().try_for_each(|batch| sink.send(&batch))?;
                return Err(ReplayError::Order { line: lines.line() });
            }
            if batches.is_beyond(point.time) {
                batches.take().try_for_each(|batch| sink.send(&batch))?;
            }
            batches.push(point);
        }
    }

    fn recorded(&mut self, batches: &mut BatchReader<impl BufRead>) -> Result<(), ReplayError> {
        let sink = self.udf.batch_in()?;
        while let Some(batch) = batches.next_batch()? {
            self.points += batch.points.len() as u64;
            sink.send(&batch)?;
            self.report();
        }
        Ok(())
    }

    fn next(
        &mut self,
        lines: &mut LineReader<impl BufRead>,
    ) -> Result<Option<udf_proto::messages::Point>, ReplayError> {
        let point = lines.next_message()?;
        if let Some(point) = &point {
            self.points += 1;
            self.tags.see(&point.tags);
        }
        if point.is_none() || self.points.is_multiple_of(REPORT_EVERY) {
            self.report();
        }
        Ok(point)
    }

    fn report(&mut self) {
        (self.progress)(Progress { bytes: self.bytes.get(), points: self.points });
    }
}
