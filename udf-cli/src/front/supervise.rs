//! The subcommand `udf supervise`: runs a UDF in processes that are replaced without loss when they
//! die.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use udf_host::command::Failure;
use udf_runtime::__private as runtime;
use udf_text::describe::Install;

use crate::Target;
use crate::target::found;

pub(super) fn command() -> Command {
    runtime::supervise_command()
        .about("Run the UDF in a process that is restarted without loss when it dies")
        .long_about(
            "Run the UDF in a process that is restarted without loss when it dies.\n\n\
             Kapacitor speaks with udf, as the program of the UDF or as a daemon, and never notices that the \
             process of the UDF was replaced. udf takes snapshots of the UDF, keeps the input since the last one, and \
             replays it to the new process. Output that Kapacitor already has is left out. Each connection has \
             its own process.",
        )
        .after_help(
            "Without --socket and --systemd, it serves Kapacitor over stdin and stdout. Kapacitor spawns it this way.\n\
             `udf info --supervise -- PROGRAM` prints the section of kapacitor.conf.\n\
             SIGHUP replaces the processes of the UDF by new ones of the present program.",
        )
        .override_usage("udf supervise [OPTIONS] -- PROGRAM [ARGS]...")
        .arg(program_arg())
}

pub(super) fn worker_command() -> Command {
    let open_files = Arg::new("open-files").long("open-files").value_parser(value_parser!(u64));
    Command::new("worker").hide(true).args([open_files, program_arg()])
}

fn program_arg() -> Arg {
    Arg::new("program")
        .value_name("PROGRAM")
        .num_args(1..)
        .last(true)
        .required(true)
        .value_parser(value_parser!(OsString))
        .help("The program of the UDF, and its arguments")
}

fn udf(matches: &ArgMatches) -> Vec<OsString> {
    matches.get_many("program").into_iter().flatten().cloned().collect()
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let mut udf = udf(matches);
    let target = Target::of_words(udf.clone());
    // The path stays the same while the program of that path is replaced.
    udf[0] = found(&udf[0]).into();
    let mut command = super::command();
    command.build();
    let help = command.find_subcommand_mut("supervise").map(Command::render_help);
    runtime::supervise(matches, target.name(), udf, &help.unwrap_or_default().to_string())
}

pub(super) fn work(matches: &ArgMatches) -> ExitCode {
    runtime::work(&udf(matches), matches.get_one("open-files").copied())
}

/// Returns how Kapacitor starts the UDF with a supervisor.
pub(super) fn install(target: &Target) -> Result<Install, Failure> {
    if let Target::Socket(_) = target {
        return Err(Failure::Usage(
            "--supervise needs the program of the UDF, because a supervisor starts it; write \
             `udf info --supervise -- PROGRAM`"
                .to_owned(),
        ));
    }
    let udf = runtime::own_path().map_err(|error| {
        Failure::failed(format!("cannot find the file of this program: {error}"))
    })?;
    let Install { program, args, .. } = target.install();
    let udf = udf.display().to_string();
    let socket = format!("/run/udfs/{}.sock", target.name());
    let words = |own: &[&str]| -> Vec<_> {
        let own = own.iter().copied().chain(["--", &program]).map(str::to_owned);
        own.chain(args.iter().cloned()).collect()
    };
    Ok(Install {
        args: words(&["supervise"]),
        daemon: words(&[&udf, "supervise", "--socket", &socket]),
        program: udf,
        socket,
        ..Install::default()
    })
}
