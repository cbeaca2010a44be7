//! The parts of this process that `udf nats` uses: its log, its metrics, and the program of a UDF.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use udf_host::command::Failure;
use udf_host::{Callbacks, Process, Settings, Socket};

use super::hangups::Hangups;
use super::serve::failed;
use super::telegraf::Target;
use super::{args, flags, front, logs, metrics, serve};
use crate::agent::shortage;
use crate::agent::worker::SUPERVISOR;

/// How long to wait for a daemon.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Adds the arguments of the log to a command that logs with the time.
pub fn logging_args(command: Command) -> Command {
    flags::logging(command).mut_arg("log-time", |arg| arg.hide(true))
}

/// Returns the argument `--metrics`.
pub fn metrics_arg() -> Arg {
    flags::metrics()
}

/// Starts the log on stderr, with the time of each line.
///
/// # Errors
/// Returns an error if the level is invalid, or if there is no thread for the log.
pub fn start_log(matches: &ArgMatches) -> Result<(), Failure> {
    logs::start(args::level(matches)?, logs::Form::Timed, false)
        .map_err(shortage::of("cannot start the log"))
        .map_err(Failure::failed)
}

/// Serves the metrics that `render` returns, if the arguments ask for it.
///
/// # Errors
/// Returns an error if the address cannot be used.
pub fn serve_metrics(
    matches: &ArgMatches,
    render: impl Fn() -> String + Send + 'static,
) -> Result<(), Failure> {
    let Some(&address) = matches.get_one::<SocketAddr>("metrics") else { return Ok(()) };
    let served = metrics::serve(address, Box::new(render));
    let address = served
        .map_err(shortage::of(&format!("cannot serve metrics at {address}")))
        .map_err(failed)?;
    tracing::info!("serving metrics at http://{address}/metrics");
    Ok(())
}

/// Returns the exit status, and prints the failure behind the lines of the log.
pub fn end(done: Result<(), Failure>) -> ExitCode {
    serve::end(done)
}

/// Creates connections with a UDF.
#[derive(Debug, Clone)]
pub struct Connector(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Program { program: OsString, args: Vec<OsString> },
    Socket(std::path::PathBuf),
}

impl Connector {
    /// Checks that the program of a UDF can be started. SIGHUP, which a tool may send to all
    /// processes of a service, has no effect from now on.
    ///
    /// # Errors
    /// Returns an error if the program cannot be run.
    pub fn new(name: &str, target: Target) -> Result<Self, Failure> {
        Hangups::new().and_then(|hangups| hangups.each(|| {})).map_err(failed)?;
        Ok(Connector(match target {
            Target::Program(words) => {
                front::check_program(words.first().map_or(Path::new(""), Path::new))?;
                let program = front::other_program(name.to_owned(), words)?;
                Inner::Program { program: program.program, args: program.args }
            }
            Target::Socket(path) => Inner::Socket(path),
        }))
    }

    /// Creates a connection. A program ends when the thread that opens the connection ends. Lines
    /// that it writes to stderr are logged as they came.
    pub fn connect(&self, settings: Settings) -> Box<dyn udf_host::Interface> {
        let callbacks = Callbacks::new().on_log(logs::pass_on);
        match &self.0 {
            Inner::Program { program, args } => Box::new(
                Process::new(program)
                    .args(args)
                    .env(SUPERVISOR, process::id().to_string())
                    .in_group()
                    .large_pipes()
                    .settings(settings)
                    .callbacks(callbacks),
            ),
            Inner::Socket(path) => Box::new(
                Socket::new(path)
                    .connect_within(CONNECT_WITHIN)
                    .settings(settings)
                    .callbacks(callbacks),
            ),
        }
    }
}
