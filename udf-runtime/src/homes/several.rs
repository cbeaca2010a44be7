//! Several UDFs in one program.

use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use udf_host::command::{self, Failure};

use super::program::{Program, alone, run};
use super::serve::end;
use super::{own_args, supervision};

/// Checks the names of the UDFs of a program at compile time.
#[doc(hidden)]
pub const fn programs(programs: &'static [Program]) -> &'static [Program] {
    let mut at = 0;
    while at < programs.len() {
        let name = programs[at].name.as_bytes();
        assert!(
            !matches!(name, b"info" | b"replay" | b"play" | b"telegraf" | b"help"),
            "a UDF of this program is named like a subcommand: `info`, `replay`, `play`, `telegraf` or `help`"
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
    let types = || programs.iter().flat_map(|program| program.shared);
    let info = command::info_command().about("Describe the UDFs, and how to install them");
    let info = info.arg(supervision::info_arg());
    let info = own_args::add(info.mut_arg("format", |arg| arg.global(false)), types());
    let subcommands = programs.iter().map(|program| {
        let summary = (program.help)().lines().next().unwrap_or_default().to_owned();
        program.command().about(summary).display_name(program.name)
    });
    let mut command = Command::new(name)
        .version(version)
        .about("User-defined functions for Kapacitor.")
        .after_help(
            "`COMMAND --help` lists the arguments of a UDF.\n\
             A link to this program that has the name of a UDF starts that UDF.",
        )
        .subcommands(subcommands)
        .subcommand(info);
    // The help of a subcommand must also name the program.
    command.build();
    let parsed = command::parse(command.clone(), std::env::args_os());
    end(parsed.and_then(|matches| {
        let Some((name, matches)) = matches.subcommand() else {
            return Err(Failure::Usage(format!(
                "name the UDF to start, as in `{name} {}`\n\n{}",
                programs.first().map_or("UDF", |program| program.name),
                command.render_help()
            )));
        };
        let Some(program) = programs.iter().find(|program| program.name == name) else {
            let is_supervised = supervision::is_asked(matches)?;
            let installs = programs.iter().map(|program| {
                let install = program.install(&[program.name], matches, is_supervised)?;
                Ok(((program.description)(), install))
            });
            return command::info_of_all(matches, &installs.collect::<Result<Vec<_>, _>>()?);
        };
        let help = command.find_subcommand_mut(name).map(Command::render_help);
        run(program, matches, &[program.name], &help.unwrap_or_default().to_string())
    }))
}
