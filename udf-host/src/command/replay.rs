//! The subcommand `replay`: plays points from a file to a UDF.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, value_parser};
use udf_text::duration;
use udf_text::line_protocol::{Grouping, Precision};

use super::arguments::{self, named, text};
use super::failure::Failure;
use super::status_line::StatusLine;
use super::terminal;
use crate::replay::{Connect, Data, Progress, Recorded, Replay, ReplayError};

/// The size of a read from a file, in bytes.
const CHUNK: usize = 256 << 10;

/// A shorter replay shows no progress.
const PROGRESS_DELAY: Duration = Duration::from_millis(500);

/// The time between two updates of the progress line.
const PAUSE: Duration = Duration::from_millis(100);

/// Returns the definition of the subcommand `replay`.
pub fn replay_command() -> Command {
    let command = Command::new("replay")
        .about("Play points from a file to the UDF, and print the points that come back")
        .after_help(
            "FILE holds line protocol, the output of `influx_inspect export`, or a recording of\n\
             Kapacitor (.srpl, .brpl). The content decides the format. Any format may be in gzip.\n\
             An export or a recording sets the database and the retention policy of its points.\n\
             \n\
             A line without a time gets the time of the line before it, and the first line gets\n\
             1970-01-01. Kapacitor would give it the time of its arrival.\n\
             \n\
             Ticks of a UDF follow the times of its input, and one more comes at the end. The ticks of\n\
             a UDF of another kit follow its own clock: `udf replay` may end before they are due.\n\
             \n\
             Each batch of the output begins with a comment: # batch MEASUREMENT,TAGS TIME",
        )
        .args([
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The points; - for stdin"),
            arguments::option(),
            arguments::group_by(),
            named("task", "replay", "The name of the task in the Init of the UDF"),
            named("node", "replay", "The name of the node in the Init of the UDF"),
        ])
        .args(reading_args());
    #[cfg(feature = "plot")]
    let command = command.args(super::plot::args());
    command
}

/// Returns the arguments that determine how a file of points is read, for a command with an
/// argument `group-by`.
pub fn reading_args() -> [Arg; 5] {
    [
        arguments::by_name(),
        Arg::new("every").long("every").value_name("DURATION").value_parser(duration::positive).help(
            "Cut batches by time, such as 10s, from points sorted by time [default: one batch per group]",
        ),
        Arg::new("precision").long("precision").value_name("UNIT").value_parser(precision).help(
            "The unit of the times in line protocol: ns, u, ms, s, m or h [default: ns]",
        ),
        named("database", "telegraf", "The database of points, unless FILE names one"),
        named("retention-policy", "autogen", "The retention policy of points, unless FILE names one"),
    ]
}

fn precision(text: &str) -> Result<Precision, String> {
    Precision::parse(text).ok_or_else(|| "must be ns, u, ms, s, m or h".to_owned())
}

