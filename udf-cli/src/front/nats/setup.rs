//! The subcommand `udf nats setup`.

use std::fmt::Write;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use udf_host::command::{self, Failure};
use udf_nats::nats::{MOST_PARTITIONS, Names};
use udf_nats::setup::{Setup, SetupError};
use udf_text::duration;

pub(super) fn command() -> Command {
    let arg = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("setup")
        .about("Create the streams and the bucket, or show how they differ")
        .after_help(
            "A second call changes nothing. Limits can be raised later. Nothing is changed that would lose data:\n\
             setup says what differs, and exits with status 1.\n\
             \n\
             If a stream already holds --input, it is used. Otherwise, the stream NAME-raw is created.",
        )
        .args([
            arg("input", "SUBJECT", "The subject of the raw lines, such as telegraf.raw or telegraf.>")
                .required(true),
            arg("output", "SUBJECT", "The begin of the subjects of the output; partition 3 writes to SUBJECT.3")
                .required(true),
            arg("partitions", "N", "The number of partitions. It cannot change later; use a few times the number of workers")
                .required(true)
                .value_parser(value_parser!(u32).range(1..=i64::from(MOST_PARTITIONS))),
            arg("replicas", "N", "The copies of each stream [default: those that exist, or 1]")
                .value_parser(value_parser!(u8).range(1..=5)),
            arg("retention", "DURATION", "How long lines are kept [default: as the streams are, or 24h]")
                .value_parser(duration::positive),
            arg("max-bytes", "BYTES", "The size of each stream at most [default: as the streams are, or no limit]")
                .value_parser(value_parser!(u64).range(1 << 20..=1 << 50)),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let partitions = matches.get_one("partitions").copied().unwrap_or_default();
    let names = Names::new(super::name(matches), text("input"), text("output"), partitions);
    let setup = Setup {
        names: names.map_err(Failure::Usage)?,
        replicas: matches.get_one::<u8>("replicas").map(|&replicas| replicas.into()),
        retention: matches.get_one::<Duration>("retention").copied(),
        max_bytes: matches.get_one("max-bytes").copied(),
    };
    let report = super::connected(matches, async |session| {
        setup.run(&session).await.map_err(|error| match error {
            SetupError::Differs(_) => Failure::Failed(error.to_string()),
            error => Failure::failed(error),
        })
    })?;
    let mut shown = String::new();
    for step in &report.steps {
        // Writing to a string does not fail.
        let _ = writeln!(shown, "{step}");
    }
    command::print(&shown)?;
    for warning in &report.warnings {
        command::note(warning);
    }
    Ok(())
}
