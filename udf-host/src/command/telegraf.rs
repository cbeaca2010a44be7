//! The subcommand `telegraf`: serves Telegraf as a program of `processors.execd`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_text::duration;
use udf_text::line_protocol::Grouping;

use super::arguments;
use super::failure::Failure;
use crate::replay::Connect;
use crate::telegraf::{Ends, Event, OnUnfit, State, Summary, Telegraf, TelegrafError, Windows};

/// The name of the subcommand.
pub(super) const NAME: &str = "telegraf";

/// Returns the definition of the subcommand `telegraf`.
pub fn telegraf_command() -> Command {
    Command::new(NAME)
        .about("Serve Telegraf, as a program of processors.execd")
        .after_help(
            "Telegraf starts the program, writes metrics to its stdin, and reads metrics from its\n\
             stdout, both as line protocol. `info --format telegraf` prints the section of\n\
             telegraf.conf.\n\
             \n\
             Lines that are not valid are logged and skipped. A line without a time gets the time of\n\
             its arrival. The program ends within 4.5s of the end of stdin.",
        )
        .args([
            arguments::option(),
            arguments::group_by(),
            arguments::by_name(),
            Arg::new("every").long("every").value_name("DURATION").value_parser(duration::positive).help(
                "The length of the windows of time that become batches, such as 60s; for UDFs that want batches",
            ),
            Arg::new("grace")
                .long("grace")
                .value_name("DURATION")
                .value_parser(duration::parse)
                .default_value("5s")
                .requires("every")
                .help("The time that a window waits for late points"),
            Arg::new("keep-original")
                .long("keep-original")
                .action(ArgAction::SetTrue)
                .help("Also pass each metric on as it came, before the points of the UDF"),
            Arg::new("state-file")
                .long("state-file")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Keep the state of the UDF in this file, for the next start"),
            Arg::new("state-max-age")
                .long("state-max-age")
                .value_name("DURATION")
                .value_parser(duration::positive)
                .requires("state-file")
                .help("Start without state if the saved one is older [default: no limit]"),
            Arg::new("bad-snapshot")
                .long("bad-snapshot")
                .value_name("POLICY")
                .value_parser(["refuse", "fresh"])
                .default_value("refuse")
                .requires("state-file")
                .help("What to do with a saved state that does not fit: refuse to run, or start fresh"),
            arguments::named("database", "telegraf", "The database of the points that the UDF gets"),
            arguments::named("retention-policy", "autogen", "The retention policy of these points"),
        ])
}

/// Runs `telegraf` with its arguments, for the UDF of this name. `connect` creates the connections
/// with the UDF. Calls `log` with every event worth logging.
///
/// # Errors
/// When the options do not fit the UDF, or when the UDF or a pipe fails. The process must then
/// exit; see [`Telegraf::run`].
pub fn telegraf(
    matches: &ArgMatches,
    name: &str,
    connect: Connect<'_>,
    ends: Ends,
    log: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Result<Summary, Failure> {
    settings(matches, name).run(connect, ends, log).map_err(|error| match error {
        error if error.is_usage() => Failure::Usage(error.to_string()),
        TelegrafError::Stdout(error) => Failure::output(error),
        error => Failure::failed(error),
    })
}

fn settings(matches: &ArgMatches, name: &str) -> Telegraf {
    let nanoseconds = |duration: &Duration| {
        // The parser rejects longer durations.
        i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
    };
    let windows = matches.get_one("every").map(|every| Windows {
        every: nanoseconds(every),
        grace: matches.get_one("grace").map_or(0, nanoseconds),
    });
    let state = matches.get_one::<PathBuf>("state-file").map(|path| State {
        path: path.clone(),
        max_age: matches.get_one("state-max-age").copied(),
        on_unfit: match arguments::text(matches, "bad-snapshot").as_str() {
            "fresh" => OnUnfit::Fresh,
            _ => OnUnfit::Refuse,
        },
    });
    let grouping = Grouping::parse(&arguments::text(matches, "group-by"));
    Telegraf::new(name)
        .options(matches.get_many::<String>("option").unwrap_or_default())
        .grouping(grouping.by_name(matches.get_flag("by-name")))
        .windows(windows)
        .state(state)
        .keep_original(matches.get_flag("keep-original"))
        .database(arguments::text(matches, "database"))
        .retention_policy(arguments::text(matches, "retention-policy"))
}
