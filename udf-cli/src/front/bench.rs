//! `udf bench`: the measurements.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use udf_host::Writes;
use udf_host::command::{self, Failure, StatusLine};

use crate::Target;
use crate::bench::{self, BenchError, Settings, Step};

pub(super) fn command() -> Command {
    let set =
        |name: &'static str, value: &'static str, default: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).default_value(default).help(help)
        };
    Command::new("bench")
        .about("Measure the UDF: throughput, latency, CPU and memory, beside a raw byte echo")
        .long_about(
            "Measure the UDF: throughput, latency, CPU and memory, beside a raw byte echo.\n\n\
             The UDF and the echo are given the same bytes over the same transport, in turns: what the machine and the \
             kernel cost is in both. Points are written as Kapacitor does, the length and the body of each in two \
             writes, and many at once. Texts among the options are also the names of fields in the points.",
        )
        .args([
            super::option_arg(),
            super::format_arg(),
            set("connections", "N", "1", "Measure with so many connections at once too")
                .value_parser(value_parser!(u16).range(1..=1024)),
            set("batch", "POINTS", "100", "How many points a batch has, for a UDF that wants batches")
                .value_parser(value_parser!(u32).range(1..=100_000)),
            set("rounds", "N", "5", "How often each measurement is repeated")
                .value_parser(value_parser!(u16).range(1..=1000)),
            set("time", "DURATION", "20s", "How long all of it takes, about")
                .value_parser(udf_text::duration::positive),
            Arg::new("pid")
                .long("pid")
                .value_name("PID")
                .value_parser(value_parser!(u32))
                .help(
                    "The process whose CPU and memory are read [default: the one that is spawned, or that made the socket]",
                ),
        ])
}

pub(super) fn run(matches: &ArgMatches, target: &Target) -> Result<(), Failure> {
    let default = "it has a default";
    let settings = Settings {
        options: super::options(matches),
        connections: usize::from(*matches.get_one::<u16>("connections").expect(default)),
        batch: *matches.get_one::<u32>("batch").expect(default) as usize,
        rounds: usize::from(*matches.get_one::<u16>("rounds").expect(default)),
        time: *matches.get_one::<Duration>("time").expect(default),
        pid: matches.get_one("pid").copied(),
    };
    let mut line = StatusLine::new(true);
    let measured = bench::run(target, &settings, &mut |step: Step| {
        let writes = match step.writes {
            Writes::Large => "large writes",
            _ => "Kapacitor's writes",
        };
        let plural = if step.connections == 1 { "" } else { "s" };
        line.show(|| {
            format!(
                "round {} of {}: {writes}, {} connection{plural}",
                step.done + 1,
                step.of,
                step.connections
            )
        });
    });
    drop(line);
    let report = measured.map_err(|error| match error {
        BenchError::Options(error) => Failure::Usage(error.to_string()),
        error => Failure::failed(error),
    })?;
    command::print(&if super::is_json(matches) { report.to_json() } else { report.to_text() })
}
