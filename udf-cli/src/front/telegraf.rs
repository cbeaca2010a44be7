//! The subcommand `udf telegraf`: serves Telegraf with a UDF in any language.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use udf_host::command::Failure;
use udf_runtime::__private as runtime;
use udf_text::describe::Install;

use crate::Target;
use crate::target::found;

/// Returns the subcommand, without the arguments that select the UDF.
pub(super) fn command() -> Command {
    runtime::telegraf_command()
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let target = super::target(matches);
    let name = target.name();
    let target = match target {
        Target::Program { program, args } => {
            // The path stays the same while the program of that path is replaced.
            let program = [found(&program).into()].into_iter();
            runtime::TelegrafTarget::Program(program.chain(args).collect())
        }
        Target::Socket(path) => runtime::TelegrafTarget::Socket(path),
    };
    runtime::telegraf(matches, name, target)
}

/// Adds the command with which Telegraf starts `udf`.
///
/// # Errors
/// When the file of this program cannot be found.
pub(super) fn install(
    target: &Target,
    install: Install,
    is_supervised: bool,
) -> Result<Install, Failure> {
    let udf = runtime::own_path().map_err(|error| {
        Failure::failed(format!("cannot find the file of this program: {error}"))
    })?;
    let mut telegraf = vec![udf.display().to_string(), "telegraf".to_owned()];
    telegraf.extend(is_supervised.then(|| "--supervise".to_owned()));
    let Install { program, args, socket, .. } = target.install();
    let telegraf_behind = match target {
        Target::Program { .. } => ["--".to_owned(), program].into_iter().chain(args).collect(),
        Target::Socket(_) => vec!["--socket".to_owned(), socket],
    };
    Ok(Install { telegraf, telegraf_behind, ..install })
}
