//! The `main` of a UDF's program. Kapacitor can spawn the program, and it runs as a daemon,
//! describes the UDF, and replays files.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, Command};
#[cfg(feature = "plot")]
use udf_host::Settings;
use udf_host::command::{self, Failure};
use udf_text::describe::{Description, Install};

use super::args::{self, Daemon};
use super::flags::is_given;
use super::hangups::Hangups;
use super::serve::{self, Served, failed};
use super::{front, logs, own_args, supervision, telegraf};
use crate::agent::any::AnyHandler;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::own_metrics::Metric;
use crate::agent::shortage;
use crate::agent::worker;
use crate::homes::loopback::loopback;
use crate::server::AnyAccepter;
use crate::udf::handler::UdfHandler;
use crate::udf::restore::UnfitSnapshot;
use crate::udf::shared::resources::{OpenError, Resources, SharedType};
use crate::udf::traits::Udf;

/// The grace period of a run that a change on the page of `play` aborts.
#[cfg(feature = "plot")]
const ABORT_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

/// Runs the UDF `T` with the arguments of the process. An author's `main` is this one line.
///
/// | arguments | effect |
/// | --- | --- |
/// | none | serves Kapacitor on stdin and stdout; on a terminal, it prints its help instead |
/// | `--socket PATH` | runs as a daemon, on a Unix socket |
/// | `--supervise` | runs each connection in a process of its own, which is replaced without loss when it dies |
/// | `info` | describes the UDF and its installation |
/// | `replay FILE` | sends points of a file to the UDF as Kapacitor would, and prints the output; `--plot` draws it |
/// | `play FILE` | serves a page to tune the options on, with the feature `plot` |
/// | `telegraf` | serves Telegraf, as a program of `processors.execd` |
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

    /// Returns the UDF for a daemon.
    pub(super) fn served(&self, unfit: UnfitSnapshot, resources: &Resources) -> Served<'static> {
        let (handler, resources) = (self.handler, resources.clone());
        let accepter: AnyAccepter = Box::new(move || Box::new(handler(unfit, &resources)));
        Served { name: self.name, accepter, metrics: self.metrics, descriptors: 1 }
    }

    /// Returns the names of the options that a picture must not show.
    #[cfg(feature = "plot")]
    fn secrets(&self) -> Vec<String> {
        (self.description)().secrets()
    }

    #[cfg(not(feature = "plot"))]
    fn secrets(&self) -> [String; 0] {
        []
    }

    /// Returns how Kapacitor starts the UDF. `own` are the arguments that select it in its program.
    pub(super) fn install(
        &self,
        own: &[&str],
        matches: &ArgMatches,
        is_supervised: bool,
    ) -> Result<Install, Failure> {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(self.name));
        let socket = Path::new("/run/udfs").join(self.name).with_extension("sock");
        let (program, socket) = (program.display().to_string(), socket.display().to_string());
        let supervise = is_supervised.then_some("--supervise");
        let args: Vec<_> = own.iter().copied().chain(supervise).map(str::to_owned).collect();
        let on_socket = ["--socket".to_owned(), socket.clone()];
        let daemon = [&[program.clone()][..], &args, &on_socket].concat();
        let words = own.iter().copied().chain(["telegraf"]).chain(supervise).map(str::to_owned);
        let telegraf = [program.clone()].into_iter().chain(words).collect();
        let install = Install { program, args, socket, daemon, telegraf, ..Install::default() };
        own_args::install(install, self.shared, matches)
    }
}

#[cfg(feature = "plot")]
impl Program {
    /// Returns the command line that starts the UDF again, with the name of the program as the user
    /// typed it.
    fn words(&self, own: &[&str], matches: &ArgMatches) -> Result<udf_play::CommandWords, Failure> {
        let typed = std::env::args_os().next().unwrap_or_else(|| self.name.into());
        let mut before = vec![typed.to_string_lossy().into_owned()];
        before.extend(self.install(own, matches, false)?.args);
        Ok(udf_play::CommandWords { before, behind: Vec::new() })
    }
}

/// Runs a UDF with the arguments of the process.
pub(super) fn alone(program: &Program, own: &[&str]) -> ExitCode {
    let mut command = program.command();
    let help = command.render_help().to_string();
    let parsed = command::parse(command, std::env::args_os());
    serve::end(parsed.and_then(|matches| run(program, &matches, own, &help)))
}

/// Runs a UDF with these arguments.
pub(super) fn run(
    program: &Program,
    matches: &ArgMatches,
    own: &[&str],
    help: &str,
) -> Result<(), Failure> {
    let ran = run_with(program, matches, own, help);
    let is_for_telegraf = matches.subcommand_name() == Some("telegraf");
    if is_for_telegraf { ran.map_err(Failure::for_telegraf) } else { ran }
}

