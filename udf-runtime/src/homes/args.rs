//! The command line of a UDF's program.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Command, Id};
use tracing::level_filters::LevelFilter;
use udf_host::command::{self, Failure};

use super::flags::is_given;
use super::logs::{Form, LEVEL_VARIABLE};
use super::{flags, own_args, supervision};
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::worker;
use crate::server::socket_file::SocketOptions;
use crate::udf::restore::UnfitSnapshot;
use crate::udf::shared::resources::SharedType;

/// Where a daemon listens.
pub(super) enum Place {
    /// On a socket at this path.
    Socket(PathBuf),
    /// On a socket for each UDF, `NAME.sock` in this directory.
    Directory(PathBuf),
    /// On the socket that systemd passes.
    Systemd,
}

/// The settings of a daemon.
pub(super) struct Daemon {
    pub(super) place: Place,
    pub(super) options: SocketOptions,
    pub(super) allowed_users: Vec<u32>,
    pub(super) metrics: Option<SocketAddr>,
}

/// Arguments about the file of the socket, with the equivalent for a socket of systemd.
const OF_THE_SOCKET_UNIT: [(&str, &str); 3] = [
    ("socket-mode", "set SocketMode= in the .socket unit"),
    ("socket-group", "set SocketGroup= in the .socket unit"),
    ("allow-shared-directory", "remove it"),
];

/// Returns the command line of a UDF.
pub(super) fn command(
    name: &'static str,
    version: Option<&'static str>,
    help: &str,
    shared: &[SharedType],
) -> Command {
    let summary = help.lines().next().unwrap_or_default().to_owned();
    let command = Command::new(name)
        .version(version.unwrap_or("of an unnamed package"))
        .about(format!("{summary}\n\nA user-defined function for Kapacitor."))
        .after_help(
            "Without arguments, it serves Kapacitor over stdin and stdout. Kapacitor spawns it this way.",
        )
        .subcommands([
            command::info_command().arg(supervision::info_arg()),
            command::replay_command(),
            supervision::telegraf_command(),
        ]);
    #[cfg(feature = "plot")]
    let command = command.subcommand(udf_play::play_command());
    let command = flags::logging(flags::handling(flags::serving(command)));
    own_args::add(supervision::add(command), shared)
}

/// Refuses arguments of a daemon that have no effect in combination with others.
pub(super) fn check_serving(matches: &ArgMatches) -> Result<(), Failure> {
    let is_given = |id: &str| is_given(matches, id);
    let unused = OF_THE_SOCKET_UNIT.iter().find(|(id, _)| is_given(id) && is_given("systemd"));
    unused.map_or(Ok(()), |(id, instead)| {
        Err(Failure::Usage(format!(
            "--{id} has no effect with --systemd, because systemd creates the socket; {instead}"
        )))
    })
}

/// Refuses arguments that have no effect, with a subcommand or in combination with others.
pub(super) fn check(shared: &[SharedType], matches: &ArgMatches) -> Result<(), Failure> {
    if worker::is_worker() {
        // The arguments are those of its supervisor, which has checked them.
        return Ok(());
    }
    let Some(subcommand) = matches.subcommand_name() else {
        check_serving(matches)?;
        return supervision::check(matches);
    };
    if is_given(matches, "supervise") && ["info", "telegraf"].contains(&subcommand) {
        return Err(Failure::Usage(format!(
            "--supervise has no effect before `{subcommand}`; write `{subcommand} --supervise`"
        )));
    }
    let lost = matches
        .ids()
        .map(Id::as_str)
        .filter(|id| !["log", "log-time", "daemon"].contains(id))
        .find(|id| is_given(matches, id) && !own_args::has(shared, id));
    lost.map_or(Ok(()), |id| {
        Err(Failure::Usage(format!("--{id} has no effect with `{subcommand}`; remove it")))
    })
}

/// Returns the form of the log. Kapacitor and Telegraf add their own time to lines of a UDF that
/// they have spawned, and a supervisor to the lines of its workers.
pub(super) fn log_form(matches: &ArgMatches) -> Form {
    let subcommand = matches.subcommand_name();
    if worker::is_worker() {
        return Form::Plain;
    }
    if subcommand == Some("telegraf") {
        return Form::Telegraf;
    }
    let is_spawned = subcommand.is_none() && daemon(matches).is_none();
    let has_time = matches.get_flag("log-time") || !is_spawned || io::stderr().is_terminal();
    if has_time { Form::Timed } else { Form::Plain }
}

