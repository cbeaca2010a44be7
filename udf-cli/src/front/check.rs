//! The subcommand `udf check`: prints the conformance report.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_host::command::{self, Failure, StatusLine};
use udf_host::replay::Data;
use udf_text::line_protocol::Grouping;

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
             A check is untested if no point comes back, or every sample point comes back unchanged: the UDF may \
             have skipped them all. \
             The exit status is 1 if a check fails; a warning or an untested check is not a failure.",
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
                    "Points to send instead of sample points, in a format of `udf replay`; - for stdin; \
                     the first 10,000 are repeated as often as a check needs",
                ),
            Arg::new("group-by")
                .long("group-by")
                .value_name("TAGS")
                .requires("points")
                .help("Tags to group the points of the file by, separated by commas [default: *, all tags]"),
            Arg::new("only")
                .long("only")
                .value_name("NAMES")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("Run only these checks, separated by commas"),
        ])
        .args(command::reading_args().map(|arg| arg.requires("points")))
}

pub(super) fn run(matches: &ArgMatches, target: Target) -> Result<(), Failure> {
    let settings = CheckSettings {
        options: super::options(matches),
        within: *matches.get_one::<Duration>("timeout").expect("it has a default"),
        only: matches.get_many("only").unwrap_or_default().cloned().collect(),
        data: data(matches)?,
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
        Err(error @ CheckError::Unreachable(_)) => return Err(Failure::failed(error)),
        Err(error) => {
            return Err(Failure::Usage(error.to_string()));
        }
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

/// The most points that are used from a file.
const MOST: usize = 10_000;

/// Returns the data of `--points`, if it is given.
fn data(matches: &ArgMatches) -> Result<Option<Data>, Failure> {
    let Some(path) = matches.get_one::<PathBuf>("points") else { return Ok(None) };
    let group_by = matches.get_one::<String>("group-by");
    let grouping = group_by.map_or_else(Grouping::by_all_tags, |tags| Grouping::parse(tags));
    let data = command::read(matches, path, grouping, MOST)?;
    let is_grouped = group_by.is_some() || matches.get_flag("by-name");
    if matches!(data, Data::Recorded(_)) && is_grouped {
        return Err(Failure::Usage(
            "the points are a recording of batches, which have groups of their own; \
             leave --group-by and --by-name out"
                .to_owned(),
        ));
    }
    Ok(Some(data))
}
