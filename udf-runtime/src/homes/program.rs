//! The `main` of a UDF's program. Kapacitor can spawn the program, and it runs as a daemon,
//! describes the UDF, and replays files.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use udf_host::command::{self, Failure};
use udf_text::describe::{Description, Install};

use super::args::{self, Daemon};
use super::hangups::Hangups;
use super::systemd::Manager;
use super::{logs, metrics, open_files, own_args, stdio};
use crate::agent::any::AnyHandler;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::own_metrics::Metric;
use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::homes::loopback::loopback;
use crate::server::socket_file::SocketFile;
use crate::server::{AnyAccepter, Server};
use crate::udf::handler::{UdfHandler, UnfitSnapshot};
use crate::udf::shared::resources::{OpenError, Resources, SharedType};
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
    alone(&Program::of::<T>(), &[])
}

/// A UDF that a program runs, without its type.
#[derive(Clone, Copy)]
pub struct Program {
    pub(super) name: &'static str,
    version: Option<&'static str>,
    pub(super) help: fn() -> String,
    pub(super) description: fn() -> Description,
    pub(super) shared: &'static [SharedType],
    metrics: &'static [&'static dyn Metric],
    handler: fn(UnfitSnapshot, &Resources) -> Box<dyn AnyHandler>,
}

impl Program {
    /// Returns the functions of this UDF.
    pub const fn of<T: Udf + 'static>() -> Self {
        Program {
            name: T::NAME,
            version: T::VERSION,
            help: T::help,
            description: description::<T>,
            shared: T::SHARED,
            metrics: T::METRICS,
            handler: |unfit, resources| {
                let handler = UdfHandler::<T>::new().unfit_snapshots(unfit);
                Box::new(handler.resources(resources.clone()))
            },
        }
    }

    /// Returns the command line of the UDF.
    pub(super) fn command(&self) -> Command {
        args::command(self.name, self.version, &(self.help)(), self.shared)
    }

    /// Returns how Kapacitor starts the UDF. `own` are the arguments that select it in its program.
    pub(super) fn install(&self, own: &[&str], matches: &ArgMatches) -> Result<Install, Failure> {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(self.name));
        let socket = Path::new("/run/udfs").join(self.name).with_extension("sock");
        let install = Install {
            program: program.display().to_string(),
            args: own.iter().map(|&arg| arg.to_owned()).collect(),
            socket: socket.display().to_string(),
            ..Install::default()
        };
        own_args::install(install, self.shared, matches)
    }
}

/// Runs a UDF with the arguments of the process.
pub(super) fn alone(program: &Program, own: &[&str]) -> ExitCode {
    let mut command = program.command();
    let help = command.render_help().to_string();
    let parsed = command::parse(command, std::env::args_os());
    end(parsed.and_then(|matches| run(program, &matches, own, &help)))
}

/// Returns the exit status, and prints the failure.
pub(super) fn end(done: Result<(), Failure>) -> ExitCode {
    let (status, last_words) = command::end(done);
    logs::finish(last_words.as_deref());
    status
}

/// Runs a UDF with these arguments.
pub(super) fn run(
    program: &Program,
    matches: &ArgMatches,
    own: &[&str],
    help: &str,
) -> Result<(), Failure> {
    args::check(program.shared, matches)?;
    let is_command = matches.subcommand_name().is_some();
    logs::start(args::level(matches)?, args::has_log_time(matches), is_command)
        .map_err(shortage::of("cannot start the log"))
        .map_err(Failure::failed)?;
    let resources = || own_args::complete(program.shared, matches).map(Resources::new);
    match matches.subcommand() {
        Some(("info", sub)) => {
            command::info(sub, &(program.description)(), &program.install(own, matches)?)
        }
        Some(("replay", sub)) => {
            let resources = resources()?;
            resources.open(program.shared).map_err(not_open)?;
            let handler = || (program.handler)(UnfitSnapshot::default(), &resources);
            command::replay(sub, &|| Box::new(loopback(handler(), OnUnfit::Drop, |_| {})))
        }
        _ => {
            let (limits, unfit) = (args::limits(matches)?, args::unfit(matches));
            match args::daemon(matches) {
                Some(daemon) => serve(program, daemon, limits, unfit, resources()?),
                None if io::stdin().is_terminal() => command::print(help),
                None => spawned(program, &limits, unfit, resources()?),
            }
        }
    }
}

fn not_open(error: OpenError) -> Failure {
    match error {
        OpenError::Argument(error) => Failure::Usage(error.to_string()),
        error => Failure::failed(error),
    }
}

/// Serves Kapacitor, which has spawned this process. Shared things are opened at Init: Kapacitor
/// also spawns the process only to ask for Info, and a refused Init shows the error to the user of
/// the task.
fn spawned(
    program: &Program,
    limits: &Limits,
    unfit: UnfitSnapshot,
    resources: Resources,
) -> Result<(), Failure> {
    let handler = (program.handler)(unfit, &resources);
    if !program.shared.is_empty() {
        Hangups::new().and_then(|hangups| hangups.reload(resources)).map_err(failed)?;
    }
    let stop = Stop::new().and_then(|stop| stop.on_signals().map(|()| stop)).map_err(failed)?;
    let served = stdio::serve(Box::new(handler), limits, &stop);
    served.map_err(|error| Failure::failed(logs::one_line(&error.to_string())))
}

fn serve(
    program: &Program,
    daemon: Daemon,
    limits: Limits,
    unfit: UnfitSnapshot,
    resources: Resources,
) -> Result<(), Failure> {
    let name = program.name;
    // Before shared things are opened, which may take long.
    let hangups = Hangups::new().map_err(failed)?;
    resources.open(program.shared).map_err(not_open)?;
    let accepter: AnyAccepter = {
        let (handler, resources) = (program.handler, resources.clone());
        Box::new(move || Box::new(handler(unfit, &resources)))
    };
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
    for &metric in program.metrics {
        server.metrics().show(metric).map_err(|name| {
            Failure::failed(format!("two metrics of the UDF have the name `{name}`; rename one"))
        })?;
    }
    if let Some(address) = daemon.metrics {
        let served = metrics::serve(address, server.metrics());
        let address = served
            .map_err(shortage::of(&format!("cannot serve metrics at {address}")))
            .map_err(failed)?;
        tracing::info!("serving metrics at http://{address}/metrics");
    }
    server.stop_on_signals().map_err(failed)?;
    hangups.reload(resources).map_err(failed)?;
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
