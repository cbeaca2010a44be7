//! The `main` of a UDF's program: one binary that Kapacitor spawns, that runs as a daemon, that says what it
//! is, and that plays a file.

mod args;
mod logs;
mod stdio;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use udf_host::Loopback;
use udf_host::command::{self, Failure};
use udf_host::describe::{Description, Install};

use self::args::Daemon;
use crate::udf_handler::Reads;
use crate::{Agent, Server, SocketFile, Udf, UdfHandler};

/// Runs the UDF `T` as its arguments say; an author's `main` is this one line.
///
/// | arguments | what it does |
/// | --- | --- |
/// | none | speaks with Kapacitor on stdin and stdout; on a terminal, it shows its help instead |
/// | `--socket PATH` | runs as a daemon, on a Unix socket |
/// | `info` | says what the UDF is, and how it is installed |
/// | `replay FILE` | plays line protocol to the UDF as Kapacitor would, and prints what comes back |
///
/// Logs go to stderr, a line each. The exit status is 0 on success, 1 on a failure, which stderr names in one
/// line, and 2 on wrong usage.
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
pub fn main<T: Udf>() -> ExitCode
where
    T::Wants: Reads<T>,
{
    let mut command = args::command(T::NAME, T::HELP);
    let help = command.render_help();
    command::exit(command::parse(command, std::env::args_os()).and_then(|matches| {
        logs::start(args::level(&matches)?);
        match matches.subcommand() {
            Some(("info", matches)) => command::info(matches, &description::<T>(), &install::<T>()),
            Some(("replay", matches)) => command::replay(matches, &|| Box::new(loopback::<T>())),
            _ => match args::daemon(&matches)? {
                Some(daemon) => serve::<T>(daemon),
                None if io::stdin().is_terminal() => command::print(&help.to_string()),
                None => stdio::serve(UdfHandler::<T>::new(), &args::limits(&matches))
                    .map_err(Failure::failed),
            },
        }
    }))
}

/// The UDF in this process, spoken with over the real protocol.
fn loopback<T: Udf>() -> Loopback
where
    T::Wants: Reads<T>,
{
    Loopback::new(|reader, writer| Ok(Agent::new(reader, writer, UdfHandler::<T>::new()).run()?))
}

fn serve<T: Udf>(daemon: Daemon) -> Result<(), Failure>
where
    T::Wants: Reads<T>,
{
    let Daemon { path, options, limits, allowed_users } = daemon;
    let (listener, file) = SocketFile::bind(&path, &options).map_err(Failure::failed)?;
    let server = Server::new(listener, UdfHandler::<T>::new)
        .map_err(Failure::failed)?
        .with_file(file)
        .with_limits(limits)
        .with_allowed_users(allowed_users);
    server.stop_on_signals().map_err(Failure::failed)?;
    tracing::info!("{} listens on {}", T::NAME, path.display());
    server.serve().map_err(Failure::failed)?;
    tracing::info!("{} has stopped", T::NAME);
    Ok(())
}

fn description<T: Udf>() -> Description {
    Description {
        name: T::NAME.to_owned(),
        help: T::HELP.to_owned(),
        wants: <T::Wants as crate::Edge>::TYPE,
        provides: <T::Provides as crate::Edge>::TYPE,
        options: T::options(),
        complete: true,
    }
}

fn install<T: Udf>() -> Install {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(T::NAME));
    let socket = Path::new("/run/udfs").join(T::NAME).with_extension("sock");
    Install {
        program: program.display().to_string(),
        args: Vec::new(),
        socket: socket.display().to_string(),
    }
}

/// The arguments that concern a connection or a daemon, as they were given.
fn text<'m>(matches: &'m ArgMatches, name: &str) -> Option<&'m String> {
    matches.get_one(name)
}
