//! Serves Telegraf with the UDF of this process, with a supervised UDF, or with another program.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use udf_host::command::{self, Failure};
use udf_host::replay::Connect;
use udf_host::telegraf::{END_WITHIN, Ends, Event, Level};
use udf_host::{Callbacks, Loopback, Process, Settings, Socket};

use super::hangups::Hangups;
use super::loopback::InProcess;
use super::serve::{self, failed};
use super::{args, flags, front, logs, supervision};
use crate::agent::allowance::Allowance;
use crate::agent::any::AnyHandler;
use crate::agent::input::{Input, Source};
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::run::Agent;
use crate::agent::service::{self, Opened, Service};
use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::agent::transport;
use crate::agent::worker::SUPERVISOR;
use crate::supervise::{Program, Supervision};

/// The time of a UDF between an error and its end, in which it can report the reason. The whole end
/// of the process is short.
const ABORT_WITHIN: Duration = Duration::from_millis(500);

/// How long to wait for a daemon. While Telegraf waits, it drops metrics.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Returns the subcommand of `udf`, without the arguments that select the UDF.
pub fn telegraf_command() -> Command {
    flags::logging(supervision::telegraf_command()).mut_arg("log-time", |arg| arg.hide(true))
}

/// Returns the limits of a UDF that serves Telegraf: the host drops what line protocol cannot
/// express, and waits for Telegraf.
pub(super) fn limits() -> Limits {
    Limits { hangup: None, ..Limits::default() }.unfit_points(OnUnfit::Send)
}

/// Serves Telegraf with a UDF of this process.
pub(super) fn of_this_process(
    matches: &ArgMatches,
    name: &str,
    handler: &dyn Fn() -> Box<dyn AnyHandler>,
) -> Result<(), Failure> {
    serve(matches, name, &|| Box::new(loopback(handler())))
}

/// Serves Telegraf with workers of this program. SIGHUP replaces the worker by one of the present
/// program.
pub(super) fn supervised(matches: &ArgMatches, program: Program) -> Result<(), Failure> {
    supervision::check(matches)?;
    let hangups = Hangups::new().map_err(failed)?;
    let name = program.name.clone();
    let supervision = Supervision::new(program, supervision::settings(matches)).map_err(failed)?;
    let upgraded = supervision.clone();
    hangups.each(move || upgraded.upgrade()).map_err(failed)?;
    serve(matches, &name, &|| Box::new(supervisor(supervision.front())))
}

/// The UDF that `udf telegraf` runs.
#[derive(Debug)]
pub enum Target {
    /// A program and its arguments.
    Program(Vec<OsString>),
    /// A daemon that listens at this path.
    Socket(PathBuf),
}

/// Runs `udf telegraf`: serves Telegraf with a UDF in any language.
pub fn telegraf(matches: &ArgMatches, name: String, target: Target) -> ExitCode {
    let run = || {
        logs::start(args::level(matches)?, logs::Form::Telegraf, false)
            .map_err(shortage::of("cannot start the log"))
            .map_err(Failure::failed)?;
        let is_supervised = matches.get_flag("supervise");
        match target {
            Target::Program(words) => {
                front::check_program(words.first().map_or(Path::new(""), Path::new))?;
                let program = front::other_program(name.clone(), words)?;
                if is_supervised {
                    return supervised(matches, program);
                }
                ignore_hangups()?;
                serve(matches, &name, &|| Box::new(process(&program)))
            }
            Target::Socket(_) if is_supervised => Err(Failure::Usage(
                "--supervise needs the program of the UDF, because a supervisor starts it; write \
                 `udf telegraf --supervise -- PROGRAM`"
                    .to_owned(),
            )),
            Target::Socket(path) => {
                ignore_hangups()?;
                serve(matches, &name, &|| {
                    let socket = Socket::new(&path).connect_within(CONNECT_WITHIN);
                    Box::new(socket.settings(settings()).callbacks(callbacks()))
                })
            }
        }
    };
    serve::end(run().map_err(Failure::for_telegraf))
}

/// Ignores SIGHUP, which a tool may send to all processes of Telegraf.
fn ignore_hangups() -> Result<(), Failure> {
    Hangups::new().and_then(|hangups| hangups.each(|| {})).map_err(failed)
}

