//! Sockets from systemd, and notifications to systemd.

use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tempfile::TempDir;
use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::ends::Ends;
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, example};

use crate::subject::{echo, init, serves, trouble, troubled};
use crate::{SOCKET, cases};

cases! {
    a_socket_of_systemd, SOCKET, "The daemon serves a socket that systemd passes, and does not remove it. It notifies systemd of the start, and of the stop before the open connections finish.";
    no_socket_of_systemd, SOCKET, "`--systemd` without a socket is a usage error.";
    a_socket_for_another_process, SOCKET, "A socket for another process is a usage error, and the message names the usual cause.";
    descriptors_for_no_process, SOCKET, "Without a `LISTEN_PID` that names the process, `LISTEN_FDS` is ignored: the descriptors may be anything.";
    two_sockets_of_systemd, SOCKET, "More than one socket is a usage error, since the daemon serves only one.";
    a_connection_of_systemd, SOCKET, "With `Accept=yes`, systemd passes one connection. This is a usage error, and the message names the setting.";
    a_socket_of_systemd_that_does_not_listen, SOCKET, "A socket that does not listen is a usage error.";
    something_else_of_systemd, SOCKET, "A pipe, a datagram socket or a network socket is a usage error.";
    a_path_although_systemd_starts_it, SOCKET, "With `--socket`, the daemon does not touch the descriptors that systemd passes.";
    options_of_the_socket_unit, SOCKET, "`--systemd` with an argument for the socket file is a usage error that names the setting of the .socket unit.";
    an_abstract_notify_socket, SOCKET, "Notifications also go to an abstract socket.";
    a_full_notify_socket, SOCKET, "A systemd that does not read delays neither the start nor the stop. It gets the notification when there is room.";
    a_notify_socket_that_is_gone, SOCKET, "A notification that cannot be sent causes a warning, and no more.";
    a_notify_socket_that_is_none, SOCKET, "An invalid address or an invalid time causes a warning, and no more.";
    a_watchdog, SOCKET, "The accept loop notifies the watchdog, busy or idle, for as long as it accepts connections.";
    a_watchdog_of_a_microsecond, SOCKET, "A watchdog with a time of a microsecond does not make the daemon spin.";
    a_watchdog_for_another_process, SOCKET, "A watchdog of another process gets no notifications.";
}

/// A socket that receives notifications, like systemd's.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
    _directory: TempDir,
}

impl Systemd {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("the path is free");
        socket.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        Systemd { socket, path, _directory: directory }
    }

    fn hears(&self) -> String {
        hears(&self.socket)
    }
}

/// Returns the first line of the next notification.
fn hears(socket: &UnixDatagram) -> String {
    let mut message = [0; 1000];
    let length = socket.recv(&mut message).expect("it is told");
    let text = std::str::from_utf8(&message[..length]).expect("it is text");
    text.lines().next().expect("it is not empty").to_owned()
}

/// Returns a command that starts a program with `--systemd` as systemd does. `descriptor` becomes
/// the first passed descriptors, 3 and 4.
fn activated(program: PathBuf, descriptor: impl Into<OwnedFd>, count: &str) -> Command {
    let script = "exec 3<&0 4<&0 </dev/null; export LISTEN_PID=$$; exec \"$0\" --systemd";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program).env("LISTEN_FDS", count);
    command.stdin(descriptor.into());
    command
}

/// Runs a program that must fail with these texts and the status 2.
fn usage(command: &mut Command, with: &[&str]) {
    let mut program = Program::spawn(command);
    let log = program.rest_of_log().join("\n");
    for text in with {
        assert!(log.contains(text), "`{text}` is not in `{log}`");
    }
    assert_eq!(program.wait().code(), Some(2), "{log}");
}