fn run_with(
    program: &Program,
    matches: &ArgMatches,
    own: &[&str],
    help: &str,
) -> Result<(), Failure> {
    args::check(program.shared, matches)?;
    let is_command = matches!(matches.subcommand_name(), Some("info" | "replay" | "play"));
    logs::start(args::level(matches)?, args::log_form(matches), is_command)
        .map_err(shortage::of("cannot start the log"))
        .map_err(Failure::failed)?;
    let resources = || own_args::complete(program.shared, matches).map(Resources::new);
    match matches.subcommand() {
        Some(("info", sub)) => {
            let install = program.install(own, matches, supervision::is_asked(sub)?)?;
            command::info(sub, &(program.description)(), &install)
        }
        Some(("replay", sub)) => {
            let resources = resources()?;
            resources.open(program.shared).map_err(not_open)?;
            let handler = || (program.handler)(UnfitSnapshot::default(), &resources);
            let connect = || Box::new(loopback(handler(), OnUnfit::Drop, |_| {})) as _;
            command::replay(sub, program.name, &program.secrets(), &connect)
        }
        #[cfg(feature = "plot")]
        Some(("play", sub)) => {
            let resources = resources()?;
            resources.open(program.shared).map_err(not_open)?;
            let handler = || (program.handler)(UnfitSnapshot::default(), &resources);
            let words = program.words(own, matches)?;
            static LOG: udf_play::LastLines = udf_play::LastLines::new();
            logs::listen(|line| LOG.add(line));
            let connect = || {
                let udf = loopback(handler(), OnUnfit::Drop, |_| {});
                Box::new(udf.settings(Settings::default().abort_within(ABORT_WITHIN))) as _
            };
            udf_play::play(sub, (program.description)(), words, &connect, &LOG)
        }
        Some(("telegraf", sub)) if !worker::is_worker() => {
            let resources = resources()?;
            if sub.get_flag("supervise") {
                return telegraf::supervised(sub, front::own_program(program.name, own)?);
            }
            // Before shared things are opened, which may take long.
            let hangups = Hangups::new().map_err(failed)?;
            resources.open(program.shared).map_err(not_open)?;
            hangups.reload(resources.clone()).map_err(failed)?;
            telegraf::of_this_process(sub, program.name, &|| {
                (program.handler)(UnfitSnapshot::default(), &resources)
            })
        }
        _ => {
            let limits = match matches.subcommand_name() {
                Some("telegraf") => telegraf::limits(),
                _ => args::limits(matches)?.unfit_points(args::unfit_points(matches)),
            };
            let unfit = args::unfit(matches);
            match args::daemon(matches) {
                // The arguments are those of its supervisor, which serves Kapacitor.
                _ if worker::is_worker() => spawned(program, &limits, unfit, resources()?),
                _ if matches.get_flag("worker") => Err(front::no_supervisor()),
                _ if matches.get_flag("supervise") => supervised(program, matches, own, help),
                Some(settings) => daemon(program, settings, limits, unfit, resources()?),
                None if io::stdin().is_terminal() => command::print(help),
                None => spawned(program, &limits, unfit, resources()?),
            }
        }
    }
}

pub(super) fn not_open(error: OpenError) -> Failure {
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
    // A supervisor reloads by a new worker.
    if !program.shared.is_empty() && !worker::is_worker() {
        Hangups::new().and_then(|hangups| hangups.reload(resources)).map_err(failed)?;
    }
    serve::spawned(Box::new(handler), limits)
}

/// Serves as a daemon, with shared things that are opened at the start.
fn daemon(
    program: &Program,
    daemon: Daemon,
    limits: Limits,
    unfit: UnfitSnapshot,
    resources: Resources,
) -> Result<(), Failure> {
    // Before shared things are opened, which may take long.
    let hangups = Hangups::new().map_err(failed)?;
    resources.open(program.shared).map_err(not_open)?;
    let served = program.served(unfit, &resources);
    serve::daemon(program.name, vec![served], daemon, limits, move || hangups.reload(resources))
}

/// Serves with a supervisor in this process, and with this program as its workers.
fn supervised(
    program: &Program,
    matches: &ArgMatches,
    own: &[&str],
    help: &str,
) -> Result<(), Failure> {
    // Each worker opens the shared things itself. A missing argument fails the start.
    own_args::complete(program.shared, matches)?;
    if !program.metrics.is_empty() && is_given(matches, "metrics") {
        tracing::warn!(
            "--metrics does not show the UDF's own metrics with --supervise: its workers count them"
        );
    }
    front::serve(front::own_program(program.name, own)?, matches, help)
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
