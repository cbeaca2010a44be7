//! The subcommand `udf check`: prints the conformance report.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_host::command::{self, Failure, StatusLine};
use udf_proto::messages::Point;
use udf_text::line_protocol::{Grouping, LineReader, Precision};

use crate::Target;
use crate::check::{self, CheckError, CheckSettings};

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Check whether the UDF follows the protocol, and explain what each fault means for users")
        .long_about(
            "Check whether the UDF follows the protocol, and explain what each fault means for users.\n\n\
             Every wait has a time limit, so that a UDF that hangs does not hang the report. The UDF must accept \
             the options given with -o. The checks send sample points, in which text values of the options are \
             also names of fields; use --points to send your own points. \
             The exit status is 1 if a check fails; a warning is not a failure.",
        )
        .args([
            super::option_arg(),
            super::format_arg(),
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .default_value("5s")
                .value_parser(udf_text::duration::positive)
                .help("The longest silence of the UDF while an answer is due"),
            Arg::new("points")
                .long("points")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help(
                    "Points to send instead of sample points, as line protocol; \
                     the first 10,000 are repeated as often as a check needs",
                ),
            Arg::new("group-by")
                .long("group-by")
                .value_name("TAGS")
                .default_value("*")
                .requires("points")
                .help("Tags to group the points of the file by, separated by commas; * for all"),
            command::precision_arg().requires("points"),
            Arg::new("only")
                .long("only")
                .value_name("NAMES")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("Run only these checks, separated by commas"),
        ])
}

pub(super) fn run(matches: &ArgMatches, target: Target) -> Result<(), Failure> {
    let settings = CheckSettings {
        options: super::options(matches),
        within: *matches.get_one::<Duration>("timeout").expect("it has a default"),
        only: matches.get_many("only").unwrap_or_default().cloned().collect(),
        points: points(matches)?,
    };
    let of = match settings.only.len() {
        0 => check::names().count(),
        some => some,
    };
    let mut line = StatusLine::new(true);
    let checked = check::run(&target, &settings, &mut |done, name| {
        line.show(|| format!("check {} of {of}: {name}", done + 1));
    });
    drop(line);
    let report = match checked {
        Ok(report) => report,
        Err(error @ (CheckError::Options(_) | CheckError::NoSuchCheck(_))) => {
            return Err(Failure::Usage(error.to_string()));
        }
        Err(error) => return Err(Failure::failed(error)),
    };
    command::print(&if super::is_json(matches) {
        report.to_json()
    } else {
        report.to_text(console::colors_enabled())
    })?;
    match report.failed {
        0 => Ok(()),
        1 => Err(Failure::failed("a check failed")),
        failed => Err(Failure::failed(format!("{failed} checks failed"))),
    }
}

/// Returns the points of `--points`, or no points without it.
fn points(matches: &ArgMatches) -> Result<Vec<Point>, Failure> {
    let Some(path) = matches.get_one::<PathBuf>("points") else { return Ok(Vec::new()) };
    let grouping = matches.get_one::<String>("group-by").expect("it has a default");
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::Failed(format!("cannot read `{}`: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut lines = LineReader::new(BufReader::new(file), Grouping::parse(grouping))
        .precision(matches.get_one::<Precision>("precision").copied());
    let points = check::read_points(&mut lines).map_err(|error| unreadable(&error))?;
    if points.is_empty() {
        return Err(unreadable(&"there are no points in it"));
    }
    command::note_precision(lines.likely_precision());
    Ok(points)
}
