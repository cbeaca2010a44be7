//! The arguments that a program has to serve Kapacitor. A UDF and the command `udf supervise` share
//! them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::IntErrorKind;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use udf_text::duration;

use crate::server::why_not;

/// Returns an argument with a value.
pub(super) fn set(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// Returns whether the command line has this argument.
pub(super) fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Adds the arguments of a UDF's daemon, and the limits of connections.
pub(super) fn serving(command: Command) -> Command {
    let command = command.group(ArgGroup::new("daemon").args(["socket", "systemd"])).args([
        set("socket", "PATH", "Run as a daemon, on a Unix socket at this path")
            .value_parser(PathBufValueParser::new().try_map(socket_path)),
        Arg::new("systemd")
            .long("systemd")
            .action(ArgAction::SetTrue)
            .help("Run as a daemon, on the socket that systemd passes"),
    ]);
    limits(command)
}

/// Adds the arguments of a daemon of several UDFs, and the limits of connections.
pub(super) fn serving_all(command: Command) -> Command {
    let directory = socket_dir("Run as a daemon for all UDFs, each on a socket DIR/NAME.sock");
    limits(command.group(ArgGroup::new("daemon").arg("socket-dir")).arg(directory))
}

/// Returns the argument with the directory of the sockets of several UDFs.
pub(super) fn socket_dir(help: &'static str) -> Arg {
    let directory = PathBufValueParser::new().try_map(socket_path);
    set("socket-dir", "DIR", help).value_parser(directory)
}

/// Adds the arguments of a daemon, without the place of its sockets, and the limits of connections.
fn limits(command: Command) -> Command {
    let daemon = |name, value, help| set(name, value, help).requires("daemon");
    command
        .args([
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
            metrics().requires("daemon"),
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
        ])
}

/// Returns the argument with the address of the metrics.
pub(super) fn metrics() -> Arg {
    set(
        "metrics",
        "ADDRESS",
        "Serve metrics for Prometheus at this address; a port without a host is on 127.0.0.1",
    )
    .value_parser(address)
}

/// Adds the policies for the points and snapshots of a handler.
pub(super) fn handling(command: Command) -> Command {
    command.args([
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
    ])
}

/// Adds the arguments of the log.
pub(super) fn logging(command: Command) -> Command {
    command.args([
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
