//! The command line of `udf`.

mod bench;
mod check;
mod generate;
#[cfg(feature = "nats")]
mod nats;
mod new;
mod supervise;
mod telegraf;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use udf_host::command::{self, Failure};
use udf_play::LastLines;
use udf_runtime::__private::{is_supervised, supervise_info_arg};
use udf_text::describe::Description;

use crate::{Target, children};

/// Runs the command: reads the arguments of this process, and prints to stdout.
///
/// The exit status is 0 on success; 1 on a failure, including a failed check; 2 for invalid usage.
pub fn main() -> ExitCode {
    let parsed = command::parse(command(), std::env::args_os());
    match parsed.as_ref().ok().and_then(ArgMatches::subcommand) {
        #[cfg(feature = "nats")]
        Some(("nats", matches)) => nats::run(matches),
        Some(("supervise", matches)) => supervise::run(matches),
        Some(("telegraf", matches)) => telegraf::run(matches),
        Some(("worker", matches)) => supervise::work(matches),
        _ => command::exit(parsed.and_then(|matches| run(&matches))),
    }
}

fn command() -> Command {
    let info = command::info_command().args([
        Arg::new("name")
            .long("name")
            .value_name("NAME")
            .help("The name of the UDF in a TICKscript [default: the name of its file]"),
        supervise_info_arg(),
    ]);
    Command::new("udf")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Kapacitor's side of any UDF: describe it, play points to it, check it, measure it")
        .after_help(
            "The UDF is a program, which udf spawns, or a daemon on a Unix socket:\n  \
             udf info -- ./moving_avg\n  \
             udf check -o field=usage -o size=10 -- python3 moving_avg.py\n  \
             udf bench --socket /run/udfs/mirror.sock\n\n\
             udf play opens a page to tune a UDF on.\n\
             udf supervise replaces a UDF that has died, without loss.\n\
             udf telegraf serves Telegraf with a UDF.\n\
             udf nats runs a UDF on several machines.\n\
             udf new begins a UDF in Rust, in a crate of its own.",
        )
        .subcommand_required(true)
        .subcommands(
            [
                info,
                command::replay_command(),
                udf_play::play_command(),
                telegraf::command(),
                check::command(),
                bench::command(),
            ]
            .map(of_a_target),
        )
        .subcommands([
            supervise::command(),
            #[cfg(feature = "nats")]
            nats::command(),
            new::command(),
            generate::completions_command(),
            generate::man_command(),
            supervise::worker_command(),
        ])
}

/// Adds the arguments that select the UDF.
fn of_a_target(command: Command) -> Command {
    let name = command.get_name();
    let usage = match name {
        "replay" | "play" => {
            format!("udf {name} [OPTIONS] FILE (--socket PATH | -- PROGRAM [ARGS]...)")
        }
        "run" => {
            "udf nats run [OPTIONS] --name NAME --group-by TAGS (--socket PATH | -- PROGRAM [ARGS]...)".to_owned()
        }
        _ => format!("udf {name} [OPTIONS] (--socket PATH | -- PROGRAM [ARGS]...)"),
    };
    command
        .override_usage(usage)
        .args([
            Arg::new("socket")
                .long("socket")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("The socket that the UDF listens on"),
            Arg::new("program")
                .value_name("PROGRAM")
                .num_args(1..)
                .last(true)
                .value_parser(value_parser!(OsString))
                .help("The program of the UDF, and its arguments"),
        ])
        .group(ArgGroup::new("target").args(["socket", "program"]).required(true))
}

fn target(matches: &ArgMatches) -> Target {
    if let Some(path) = matches.get_one::<PathBuf>("socket") {
        return Target::Socket(path.clone());
    }
    Target::of_words(matches.get_many("program").into_iter().flatten().cloned())
}

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().expect("clap requires a subcommand");
    match name {
        "new" => return new::run(matches),
        "man" => return generate::man(matches),
        "completions" => return generate::completions(matches),
        _ => {}
    }
    let target = target(matches);
    children::end_with_this_process()
        .map_err(|error| Failure::failed(format!("signals cannot be handled: {error}")))?;
    match name {
        "info" => {
            let is_supervised = is_supervised(matches)?;
            let install = match is_supervised {
                true => supervise::install(&target)?,
                false => target.install(),
            };
            let install = telegraf::install(&target, install, is_supervised)?;
            let info = target.info().map_err(Failure::failed)?;
            let name = matches.get_one::<String>("name").cloned();
            let name = name.unwrap_or_else(|| target.name());
            let description = Description::from_info(name, &info);
            command::info(matches, &description, &install)
        }
        "replay" => command::replay(matches, &target.name(), &[], &|| target.interface()),
        "play" => play(matches, &target),
        "check" => check::run(matches, target),
        _ => bench::run(matches, &target),
    }
}

/// Serves the page to tune a UDF on, whose description is its Info response.
fn play(matches: &ArgMatches, target: &Target) -> Result<(), Failure> {
    let info = target.info().map_err(Failure::failed)?;
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let behind = match target {
        Target::Program { program, args } => {
            let program = [program].into_iter().chain(args).map(text);
            words(&["--"]).into_iter().chain(program).collect()
        }
        Target::Socket(path) => vec!["--socket".to_owned(), path.display().to_string()],
    };
    let words = udf_play::CommandWords { before: words(&["udf"]), behind };
    static LOG: LastLines = LastLines::new();
    let connect = || target.interface_with(|line| LOG.add(line));
    let description = Description::from_info(target.name(), &info);
    udf_play::play(matches, description, words, &connect, &LOG)
}

/// Returns the argument `-o`, for a subcommand that sends an Init.
fn option_arg() -> Arg {
    Arg::new("option")
        .short('o')
        .long("option")
        .value_name("NAME=VALUE")
        .action(ArgAction::Append)
        .help("An option of the UDF; NAME=A,B for two arguments, NAME for a flag")
}

fn options(matches: &ArgMatches) -> Vec<String> {
    matches.get_many("option").unwrap_or_default().cloned().collect()
}

/// Returns the argument `--format`, which selects text for people or JSON for tools.
fn format_arg() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(["text", "json"])
        .default_value("text")
        .help("text for people, json for tools")
}

fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
}