/// Returns the log level: from the argument, else from the environment, else `info`.
pub(super) fn level(matches: &ArgMatches) -> Result<LevelFilter, Failure> {
    let (level, from) = match (matches.get_one::<String>("log"), std::env::var(LEVEL_VARIABLE)) {
        (Some(level), _) => (level.clone(), "--log"),
        (None, Ok(level)) => (level, LEVEL_VARIABLE),
        (None, Err(_)) => return Ok(LevelFilter::INFO),
    };
    level.parse().map_err(|_| {
        Failure::Usage(format!(
            "{from} is `{level}`, but must be error, warn, info, debug, trace or off"
        ))
    })
}

/// Returns the settings of a daemon, if the UDF runs as one.
pub(super) fn daemon(matches: &ArgMatches) -> Option<Daemon> {
    match matches.get_one::<PathBuf>("socket") {
        Some(path) => Some(daemon_at(Place::Socket(path.clone()), matches)),
        None if matches.get_flag("systemd") => Some(daemon_at(Place::Systemd, matches)),
        None => None,
    }
}

/// Returns the settings of a daemon in this place.
pub(super) fn daemon_at(place: Place, matches: &ArgMatches) -> Daemon {
    let mut options = SocketOptions::new();
    if let Some(mode) = matches.get_one("socket-mode") {
        options = options.mode(*mode);
    }
    if let Some(gid) = matches.get_one("socket-group") {
        options = options.group(*gid);
    }
    options = options.allow_shared_directory(matches.get_flag("allow-shared-directory"));
    Daemon {
        place,
        options,
        allowed_users: matches.get_many("allow-uid").into_iter().flatten().copied().collect(),
        metrics: matches.get_one("metrics").copied(),
    }
}

/// Returns the policy for snapshots that cannot be restored.
pub(super) fn unfit(matches: &ArgMatches) -> UnfitSnapshot {
    match matches.get_one::<String>("bad-snapshot").map(String::as_str) {
        Some("fresh") => UnfitSnapshot::StartFresh,
        _ => UnfitSnapshot::Refuse,
    }
}

/// Returns the policy for points that Kapacitor cannot store.
pub(super) fn unfit_points(matches: &ArgMatches) -> OnUnfit {
    match matches.get_one::<String>("unfit-points").map(String::as_str) {
        Some("send") => OnUnfit::Send,
        Some("fail") => OnUnfit::Fail,
        _ => OnUnfit::Drop,
    }
}

/// Returns the limits of connections.
pub(super) fn limits(matches: &ArgMatches) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if let Some(init) = matches.get_one::<Duration>("init-timeout") {
        limits.init = Some(*init).filter(|init| !init.is_zero());
    }
    if let Some(request) = matches.get_one::<Duration>("request-timeout") {
        limits.request = Some(*request).filter(|request| !request.is_zero());
    }
    if let Some(frame) = matches.get_one::<u32>("init-limit") {
        limits.init_frame = *frame as usize;
    }
    if let Some(busy) = matches.get_one::<Duration>("busy-budget") {
        limits.busy = Some(*busy).filter(|busy| !busy.is_zero());
    }
    if let Some(hangup) = matches.get_one::<Duration>("hangup-timeout") {
        limits.hangup = Some(*hangup).filter(|hangup| !hangup.is_zero());
    }
    if let Some(shutdown) = matches.get_one("shutdown-timeout") {
        limits.shutdown = *shutdown;
    }
    if let Some(connections) = matches.get_one::<u32>("max-connections") {
        limits.connections = *connections as usize;
    }
    if let Some(frame) = matches.get_one::<u32>("frame-limit") {
        limits.frame = *frame as usize;
    }
    if let Some(buffer) = matches.get_one::<u64>("buffer-limit") {
        limits.buffer = usize::try_from(*buffer).unwrap_or(usize::MAX);
        if limits.buffer < limits.frame {
            return Err(Failure::Usage(format!(
                "--buffer-limit {buffer} is less than --frame-limit {}: no request of that size could be read; \
                 raise the one or lower the other",
                limits.frame
            )));
        }
    }
    Ok(limits)
}