fn ends_well(mut program: Program) {
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

fn a_socket_of_systemd(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    let listener = UnixListener::bind(&path).expect("the path is free");
    let systemd = Systemd::new();
    let mut command = activated(troubled(), listener, "1");
    let mut program = Program::spawn(command.env("NOTIFY_SOCKET", &systemd.path));
    assert_eq!(systemd.hears(), "READY=1");
    let stream = UnixStream::connect(&path).expect("the daemon listens");
    let mut connection = Connection::new(Ends::socket(stream));
    init(&mut connection, &[("kind", &["work".into()]), ("amount", &[Value::Int(1000)])]);
    echo(&mut connection, 1);
    connection.ask(Ask::Point(trouble(2)));
    // The handler must be working: an idle program exits before it could send more.
    connection.wait_for_keepalive();
    program.signal("TERM");
    assert_eq!(systemd.hears(), "STOPPING=1");
    assert!(
        matches!(&connection.rest()[..], [Answer::Point(point), Answer::Error(_)] if *point == trouble(2))
    );
    assert_eq!(program.wait().code(), Some(0));
    assert!(path.exists(), "the socket is systemd's");
}

fn no_socket_of_systemd(_: Transport) {
    let mut command = Command::new(example("mirror"));
    command.arg("--systemd").stdin(Stdio::null());
    for count in [None, Some(""), Some("0"), Some("many")] {
        if let Some(count) = count {
            command.env("LISTEN_FDS", count);
        }
        usage(&mut command, &["--systemd: systemd passed no socket", ".socket unit"]);
    }
}

fn a_socket_for_another_process(_: Transport) {
    let mut command = Command::new(example("mirror"));
    command.arg("--systemd").stdin(Stdio::null()).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    usage(&mut command, &["for process 1, not for", "ExecStart="]);
}

fn descriptors_for_no_process(_: Transport) {
    let (listener, _directory) = listener();
    let stdin = OwnedFd::from(listener);
    for pid in [None, Some(""), Some("me")] {
        // A socket that would be served.
        let set = pid.map_or("unset LISTEN_PID".to_owned(), |pid| format!("LISTEN_PID='{pid}'"));
        let script =
            format!("exec 3<&0 </dev/null; export LISTEN_PID; {set}; exec \"$0\" --systemd");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(example("mirror")).env("LISTEN_FDS", "1");
        command.stdin(stdin.try_clone().expect("there are descriptors left"));
        usage(&mut command, &["passed no socket: LISTEN_PID is `", ".socket unit"]);
    }
}

fn listener() -> (UnixListener, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let listener = UnixListener::bind(directory.path().join("udf.sock"));
    (listener.expect("the path is free"), directory)
}

fn two_sockets_of_systemd(_: Transport) {
    let (listener, _directory) = listener();
    usage(&mut activated(example("mirror"), listener, "2"), &["2 sockets", "one ListenStream="]);
}

fn a_connection_of_systemd(_: Transport) {
    let (listener, directory) = listener();
    let path = directory.path().join("udf.sock");
    let _client = UnixStream::connect(path).expect("the daemon listens");
    let (connection, _) = listener.accept().expect("a connection waits");
    usage(
        &mut activated(example("mirror"), connection, "1"),
        &["a single connection", "Accept=no"],
    );
    let (one, _other) = UnixStream::pair().expect("a descriptor is left");
    usage(&mut activated(example("mirror"), one, "1"), &["a single connection", "Accept=no"]);
}

fn a_socket_of_systemd_that_does_not_listen(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None);
    let socket = socket.expect("a descriptor is left");
    let address = SocketAddrUnix::new(directory.path().join("udf.sock")).expect("it is short");
    rustix::net::bind(&socket, &address).expect("the path is free");
    usage(&mut activated(example("mirror"), socket, "1"), &["does not listen", "ListenStream="]);
}

fn something_else_of_systemd(_: Transport) {
    let network = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let datagrams = UnixDatagram::unbound().expect("a descriptor is left");
    let (pipe, _writer) = std::io::pipe().expect("a descriptor is left");
    for descriptor in [OwnedFd::from(network), datagrams.into(), pipe.into()] {
        let with = ["something other than a Unix stream socket", "ListenStream= with a path"];
        usage(&mut activated(example("mirror"), descriptor, "1"), &with);
    }
}

fn a_path_although_systemd_starts_it(_: Transport) {
    // The passed descriptor is not a socket, so that using it would fail.
    let script = "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    serves(&Program::listen(command.args(["-c", script]).arg(example("mirror"))));
}

fn options_of_the_socket_unit(_: Transport) {
    for (args, with) in [
        (&["--socket-mode", "600"][..], "SocketMode="),
        (&["--socket-group", "0"], "SocketGroup="),
        (&["--allow-shared-directory"], "remove it"),
    ] {
        let mut command = Command::new(example("mirror"));
        command.arg("--systemd").args(args).stdin(Stdio::null());
        usage(&mut command, &[args[0], "has no effect with --systemd", with]);
    }
}

