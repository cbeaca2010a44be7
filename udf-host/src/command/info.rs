//! The subcommand `info`: describes a UDF.

use std::io;

use clap::{Arg, ArgMatches, Command};
use udf_text::describe::{self, Description, Install};

use super::failure::Failure;
use super::terminal::{columns, print};

/// The width of help texts when stdout is not a terminal, and the most on a terminal. Longer lines
/// are hard to read.
const WIDTH: usize = 80;
const LARGEST_WIDTH: usize = 100;

const FOR_TELEGRAF: &str = "For telegraf.conf: --format telegraf\n";

/// Returns the definition of the subcommand `info`.
pub fn info_command() -> Command {
    Command::new("info").about("Describe the UDF: its edges, its options, how to install it").arg(
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .value_parser(["text", "json", "toml", "tick", "telegraf"])
            .default_value("text")
            .help(
                "text for people, json for tools, toml for kapacitor.conf, tick for a TICKscript, telegraf for \
                 telegraf.conf",
            ),
    )
}

/// Runs `info` with its arguments and prints to stdout.
///
/// # Errors
/// When stdout cannot be written to.
pub fn info(
    matches: &ArgMatches,
    description: &Description,
    install: &Install,
) -> Result<(), Failure> {
    let format = matches.get_one::<String>("format").map_or("text", String::as_str);
    print(&match format {
        "json" => description.to_json(),
        "toml" => description.to_toml(install),
        "tick" => description.to_tick(),
        "telegraf" => description.to_telegraf(install),
        _ => format!(
            "{}\nFor kapacitor.conf:\n\n{}\nAs a TICKscript:\n\n{}\n{FOR_TELEGRAF}",
            description.to_text(width()),
            description.to_toml(install),
            description.to_tick()
        ),
    })
}

/// Runs `info` for all UDFs of a program.
///
/// # Errors
/// When stdout cannot be written to.
pub fn info_of_all(matches: &ArgMatches, udfs: &[(Description, Install)]) -> Result<(), Failure> {
    let format = matches.get_one::<String>("format").map_or("text", String::as_str);
    let each = |show: &dyn Fn(&Description, &Install) -> String, between: &str| {
        udfs.iter().map(|(udf, install)| show(udf, install)).collect::<Vec<_>>().join(between)
    };
    let toml = || each(&|udf, install| udf.to_toml(install), "\n");
    print(&match format {
        "json" => format!("[\n{}]\n", each(&|udf, _| udf.to_json(), ",\n")),
        "toml" => toml(),
        "tick" => each(&|udf, _| udf.to_tick(), "\n"),
        "telegraf" => each(&|udf, install| udf.to_telegraf(install), "\n"),
        _ => {
            let texts = each(&|udf, _| udf.to_text(width()), "\n");
            format!("{texts}\nFor kapacitor.conf:\n\n{}\n{FOR_TELEGRAF}", toml())
        }
    })
}

/// Returns the definition of the subcommand `list`.
pub fn list_command() -> Command {
    Command::new("list").about("List the UDFs").arg(
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .value_parser(["text", "json"])
            .default_value("text")
            .help("text for people, json for tools"),
    )
}

/// Runs `list` for the UDFs of a program.
///
/// # Errors
/// When stdout cannot be written to.
pub fn list(matches: &ArgMatches, udfs: &[Description]) -> Result<(), Failure> {
    let format = matches.get_one::<String>("format").map_or("text", String::as_str);
    print(&match format {
        "json" => describe::list_to_json(udfs),
        _ => describe::list_to_text(udfs),
    })
}

fn width() -> usize {
    columns(&io::stdout()).map_or(WIDTH, |columns| columns.min(LARGEST_WIDTH))
}