fn settings() -> Settings {
    Settings::default().abort_within(ABORT_WITHIN).close_within(END_WITHIN)
}

fn callbacks() -> Callbacks {
    Callbacks::new().on_log(logs::pass_on)
}

/// Connects to a handler on a thread of this process.
fn loopback(handler: Box<dyn AnyHandler>) -> Loopback {
    let udf = Loopback::new(move |reader, writer| {
        let _entered = span().entered();
        let limits = limits();
        let allowance = Allowance::of_process(&limits);
        let transport = Box::new(InProcess(writer.cutter()));
        let agent = Agent::of_any(Box::new(reader), Box::new(writer), handler);
        Ok(agent.limits(&limits, transport, &allowance).run()?)
    });
    udf.settings(settings())
}

/// Connects to a supervisor on a thread of this process, which waits for descriptors.
fn supervisor(service: Box<dyn Service>) -> Loopback {
    let udf = Loopback::over_socket(move |reader, writer| {
        let _entered = span().entered();
        let limits = limits();
        let allowance = Allowance::of_process(&limits);
        let socket = Source::new(writer.as_fd().try_clone_to_owned()?.into(), &allowance);
        // Requested by nobody: the end of the input ends the service.
        let stop = Stop::new()?;
        let ends = service::Ends {
            reader: Box::new(Input::new(Arc::clone(&socket), stop.stopping())),
            writer: Box::new(writer),
            transport: Box::new(transport::Socket(socket)),
            stopping: stop.stopping(),
        };
        let Opened { run, .. } = service.open(ends, &limits, &allowance);
        let ended = run();
        // Its drop ends the reading from the socket.
        drop(reader);
        Ok(ended?)
    });
    udf.settings(settings())
}

fn span() -> tracing::Span {
    let empty = tracing::field::Empty;
    tracing::error_span!("connection", task = empty, node = empty)
}

/// Connects to a program that this process starts. It ends with this process, and signals for the
/// group of Telegraf do not reach it.
fn process(program: &Program) -> Process {
    Process::new(&program.program)
        .args(&program.args)
        .env(SUPERVISOR, process::id().to_string())
        .in_group()
        .settings(settings())
        .callbacks(callbacks())
}

/// Serves Telegraf on stdin and stdout until the end of stdin.
fn serve(matches: &ArgMatches, name: &str, connect: Connect<'_>) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        tracing::info!("reading line protocol from the terminal; Ctrl+D ends it");
    }
    let ends = ends().map_err(shortage::of("stdin and stdout cannot be used"));
    let summary = command::telegraf(matches, name, connect, ends.map_err(failed)?, log)?;
    tracing::info!(
        "{name} has ended: {} points in, {} points out, {} lines skipped, {} points dropped",
        summary.points_in,
        summary.points_out,
        summary.skipped,
        summary.unwritable
    );
    Ok(())
}

/// Takes stdin and stdout. From now on, everything that the UDF prints goes to stderr, and its stdin
/// is empty.
fn ends() -> io::Result<Ends> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(Ends { stdin, stdout, signal: signal()? })
}

/// Returns a descriptor that is readable once SIGTERM or SIGINT has come. The signals have no other
/// effect: Telegraf and its service manager send more than one, and the process ends in time.
fn signal() -> io::Result<OwnedFd> {
    let (reader, writer) = io::pipe()?;
    pipe::register(SIGTERM, writer.try_clone()?)?;
    pipe::register(SIGINT, writer)?;
    Ok(reader.into())
}

/// Logs an event. Each kind of event has its own limit of lines.
fn log(event: &Event<'_>) {
    match (event, event.level()) {
        (Event::BadLine(_), _) => tracing::warn!("{event}"),
        (Event::CutLine { .. }, _) => tracing::warn!("{event}"),
        (Event::Ahead { .. }, _) => tracing::warn!("{event}"),
        (Event::TooLarge { .. }, _) => tracing::warn!("{event}"),
        (Event::Late { .. }, _) => tracing::warn!("{event}"),
        (Event::Unwritable(_), _) => tracing::warn!("{event}"),
        (Event::NotFinite(_), _) => tracing::warn!("{event}"),
        (_, Level::Error) => tracing::error!("{event}"),
        (_, Level::Warn) => tracing::warn!("{event}"),
        (_, Level::Info) => tracing::info!("{event}"),
    }
}
