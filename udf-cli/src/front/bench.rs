//! The subcommand `udf bench`: measures a UDF.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use udf_host::Writes;
use udf_host::command::{self, Failure, StatusLine};
use udf_plot::Look;

use crate::Target;
use crate::bench::{self, BenchError, BenchSettings, Step};

pub(super) fn command() -> Command {
    let set =
        |name: &'static str, value: &'static str, default: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).default_value(default).help(help)
        };
    Command::new("bench")
        .about("Measure the UDF: throughput, latency, CPU and memory, beside a raw byte echo")
        .long_about(
            "Measure the UDF: throughput, latency, CPU and memory, beside a raw byte echo.\n\n\
             The UDF and the echo get the same bytes over the same transport, in turns, so that both include the \
             cost of the machine and the kernel. Points are written in two ways: as Kapacitor does, the length and \
             the body of each in two writes, and many in one write. Text values of the options are also names of \
             fields in the points.",
        )
        .args([
            super::option_arg(),
            super::format_arg(),
            set("connections", "N", "1", "Also measure with this many connections at once")
                .value_parser(value_parser!(u16).range(1..=1024)),
            set("batch", "POINTS", "100", "The number of points in a batch, for a UDF that wants batches")
                .value_parser(value_parser!(u32).range(1..=100_000)),
            set("rounds", "N", "5", "The number of repetitions of each measurement")
                .value_parser(value_parser!(u16).range(1..=1000)),
            set("time", "DURATION", "20s", "The approximate total time")
                .value_parser(udf_text::duration::positive),
            Arg::new("plot").long("plot").value_name("FILE.svg").value_parser(command::svg_path).help(
                "Also draw throughput and the distribution of round trips, beside the echo, into FILE.svg",
            ),
            Arg::new("pid")
                .long("pid")
                .value_name("PID")
                .value_parser(value_parser!(u32))
                .help(
                    "The process whose CPU and memory are measured [default: the spawned or listening one]",
                ),
        ])
}

pub(super) fn run(matches: &ArgMatches, target: &Target) -> Result<(), Failure> {
    let default = "it has a default";
    let settings = BenchSettings {
        options: super::options(matches),
        connections: usize::from(*matches.get_one::<u16>("connections").expect(default)),
        batch: *matches.get_one::<u32>("batch").expect(default) as usize,
        rounds: usize::from(*matches.get_one::<u16>("rounds").expect(default)),
        time: *matches.get_one::<Duration>("time").expect(default),
        pid: matches.get_one("pid").copied(),
    };
    let plot = matches.get_one::<PathBuf>("plot");
    plot.map_or(Ok(()), |path| command::check_folder(path))?;
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
    plot.map_or(Ok(()), |path| {
        command::write_picture(path, &report.picture().svg(&Look::default()))
    })?;
    command::print(&if super::is_json(matches) { report.to_json() } else { report.to_text() })
}
