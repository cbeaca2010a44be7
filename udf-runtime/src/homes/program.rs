//! The `main` of a UDF's program. Kapacitor can spawn the program, and it runs as a daemon,
//! describes the UDF, and replays files.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;
use udf_host::Loopback;
use udf_host::command::{self, Failure};
use udf_text::describe::{Description, Install};

use super::args::{self, Daemon};
use super::systemd::Manager;
use super::{logs, metrics, open_files, stdio};
use crate::agent::any::AnyHandler;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::homes::loopback::loopback;
use crate::server::socket_file::SocketFile;
use crate::server::{AnyAccepter, Server};
use crate::udf::handler::{UdfHandler, UnfitSnapshot};
use crate::udf::traits::Udf;

/// Runs the UDF `T` with the arguments of the process. An author's `main` is this one line.
///
/// | arguments | effect |
/// | --- | --- |
/// | none | serves Kapacitor on stdin and stdout; on a terminal, it prints its help instead |
/// | `--socket PATH` | runs as a daemon, on a Unix socket |
/// | `info` | describes the UDF and its installation |
/// | `replay FILE` | sends points of a file to the UDF as Kapacitor would, and prints the output |
///
/// Logs go to stderr, one line each. The exit status is 0 on success, 1 on a failure, and 2 on
/// wrong usage. Stderr names a failure in one line.
///
/// ```no_run
/// use std::process::ExitCode;
/// use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};
///
/// /// Sends every point back as it came.
/// #[udf(wants = stream, provides = stream)]
/// struct Mirror {}
///
/// impl StreamUdf for Mirror {
///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
///         Ok(out.pass(point)?)
///     }
/// }
///
/// fn main() -> ExitCode {
///     udf_runtime::main::<Mirror>()
/// }
/// ```
pub fn main<T: Udf + 'static>() -> ExitCode {
    run(&Program {
        name: T::NAME,
        version: T::VERSION,
        help: T::help,
        description: description::<T>,
        handler: |unfit| Box::new(UdfHandler::<T>::new().unfit_snapshots(unfit)),
        loopback: || loopback(UdfHandler::<T>::new(), OnUnfit::Drop, |_| {}),
    })
}

/// A UDF that a program runs, without its type.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) version: Option<&'static str>,
    pub(super) help: fn() -> String,
    description: fn() -> Description,
    handler: fn(UnfitSnapshot) -> Box<dyn AnyHandler>,
    loopback: fn() -> Loopback,
}

fn run(program: &Program) -> ExitCode {
    let mut command = args::command(program);
    let help = command.render_help();
    let done = command::parse(command, std::env::args_os()).and_then(|matches| {
        args::check(&matches)?;
        let is_command = matches.subcommand_name().is_some();
        logs::start(args::level(&matches)?, args::has_log_time(&matches), is_command)
            .map_err(shortage::of("cannot start the log"))
            .map_err(Failure::failed)?;
        match matches.subcommand() {
            Some(("info", matches)) => {
                command::info(matches, &(program.description)(), &install(program.name))
            }
            Some(("replay", matches)) => {
                command::replay(matches, &|| Box::new((program.loopback)()))
            }
            _ => {
                let (limits, unfit) = (args::limits(&matches)?, args::unfit(&matches));
                let handler = program.handler;
                match args::daemon(&matches) {
                    Some(daemon) => {
                        serve(program.name, daemon, limits, Box::new(move || handler(unfit)))
                    }
                    None if io::stdin().is_terminal() => command::print(&help.to_string()),
                    None => spawned(handler(unfit), &limits),
                }
            }
        }
    });
    let (status, last_words) = command::end(done);
    logs::finish(last_words.as_deref());
    status
}

/// Serves Kapacitor, which has spawned this process.
fn spawned(handler: Box<dyn AnyHandler>, limits: &Limits) -> Result<(), Failure> {
    let stop = Stop::new().and_then(|stop| stop.on_signals().map(|()| stop)).map_err(failed)?;
    let served = stdio::serve(handler, limits, &stop);
    served.map_err(|error| Failure::failed(logs::one_line(&error.to_string())))
}

fn serve(name: &str, daemon: Daemon, limits: Limits, accepter: AnyAccepter) -> Result<(), Failure> {
    open_files::raise(limits.connections);
    let (listener, file, place) = if let Some(path) = daemon.path {
        let (listener, file) = SocketFile::bind(&path, &daemon.options).map_err(failed)?;
        (listener, Some(file), path.display().to_string())
    } else {
        let listener = super::systemd::listener();
        let listener = listener.map_err(|why| Failure::Usage(format!("--systemd: {why}")))?;
        (listener, None, "the socket of systemd".to_owned())
    };
    let mut server = Server::with(listener, accepter)
        .map_err(failed)?
        .limits(limits)
        .allowed_users(daemon.allowed_users);
    if let Some(file) = file {
        server = server.file(file);
    }
    if let Some(address) = daemon.metrics {
        let served = metrics::serve(address, server.metrics());
        let address = served
            .map_err(shortage::of(&format!("cannot serve metrics at {address}")))
            .map_err(failed)?;
        tracing::info!("serving metrics at http://{address}/metrics");
    }
    server.stop_on_signals().map_err(failed)?;
    ignore_hangups().map_err(failed)?;
    let listens = format!("{name} listens on {place}");
    tracing::info!("{listens}");
    server.serve_under(Manager::new(&listens)).map_err(failed)?;
    tracing::info!("{name} has stopped");
    Ok(())
}

/// Creates a failure from this error, with the limit to raise if a resource is exhausted.
fn failed(error: impl std::error::Error + 'static) -> Failure {
    Failure::failed(shortage::text(&error))
}

/// Ignores SIGHUP: a closed terminal, or a tool that tells every daemon to reload, must not stop
/// the tasks.
fn ignore_hangups() -> io::Result<()> {
    let signals = Signals::new([SIGHUP]);
    let mut signals = signals.map_err(shortage::of("SIGHUP cannot be handled"))?;
    let started = thread::Builder::new().name("hangups".to_owned()).spawn(move || {
        for _ in &mut signals {
            tracing::info!("SIGHUP: ignored, there is nothing to reload; SIGTERM stops the daemon");
        }
    });
    started.map_err(shortage::of("cannot start the thread that waits for SIGHUP"))?;
    Ok(())
}

fn description<T: Udf>() -> Description {
    Description {
        name: T::NAME.to_owned(),
        help: T::help(),
        wants: <T::Wants as crate::agent::edge::Edge>::TYPE,
        provides: <T::Provides as crate::agent::edge::Edge>::TYPE,
        options: T::options(),
        complete: true,
    }
}

fn install(name: &str) -> Install {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(name));
    let socket = Path::new("/run/udfs").join(name).with_extension("sock");
    Install {
        program: program.display().to_string(),
        args: Vec::new(),
        socket: socket.display().to_string(),
    }
}
