//! The command line of a UDF's program.

use std::fs;
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::IntErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, Id, value_parser};
use tracing::level_filters::LevelFilter;
use udf_host::command::{self, Failure};
use udf_text::duration;

use super::logs::LEVEL_VARIABLE;
use super::own_args;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::server::socket_file::SocketOptions;
use crate::server::why_not;
use crate::udf::handler::UnfitSnapshot;
use crate::udf::shared::resources::SharedType;

/// The settings of a daemon.
pub(super) struct Daemon {
    /// `None` if systemd passes the socket.
    pub(super) path: Option<PathBuf>,
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
    let set = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let daemon = |name, value, help| set(name, value, help).requires("daemon");
    let command = Command::new(name)
        .version(version.unwrap_or("of an unnamed package"))
        .about(format!("{summary}\n\nA user-defined function for Kapacitor."))
        .after_help(
            "Without arguments, it serves Kapacitor over stdin and stdout. Kapacitor spawns it this way.",
        )
        .group(ArgGroup::new("daemon").args(["socket", "systemd"]))
        .args([
            set("socket", "PATH", "Run as a daemon, on a Unix socket at this path")
                .value_parser(PathBufValueParser::new().try_map(socket_path)),
            Arg::new("systemd")
                .long("systemd")
                .action(ArgAction::SetTrue)
                .help("Run as a daemon, on the socket that systemd passes"),
            daemon("socket-mode", "MODE", "Mode of the socket, in octal")
                .default_value("0660")
                .value_parser(mode),
            daemon("socket-group", "GROUP", "Group of the socket, by name or number")
                .value_parser(group),
            Arg::new("allow-shared-directory")
                .long("allow-shared-directory")
                .action(ArgAction::SetTrue)
                .help("Create the socket also in a directory where other users can replace it")
                .requires("daemon"),
            daemon("allow-uid", "UID", "Serve only processes of this user; may be repeated")
                .action(ArgAction::Append)
                .value_parser(user),
            daemon("max-connections", "N", "Refuse connections when this many are open")
                .default_value("4096")
                .value_parser(value_parser!(u32).range(1..)),
            daemon(
                "init-timeout",
                "DURATION",
                "Close a connection that has sent no Init after this time; 0s for no limit",
            )
            .default_value("10s")
            .value_parser(duration::parse),
            daemon(
                "request-timeout",
                "DURATION",
                "Close a connection when a request of more than 256 KiB takes longer to arrive, or to find room in \
                 --buffer-limit; 0s for no limit, and no wait for room",
            )
            .default_value("1m")
            .value_parser(duration::parse),
            daemon(
                "metrics",
                "ADDRESS",
                "Serve metrics for Prometheus at this address; a port without a host is on 127.0.0.1",
            )
            .value_parser(address),
            set("shutdown-timeout", "DURATION", "Grace period of open connections after a stop")
                // The former name.
                .alias("farewell")
                .default_value("10s")
                .value_parser(duration::parse),
            set(
                "busy-budget",
                "DURATION",
                "Send keepalives for a handler that is busy with one call for up to this time; 0s for no limit",
            )
            .default_value("5m")
            .value_parser(duration::parse),
            set(
                "hangup-timeout",
                "DURATION",
                "Close a connection, or exit if spawned, when Kapacitor has closed the input and does not read \
                 the output for this time; 0s for no limit",
            )
            .default_value("3s")
            .value_parser(duration::parse),
            set("frame-limit", "BYTES", "Refuse larger requests, and do not send larger snapshots")
                .default_value("67108864")
                .value_parser(value_parser!(u32).range(1024..=udf_proto::frame::MAX_LIMIT as i64)),
            set("init-limit", "BYTES", "Refuse larger requests before Init")
                .default_value("1048576")
                .value_parser(value_parser!(u32).range(1024..=udf_proto::frame::MAX_LIMIT as i64)),
            set(
                "buffer-limit",
                "BYTES",
                "Memory for the unhandled requests of all connections, beyond 256 KiB for each \
                 [default: 134217728, or --frame-limit if that is more]",
            )
            .value_parser(value_parser!(u64).range(1024..=1 << 40)),
            set(
                "unfit-points",
                "POLICY",
                "What to do with a point that has no field, a field that is NaN or infinite, or an empty name",
            )
            .default_value("drop")
            .value_parser(["drop", "send", "fail"]),
            set(
                "bad-snapshot",
                "POLICY",
                "What to do with a snapshot that cannot be restored: refuse the task, or start fresh",
            )
            .default_value("refuse")
            .value_parser(["refuse", "fresh"]),
            set(
                "log",
                "LEVEL",
                "Log level: error, warn, info, debug, trace or off [default: info, or the variable UDF_LOG]",
            )
            .global(true),
            Arg::new("log-time")
                .long("log-time")
                .action(ArgAction::SetTrue)
                .help("Log the time also when Kapacitor has spawned the UDF, and adds the time itself")
                .global(true),
        ])
        .subcommands([command::info_command(), command::replay_command()]);
    own_args::add(command, shared)
}

