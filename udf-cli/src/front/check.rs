//! `udf check`: the conformance report.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use udf_host::command::{self, Failure, StatusLine};

use crate::Target;
use crate::check::{self, CheckError, Settings};

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Check whether the UDF keeps to the protocol, and say what it means for its users")
        .long_about(
            "Check whether the UDF keeps to the protocol, and say what it means for its users.\n\n\
             Each check uses a fresh connection, and its time is bounded. The UDF must accept the options that are \
             given with -o; texts among them are also the names of fields in the points that it is sent. \
             The exit status is 1 when a check fails; a warning is no failure.",
        )
        .args([
            super::option_arg(),
            super::format_arg(),
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .default_value("5s")
                .value_parser(super::duration)
                .help("How long the UDF may take to answer"),
            Arg::new("only")
                .long("only")
                .value_name("NAMES")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("Run these checks alone; their names are separated by commas"),
        ])
}

pub(super) fn run(matches: &ArgMatches, target: Target) -> Result<(), Failure> {
    let settings = Settings {
        options: super::options(matches),
        within: *matches.get_one::<Duration>("timeout").expect("it has a default"),
        only: matches.get_many("only").unwrap_or_default().cloned().collect(),
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