/// Adds a tip to an error about an unknown argument of `replay`, `play` or `telegraf`: how to set an option
/// of the UDF.
pub(super) fn tip(error: &mut clap::Error) {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let (argument, usage) = (text(ContextKind::InvalidArg), text(ContextKind::Usage));
    let name = argument.trim_start_matches('-');
    // An argument that resembles a known one has a better tip.
    if error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::SuggestedArg).is_none()
        && [" replay ", " play ", " telegraf "].iter().any(|command| usage.contains(command))
        && argument.starts_with("--")
    {
        let tip = format!("an option of the UDF is given as -o {name}=VALUE");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// Runs `replay` with its arguments. `name` is the name of the UDF, and `secrets` are the names
/// of its options whose values must not be shown. `connect` creates the connections with it.
///
/// Points go to stdout; with a picture, only if stdout is not a terminal. Notes about probable
/// errors go to stderr: no points in the input, no points in the output, tags to group by that no
/// point has, and times that look like another unit.
/// Progress also goes to stderr if the input is a file, stderr is a terminal, stdout is not, and
/// the replay takes a while.
///
/// # Errors
/// When the file cannot be read, the options do not fit, or the replay fails.
#[cfg_attr(not(feature = "plot"), allow(unused_variables, reason = "only pictures need both"))]
pub fn replay(
    matches: &ArgMatches,
    name: &str,
    secrets: &[String],
    connect: Connect<'_>,
) -> Result<(), Failure> {
    let replay = Replay {
        options: matches.get_many("option").unwrap_or_default().cloned().collect(),
        task_id: text(matches, "task"),
        node_id: text(matches, "node"),
        ..reading(matches, Grouping::parse(&text(matches, "group-by")))
    };
    let path = matches.get_one::<PathBuf>("file").expect("clap requires a file");
    #[cfg(feature = "plot")]
    let plot = super::plot::Plot::of(matches, name, secrets, path)?;
    let (input, total) = open(path)?;
    // If points are printed to the terminal, they show the progress.
    let prints = io::stdout().is_terminal() && !is_plotted(matches);
    let mut line = StatusLine::new(total.is_some() && !prints);
    let mut next = Instant::now() + PROGRESS_DELAY;
    let mut progress = |progress: Progress| {
        if Instant::now() < next {
            return;
        }
        next = Instant::now() + PAUSE;
        line.show(|| {
            let percent = progress.bytes * 100 / total.unwrap_or_default().max(1);
            format!("{percent} %, {} points", progress.points)
        });
    };
    #[cfg(feature = "plot")]
    if let Some(plot) = plot {
        let played = plot.play(&replay, connect, input, &mut progress);
        drop(line);
        let (summary, picture) = played.map_err(Failure::of_replay)?;
        summary.notes().iter().for_each(terminal::note);
        return plot.draw(&picture);
    }
    // The type is that of a picture, so that a program contains the code of a replay once.
    #[cfg(feature = "plot")]
    let output: Box<dyn io::Write + Send> = Box::new(terminal::Output);
    #[cfg(not(feature = "plot"))]
    let output = io::stdout();
    let played = replay.run(connect, input, output, &mut progress);
    drop(line);
    played.map_err(Failure::of_replay)?.notes().iter().for_each(terminal::note);
    Ok(())
}

/// Returns whether a picture is drawn in place of printed points.
fn is_plotted(matches: &ArgMatches) -> bool {
    cfg!(feature = "plot") && matches.contains_id("plot")
}

/// Reads at most `most` points of a file, as `replay` with the arguments in `matches` does.
/// `grouping` is the grouping by tags. The notes about probable mistakes that `replay` prints go to
/// stderr.
///
/// # Errors
/// When the file cannot be read, has no points, or the arguments do not fit it.
pub fn read(
    matches: &ArgMatches,
    path: &Path,
    grouping: Grouping,
    most: usize,
) -> Result<Data, Failure> {
    let (input, _) = open(path)?;
    let read = reading(matches, grouping).read(input, most).map_err(|error| {
        match Failure::of_replay(error) {
            Failure::Failed(error) => {
                Failure::Failed(format!("cannot read `{}`: {error}", path.display()))
            }
            failure => failure,
        }
    })?;
    if read.data.point_count() == 0 {
        let path = path.display();
        return Err(Failure::Failed(format!("cannot read `{path}`: there are no points in it")));
    }
    read.notes().iter().for_each(terminal::note);
    Ok(read.data)
}

/// Returns a replay that reads as the [arguments](reading_args) say.
pub fn reading(matches: &ArgMatches, grouping: Grouping) -> Replay {
    Replay {
        grouping: grouping.by_name(matches.get_flag("by-name")),
        every: matches.get_one::<Duration>("every").map(|every| {
            // The parser rejects longer durations.
            i64::try_from(every.as_nanos()).unwrap_or(i64::MAX)
        }),
        precision: matches.get_one("precision").copied(),
        database: text(matches, "database"),
        retention_policy: text(matches, "retention-policy"),
        ..Replay::default()
    }
}

/// Opens a file, or stdin for `-`. Returns the length of a regular file as well.
fn open(path: &Path) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let unreadable =
        |error: io::Error| Failure::Failed(format!("cannot read `{}`: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    let total = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(CHUNK, file)), total))
}

impl Failure {
    /// Converts an error of a replay. The message names arguments of the command line.
    // `From` would make the type of errors ambiguous where `?` returns this one.
    pub fn of_replay(error: ReplayError) -> Self {
        match error {
            ReplayError::Options(error) => Failure::Usage(error.to_string()),
            ReplayError::EveryOfStream => Failure::Usage(
                "--every is for UDFs that want batches, and this UDF wants a stream".to_owned(),
            ),
            ReplayError::Recorded(what) => {
                let arguments = match what {
                    Recorded::Windows => "--every",
                    Recorded::Times => "--precision",
                    Recorded::Groups => "--group-by and --by-name",
                };
                Failure::Usage(format!(
                    "the input is a recording of batches, which have {what} of their own; leave {arguments} out"
                ))
            }
            error @ ReplayError::BatchesForStream => Failure::Usage(error.to_string()),
            ReplayError::Output(error) => Failure::output(error),
            error => Failure::failed(error),
        }
    }
}
