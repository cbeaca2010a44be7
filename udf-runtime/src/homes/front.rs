//! Serves Kapacitor with a supervisor, which runs each connection in a worker.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;

use clap::{ArgMatches, Command};
use rustix::fs::{Access, access};
use udf_host::command::{self, Failure};
use udf_host::settings::Logger;

use super::hangups::Hangups;
use super::serve::{self, Served, failed};
use super::{args, flags, logs, open_files, supervision};
use crate::agent::{shortage, worker};
use crate::supervise::{Program, Supervision};

/// The maximum number of descriptors of a connection: the socket, four of the worker and one to
/// wake its thread, four of another worker during an upgrade, and two of a saved checkpoint.
const DESCRIPTORS: u64 = 12;

/// Returns this program as the program of its workers. `own` are the arguments that select the UDF
/// in the program, if a link has selected it.
pub(super) fn own_program(name: &str, own: &[&str]) -> Result<Program, Failure> {
    let mut given = env::args_os().skip(1).peekable();
    let mut args: Vec<OsString> = own.iter().map(OsString::from).collect();
    // The command line begins with the same arguments if no link has selected the UDF.
    if given.peek() == args.first() {
        given.next();
    }
    // Right behind these, because the last argument may be `--`.
    args.push("--worker".into());
    args.extend(given);
    Ok(Program {
        program: own_path().map_err(no_path)?.into(),
        args,
        name: name.to_owned(),
        log: log(),
    })
}

/// Returns the path of this program. The path stays the same when the file is replaced.
///
/// The system resolves links. But a link that is changed to a new version must lead there, so the
/// path that the program was started by comes first.
pub fn own_path() -> io::Result<PathBuf> {
    let own = env::current_exe()?;
    let started_by = env::args_os().next().map(PathBuf::from);
    let started_by = started_by.filter(|path| path.as_os_str().as_encoded_bytes().contains(&b'/'));
    Ok(match started_by.map(std::path::absolute) {
        Some(Ok(path)) if fs::canonicalize(&path).is_ok_and(|found| found == own) => path,
        _ => own,
    })
}

/// Returns the function that gets the lines of a worker's stderr.
fn log() -> Option<Logger> {
    Some(Arc::new(logs::pass_on))
}

/// Serves with workers of this program, as a daemon or over stdin and stdout.
pub(super) fn serve(program: Program, matches: &ArgMatches, help: &str) -> Result<(), Failure> {
    let limits = args::limits(matches)?;
    let name = program.name.clone();
    let daemon = args::daemon(matches);
    if daemon.is_none() && io::stdin().is_terminal() {
        return command::print(help);
    }
    let hangups = Hangups::new().map_err(failed)?;
    let supervision = Supervision::new(program, supervision::settings(matches)).map_err(failed)?;
    let upgrades = {
        let supervision = supervision.clone();
        move || hangups.each(move || supervision.upgrade())
    };
    match daemon {
        Some(daemon) => {
            let accepter = Box::new(move || supervision.front());
            let served = Served { name: &name, accepter, metrics: &[], descriptors: DESCRIPTORS };
            serve::daemon(&name, vec![served], daemon, limits, upgrades)
        }
        None => {
            upgrades().map_err(failed)?;
            serve::spawned(supervision.front(), &limits)
        }
    }
}

/// Returns the arguments of `udf supervise`, without the program of the UDF.
pub fn supervise_command() -> Command {
    let command = flags::logging(flags::serving(Command::new("supervise")));
    let busy = "Replace a worker that makes no progress for this time; 0s for no limit";
    command.args(supervision::settings_args()).mut_arg("busy-budget", |arg| arg.help(busy))
}

/// Runs `udf supervise`: serves with workers that are this program, run as `udf worker` with the
/// program and arguments of the UDF. On a terminal, prints `help`.
pub fn supervise(matches: &ArgMatches, name: String, udf: Vec<OsString>, help: &str) -> ExitCode {
    let run = || {
        args::check_serving(matches)?;
        supervision::check(matches)?;
        check_program(udf.first().map_or(Path::new(""), Path::new))?;
        logs::start(args::level(matches)?, args::log_form(matches), false)
            .map_err(shortage::of("cannot start the log"))
            .map_err(Failure::failed)?;
        serve(other_program(name, udf)?, matches, help)
    };
    serve::end(run())
}

/// Returns another program as the program of the workers: `udf worker` with its words.
pub(super) fn other_program(name: String, udf: Vec<OsString>) -> Result<Program, Failure> {
    let program = own_path().map_err(no_path)?.into();
    let mut args = vec![OsString::from("worker")];
    if let Some(soft) = open_files::soft() {
        args.push(format!("--open-files={soft}").into());
    }
    args.push("--".into());
    args.extend(udf);
    Ok(Program { program, args, name, log: log() })
}

/// Checks that the program can be started, so that a wrong path does not show only with the first
/// task.
pub(super) fn check_program(program: &Path) -> Result<(), Failure> {
    let found = fs::metadata(program).and_then(|file| match file.is_file() {
        true => Ok(access(program, Access::EXEC_OK)?),
        false => Err(io::Error::other("it is not a file")),
    });
    found.map_err(|error| {
        Failure::Usage(format!("cannot run the UDF {}: {error}", program.display()))
    })
}

/// Runs `udf worker`: becomes the program of a UDF that ends with its supervisor. `open_files` is
/// the soft limit that the supervisor has raised.
pub fn work(udf: &[OsString], open_files: Option<u64>) -> ExitCode {
    let run = || {
        let [program, args @ ..] = udf else { return Err(no_supervisor()) };
        if !worker::follow_supervisor() {
            return Err(no_supervisor());
        }
        // The limit was in force before, so this cannot fail for good reasons.
        let _ = open_files.map(open_files::lower);
        // The signal at the end of the supervisor survives this.
        let error = process::Command::new(program).args(args).exec();
        Err(Failure::failed(format!("cannot run {}: {error}", Path::new(program).display())))
    };
    command::exit(run())
}

/// Returns the error of a worker without a supervisor.
pub(super) fn no_supervisor() -> Failure {
    Failure::failed("this process is not the worker of a supervisor, or its supervisor has died")
}

fn no_path(error: io::Error) -> Failure {
    Failure::failed(format!("cannot find the file of this program: {error}"))
}
