//! Several UDFs in one program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use udf_host::command::{self, Failure};
use udf_text::describe::{Description, list_to_text};

use super::args::{self, Place};
use super::hangups::Hangups;
use super::logs::{self, Form};
use super::program::{Program, alone, not_open, run};
use super::serve::{self, end, failed};
use super::{flags, own_args, supervision};
use crate::agent::shortage;
use crate::udf::shared::resources::{Resources, SharedType};

/// Checks the names of the UDFs of a program at compile time.
#[doc(hidden)]
pub const fn programs(programs: &'static [Program]) -> &'static [Program] {
    let mut at = 0;
    while at < programs.len() {
        let name = programs[at].name.as_bytes();
        assert!(
            !matches!(name, b"info" | b"list" | b"replay" | b"play" | b"telegraf" | b"help"),
            "a UDF of this program is named like a subcommand: `info`, `list`, `replay`, `play`, `telegraf` or `help`"
        );
        let mut other = 0;
        while other < at {
            assert!(
                !are_equal(name, programs[other].name.as_bytes()),
                "two UDFs of this program have the same name"
            );
            other += 1;
        }
        at += 1;
    }
    programs
}

const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Runs the UDF that the first argument names. Without such an argument, runs the UDF that the
/// program was started as, by the name of a link.
#[doc(hidden)]
pub fn main_of(
    programs: &'static [Program],
    name: Option<&'static str>,
    version: Option<&'static str>,
) -> ExitCode {
    let mut given = std::env::args_os();
    let started_as = given.next().unwrap_or_default();
    let started_as = Path::new(&started_as).file_name().unwrap_or_default();
    let first = given.next().unwrap_or_default();
    let named = |name| programs.iter().find(|program| name == program.name);
    // The first argument comes first, because the program itself may have the name of one of its
    // UDFs.
    match named(started_as) {
        Some(program) if named(&first).is_none() => alone(program, &[program.name]),
        _ if first == "telegraf" => end(Err(unnamed(programs).for_telegraf())),
        _ => of_subcommand(
            programs,
            name.unwrap_or("udfs"),
            version.unwrap_or("of an unnamed package"),
        ),
    }
}

/// The subcommand `telegraf` without the name of a UDF.
fn unnamed(programs: &[Program]) -> Failure {
    let names = programs.iter().map(|program| program.name).collect::<Vec<_>>();
    Failure::Usage(format!(
        "this program has several UDFs: write one of {} before `telegraf`",
        names.join(", ")
    ))
}

fn of_subcommand(
    programs: &'static [Program],
    name: &'static str,
    version: &'static str,
) -> ExitCode {
    let mut command = command(programs, name, version);
    // The help of a subcommand must also name the program.
    command.build();
    let parsed = command::parse(command.clone(), std::env::args_os());
    end(parsed.and_then(|matches| {
        let Some((sub, matches)) = matches.subcommand() else {
            return match matches.get_one::<PathBuf>("socket-dir") {
                Some(path) => daemon(programs, name, path, &matches),
                None => Err(Failure::Usage(format!(
                    "name the UDF to start, as in `{name} {}`, or start all of them with \
                     `{name} --socket-dir DIR`\n\n{}",
                    programs.first().map_or("UDF", |program| program.name),
                    list_to_text(&descriptions(programs)).trim_end()
                ))),
            };
        };
        match programs.iter().find(|program| program.name == sub) {
            Some(program) => {
                let help = command.find_subcommand_mut(sub).map(Command::render_help);
                run(program, matches, &[program.name], &help.unwrap_or_default().to_string())
            }
            None if sub == "list" => command::list(matches, &descriptions(programs)),
            None => info(programs, matches),
        }
    }))
}

fn descriptions(programs: &[Program]) -> Vec<Description> {
    programs.iter().map(|program| (program.description)()).collect()
}

/// Returns the command line of the program.
pub(super) fn command(
    programs: &'static [Program],
    name: &'static str,
    version: &'static str,
) -> Command {
    let info = command::info_command().about("Describe the UDFs, and how to install them");
    let names = PossibleValuesParser::new(programs.iter().map(|program| program.name));
    let info = info.args([
        Arg::new("udf")
            .value_name("UDF")
            .value_parser(names)
            .hide_possible_values(true)
            .help("The UDF to describe; without one, all UDFs"),
        Arg::new("all")
            .long("all")
            .action(ArgAction::SetTrue)
            .conflicts_with("udf")
            .help("Describe all UDFs"),
        supervision::info_arg().conflicts_with("socket-dir"),
        flags::socket_dir("Install UDFs that run as a daemon, each on a socket DIR/NAME.sock"),
    ]);
    let info = own_args::add(info.mut_arg("format", |arg| arg.global(false)), types(programs));
    let subcommands = programs.iter().map(|program| {
        let summary = (program.help)().lines().next().unwrap_or_default().to_owned();
        program.command().about(summary).display_name(program.name)
    });
    let command = Command::new(name)
        .version(version)
        .about("User-defined functions for Kapacitor.")
        .after_help(
            "`COMMAND --help` lists the arguments of a UDF.\n\
             A link to this program that has the name of a UDF starts that UDF.",
        )
        .args_conflicts_with_subcommands(true)
        .subcommands(subcommands)
        .subcommands([command::list_command(), info]);
    let command = flags::logging(flags::handling(flags::serving_all(command)));
    own_args::add(command, types(programs))
}

/// Returns the types that the UDFs share.
fn types(programs: &[Program]) -> impl Iterator<Item = &SharedType> {
    programs.iter().flat_map(|program| program.shared)
}

/// Runs `info`, for one UDF or for all.
fn info(programs: &[Program], matches: &ArgMatches) -> Result<(), Failure> {
    let is_supervised = supervision::is_asked(matches)?;
    let described = |program: &Program| {
        let mut install = program.install(&[program.name], matches, is_supervised)?;
        if let Some(path) = matches.get_one::<PathBuf>("socket-dir") {
            let socket = path.join(program.name).with_extension("sock");
            install.socket = socket.display().to_string();
            install.program.clear();
        }
        Ok(((program.description)(), install))
    };
    match matches.get_one::<String>("udf") {
        Some(name) => {
            let program = programs.iter().find(|program| program.name == name);
            let program = program.expect("clap accepts the names of the UDFs alone");
            let (description, install) = described(program)?;
            command::info(matches, &description, &install)
        }
        None => {
            let all = programs.iter().map(described).collect::<Result<Vec<_>, _>>()?;
            command::info_of_all(matches, &all)
        }
    }
}

/// Serves all UDFs in this process, each on a socket in the directory.
fn daemon(
    programs: &[Program],
    name: &str,
    directory: &Path,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    logs::start(args::level(matches)?, Form::Timed, false)
        .map_err(shortage::of("cannot start the log"))
        .map_err(Failure::failed)?;
    let types: Vec<_> = types(programs).copied().collect();
    let resources = Resources::new(own_args::complete(&types, matches)?);
    // Before shared things are opened, which may take long.
    let hangups = Hangups::new().map_err(failed)?;
    resources.open(&types).map_err(not_open)?;
    let limits = args::limits(matches)?.unfit_points(args::unfit_points(matches));
    let unfit = args::unfit(matches);
    let udfs = programs.iter().map(|program| program.served(unfit, &resources)).collect();
    let daemon = args::daemon_at(Place::Directory(directory.to_owned()), matches);
    serve::daemon(name, udfs, daemon, limits, move || hangups.reload(resources))
}