/// Refuses arguments that have no effect, with a subcommand or in combination with others.
pub(super) fn check(shared: &[SharedType], matches: &ArgMatches) -> Result<(), Failure> {
    let is_given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let Some(subcommand) = matches.subcommand_name() else {
        let unused = OF_THE_SOCKET_UNIT.iter().find(|(id, _)| is_given(id) && is_given("systemd"));
        return unused.map_or(Ok(()), |(id, instead)| {
            Err(Failure::Usage(format!(
                "--{id} has no effect with --systemd, because systemd creates the socket; {instead}"
            )))
        });
    };
    let lost = matches
        .ids()
        .map(Id::as_str)
        .filter(|id| !["log", "log-time", "daemon"].contains(id))
        .find(|id| is_given(id) && !own_args::has(shared, id));
    lost.map_or(Ok(()), |id| {
        Err(Failure::Usage(format!("--{id} has no effect with `{subcommand}`; remove it")))
    })
}

/// Returns whether log lines have a time. Kapacitor adds its own time to lines of a UDF that it has
/// spawned.
pub(super) fn has_log_time(matches: &ArgMatches) -> bool {
    let is_spawned = matches.subcommand_name().is_none() && daemon(matches).is_none();
    matches.get_flag("log-time") || !is_spawned || io::stderr().is_terminal()
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
    let path = matches.get_one::<PathBuf>("socket").cloned();
    if path.is_none() && !matches.get_flag("systemd") {
        return None;
    }
    let mut options = SocketOptions::new();
    if let Some(mode) = matches.get_one("socket-mode") {
        options = options.mode(*mode);
    }
    if let Some(gid) = matches.get_one("socket-group") {
        options = options.group(*gid);
    }
    options = options.allow_shared_directory(matches.get_flag("allow-shared-directory"));
    Some(Daemon {
        path,
        options,
        allowed_users: matches.get_many("allow-uid").into_iter().flatten().copied().collect(),
        metrics: matches.get_one("metrics").copied(),
    })
}

/// Returns the policy for snapshots that cannot be restored.
pub(super) fn unfit(matches: &ArgMatches) -> UnfitSnapshot {
    match matches.get_one::<String>("bad-snapshot").map(String::as_str) {
        Some("fresh") => UnfitSnapshot::StartFresh,
        _ => UnfitSnapshot::Refuse,
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
    limits.unfit_points = match matches.get_one::<String>("unfit-points").map(String::as_str) {
        Some("send") => OnUnfit::Send,
        Some("fail") => OnUnfit::Fail,
        _ => OnUnfit::Drop,
    };
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

/// Accepts a path, and refuses a network address.
fn socket_path(path: PathBuf) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    let is_address = !text.contains('/')
        && text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let is_url = ["tcp:", "unix:", "http:", "https:"].iter().any(|scheme| text.starts_with(scheme));
    if is_address || is_url {
        return Err("must be the path of a file, because Kapacitor connects over Unix sockets; \
                    for example /run/udfs/NAME.sock"
            .to_owned());
    }
    Ok(path)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| "must be a port, or an IP address and a port".to_owned())
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) if mode & 0o222 == 0 => {
            Err("only root could connect, because clients need write permission on \
                 the socket; use for example 0660"
                .to_owned())
        }
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("must be an octal number up to 777".to_owned()),
    }
}

/// Accepts a user id that can be distinguished from others.
fn user(text: &str) -> Result<u32, String> {
    let uid = text.parse().map_err(|_| "must be the numeric id of a user".to_owned())?;
    why_not(uid).map_or(Ok(uid), Err)
}

/// Accepts a group by its number, or by its name in /etc/group.
fn group(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(u32::MAX) => return Err("stands for no group; use the numeric id of a group".to_owned()),
        Ok(gid) => return Ok(gid),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            return Err(format!("the number of a group is at most {}", u32::MAX - 1));
        }
        Err(_) => {}
    }
    let groups =
        fs::read_to_string("/etc/group").map_err(|error| format!("/etc/group: {error}"))?;
    let gid = groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        let found = parts.next() == Some(text);
        parts.nth(1).filter(|_| found)?.parse().ok()
    });
    gid.ok_or_else(|| "no such group in /etc/group; use its numeric id".to_owned())
}