fn an_abstract_notify_socket(_: Transport) {
    let name = format!("udf-tests-{}-notify", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("it is short");
    let systemd = UnixDatagram::bind_addr(&address).expect("the name is free");
    systemd.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
    let mut command = Command::new(example("mirror"));
    let program = Program::listen(command.env("NOTIFY_SOCKET", format!("@{name}")));
    assert_eq!(hears(&systemd), "READY=1");
    ends_well(program);
    assert_eq!(hears(&systemd), "STOPPING=1");
}

/// Fills the buffer of this socket. Returns the number of messages.
fn fill(path: &Path) -> usize {
    let socket = UnixDatagram::unbound().expect("a descriptor is left");
    socket.set_nonblocking(true).expect("the descriptor is open");
    (0..).take_while(|_| socket.send_to(b"FILLED=1", path).is_ok()).count()
}

fn a_full_notify_socket(_: Transport) {
    let systemd = Systemd::new();
    let filled = fill(&systemd.path);
    let mut command = Command::new(example("mirror"));
    let program = Program::listen(command.env("NOTIFY_SOCKET", &systemd.path));
    serves(&program);
    program.wait_for_log("cannot notify systemd of `READY=1`");
    for _ in 0..filled {
        assert_eq!(systemd.hears(), "FILLED=1");
    }
    assert_eq!(systemd.hears(), "READY=1");
    fill(&systemd.path);
    ends_well(program);
}

fn a_notify_socket_that_is_gone(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(example("mirror"));
    command.env("NOTIFY_SOCKET", directory.path().join("gone"));
    let program = Program::listen(&mut command);
    program.wait_for_log("cannot notify systemd of `READY=1`: No such file");
    serves(&program);
    ends_well(program);
}

fn a_notify_socket_that_is_none(_: Transport) {
    for address in ["notify", "@", "", &"/x".repeat(100)] {
        let mut command = Command::new(example("mirror"));
        command.env("NOTIFY_SOCKET", address).env("WATCHDOG_USEC", "100000");
        let program = Program::listen(&mut command);
        program.wait_for_log(if address == "@" {
            "cannot notify systemd of"
        } else {
            "cannot use NOTIFY_SOCKET `"
        });
        serves(&program);
        ends_well(program);
    }
    let systemd = Systemd::new();
    for time in ["soon", "0", "-1"] {
        let mut command = Command::new(example("mirror"));
        command.env("NOTIFY_SOCKET", &systemd.path).env("WATCHDOG_USEC", time);
        ends_well(Program::listen(&mut command));
        assert_eq!(systemd.hears(), "READY=1");
        assert_eq!(systemd.hears(), "STOPPING=1");
    }
}

fn a_watchdog(_: Transport) {
    let systemd = Systemd::new();
    let mut command = Command::new(example("mirror"));
    command.env("NOTIFY_SOCKET", &systemd.path).env("WATCHDOG_USEC", "30000");
    let program = Program::listen(&mut command);
    assert_eq!(systemd.hears(), "READY=1");
    for _ in 0..10 {
        assert_eq!(systemd.hears(), "WATCHDOG=1");
    }
    let mut connection = program.connect();
    init(&mut connection, &[]);
    for time in 0..10 {
        echo(&mut connection, time);
        serves(&program);
        assert_eq!(systemd.hears(), "WATCHDOG=1");
    }
    drop(connection);
    ends_well(program);
}

fn a_watchdog_of_a_microsecond(_: Transport) {
    let systemd = Systemd::new();
    let mut command = Command::new(example("mirror"));
    command.env("NOTIFY_SOCKET", &systemd.path).env("WATCHDOG_USEC", "1");
    let program = Program::listen(&mut command);
    assert_eq!(systemd.hears(), "READY=1");
    let (begun, beats) = (Instant::now(), 100);
    for _ in 0..beats {
        assert_eq!(systemd.hears(), "WATCHDOG=1");
    }
    // Some may have waited in the socket: it holds a few.
    assert!(begun.elapsed() >= Duration::from_millis(beats / 2), "{:?}", begun.elapsed());
    serves(&program);
    ends_well(program);
}

fn a_watchdog_for_another_process(_: Transport) {
    let systemd = Systemd::new();
    let mut command = Command::new(example("mirror"));
    command.env("NOTIFY_SOCKET", &systemd.path);
    command.env("WATCHDOG_USEC", "10").env("WATCHDOG_PID", "1");
    let program = Program::listen(&mut command);
    serves(&program);
    ends_well(program);
    assert_eq!(systemd.hears(), "READY=1");
    assert_eq!(systemd.hears(), "STOPPING=1");
}
