//! Files at the path of the socket, and the users who may connect.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tempfile::TempDir;
use udf_proto::messages::ErrorResponse;
use udf_proto::messages::response::Message as Answer;
use udf_tests::process::made_up_user;
use udf_tests::program::{Program, Transport, example};

use crate::subject::{echo, init, serves};
use crate::{SOCKET, cases};

cases! {
    a_stale_socket, SOCKET, "A socket on which nobody listens is replaced.";
    a_stale_socket_without_a_lock, SOCKET, "A stale socket of another program is replaced.";
    a_live_socket, SOCKET, "A second start at the path of a running daemon fails, and the first daemon goes on.";
    a_live_socket_of_another_program, SOCKET, "A socket on which another program listens is left alone.";
    a_live_socket_for_datagrams, SOCKET, "A socket of another type, to which nobody can connect, is left alone.";
    a_live_socket_that_is_full, SOCKET, "A socket with a full backlog is left alone, and the start does not wait for it.";
    a_directory_in_place_of_the_lock, SOCKET, "A directory in place of the lock is an error that names the lock, and says what to do.";
    a_start_that_was_killed_halfway, SOCKET, "A socket of a start that was killed before it listened is replaced.";
    the_path_in_errors, SOCKET, "The socket has the configured address, which Kapacitor's errors show. The directory has no other new file than the lock.";
    a_network_address, SOCKET, "A network address instead of a path is a usage error, since Kapacitor uses Unix sockets; exit status 2.";
    a_file_at_the_path, SOCKET, "A file at the path is not changed; the error says so.";
    a_directory_at_the_path, SOCKET, "A directory at the path is not changed; the error says so.";
    a_link_at_the_path, SOCKET, "A link at the path and its target are not changed.";
    a_path_without_a_directory, SOCKET, "A directory that does not exist is an error that names the path.";
    a_path_that_is_too_long, SOCKET, "The refusal of a path that is too long for a socket names its length.";
    a_socket_that_was_replaced, SOCKET, "At its end, a daemon removes only its own socket, not a file that has replaced it.";
    a_socket_that_was_removed, SOCKET, "A socket that is already gone at the end is not an error.";
    umask_000, SOCKET, "The mode of the socket is 0660 for any umask, also 000.";
    umask_077, SOCKET, "The mode of the socket is 0660 for any umask, also 077.";
    another_mode, SOCKET, "`--socket-mode` sets the mode.";
    a_mode_that_is_none, SOCKET, "A mode that is not octal is a usage error; exit status 2.";
    a_limit_of_no_connections, SOCKET, "`--max-connections 0` is a usage error, since it would refuse everybody.";
    a_group_that_does_not_exist, SOCKET, "An unknown group is a usage error, and no socket is created.";
    a_user_who_is_not_allowed, SOCKET, "A user who is not allowed is not served. The log and Kapacitor get the reason.";
    a_user_who_is_allowed, SOCKET, "An allowed user is served.";
    two_starts_at_once, SOCKET, "Of several starts at the same path at once, exactly one serves.";
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Starts a daemon at this path. It must fail with this text and the status 1.
fn refused(path: &Path, with: &str) {
    let mut command = Command::new(example("mirror"));
    let mut program = Program::spawn(command.arg("--socket").arg(path).stdin(Stdio::null()));
    let log = program.rest_of_log().join("\n");
    assert!(log.contains(with), "`{with}` is not in `{log}`");
    assert!(log.contains(&path.display().to_string()), "`{log}` does not name the path");
    assert_eq!(program.wait().code(), Some(1));
}

fn mirror_at(path: &Path) -> Program {
    Program::listen_at(path, &mut Command::new(example("mirror")))
}

fn a_stale_socket(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let mut killed = mirror_at(&path);
    killed.signal("KILL");
    killed.wait();
    serves(&mirror_at(&path));
}

fn a_stale_socket_without_a_lock(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    drop(UnixListener::bind(&path).expect("the path is free"));
    assert!(path.exists());
    serves(&mirror_at(&path));
}

fn a_live_socket(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    let mut before = program.connect();
    init(&mut before, &[]);
    refused(program.socket(), "another server is using");
    echo(&mut before, 1);
    serves(&program);
}

fn a_live_socket_of_another_program(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let listener = UnixListener::bind(&path).expect("the path is free");
    refused(&path, "another server is using");
    // The connection attempt of the daemon is the only one in the queue.
    listener.set_nonblocking(true).expect("the descriptor is open");
    assert!(path.exists());
}

fn a_live_socket_for_datagrams(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let socket = UnixDatagram::bind(&path).expect("the path is free");
    refused(&path, "another server is using");
    let sender = UnixDatagram::unbound().expect("a descriptor is left");
    sender.send_to(b"still here", &path).expect("it has not been replaced");
    assert_eq!(socket.recv(&mut [0; 100]).expect("the bytes have arrived"), b"still here".len());
}

fn a_live_socket_that_is_full(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let listener = UnixListener::bind(&path).expect("the path is free");
    // With a backlog of 0, the kernel still queues one connection.
    rustix::net::listen(&listener, 0).expect("the daemon listens");
    let first = UnixStream::connect(&path).expect("there is room for one");
    refused(&path, "another server is using");
    let (accepted, _) = listener.accept().expect("the first one waits");
    drop(first);
    assert_eq!((&accepted).read(&mut [0]).expect("it is the first one"), 0);
    UnixStream::connect(&path).expect("it has not been replaced");
}

fn a_directory_in_place_of_the_lock(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let lock = directory.path().join("udf.sock.lock");
    fs::create_dir(&lock).expect("the directory is writable");
    let text = format!("the lock {} is a directory and not a regular file", lock.display());
    refused(&path, &text);
    refused(&path, "remove it or choose another path");
}

fn a_start_that_was_killed_halfway(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    // The socket is bound and does not listen yet.
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None);
    let socket = socket.expect("a descriptor is left");
    let address = SocketAddrUnix::new(&path).expect("it is short");
    rustix::net::bind(&socket, &address).expect("the path is free");
    drop(socket);
    serves(&mirror_at(&path));
}

fn the_path_in_errors(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    let stream = UnixStream::connect(program.socket()).expect("the daemon listens");
    let peer = stream.peer_addr().expect("it is connected");
    assert_eq!(peer.as_pathname(), Some(program.socket()));
    let directory = program.socket().parent().expect("it is in a directory");
    let found = fs::read_dir(directory).expect("the folder can be read").flatten();
    let mut names: Vec<_> = found.map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["udf.sock", "udf.sock.lock"]);
}

fn a_network_address(_: Transport) {
    for address in ["127.0.0.1:9999", "localhost:9999", ":9999", "tcp://127.0.0.1:9999"] {
        let mut command = Command::new(example("mirror"));
        let mut program = Program::spawn(command.args(["--socket", address]).stdin(Stdio::null()));
        let log = program.rest_of_log().join("\n");
        assert!(log.contains("Kapacitor connects over Unix sockets"), "{log}");
        assert_eq!(program.wait().code(), Some(2));
        assert!(!Path::new(address).exists());
    }
}

fn a_file_at_the_path(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    fs::write(&path, "precious").expect("the directory is writable");
    refused(&path, "is not a socket");
    assert_eq!(fs::read(&path).expect("it is still there"), b"precious");
}

fn a_directory_at_the_path(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    fs::create_dir(&path).expect("the directory is writable");
    refused(&path, "is not a socket");
    assert!(path.is_dir());
}

fn a_link_at_the_path(_: Transport) {
    let directory = directory();
    let (path, file) = (directory.path().join("udf.sock"), directory.path().join("file"));
    fs::write(&file, "precious").expect("the directory is writable");
    symlink(&file, &path).expect("the directory is writable");
    refused(&path, "is not a socket");
    assert!(path.is_symlink());
    assert_eq!(fs::read(&file).expect("it is still there"), b"precious");
}

fn a_path_without_a_directory(_: Transport) {
    refused(&directory().path().join("none/udf.sock"), "its directory does not exist");
}

fn a_path_that_is_too_long(_: Transport) {
    refused(&directory().path().join("x".repeat(120)), "too long for a socket");
}

fn a_socket_that_was_replaced(_: Transport) {
    let mut program = Program::daemon("mirror", &[]);
    let path = program.socket().to_owned();
    fs::remove_file(&path).expect("the file exists");
    let _other = UnixListener::bind(&path).expect("the path is free");
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(path.exists(), "the daemon has removed the socket of another");
}

fn a_socket_that_was_removed(_: Transport) {
    let mut program = Program::daemon("mirror", &[]);
    fs::remove_file(program.socket()).expect("the file exists");
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

/// Starts a daemon under a umask. Returns the mode of its socket.
fn mode_under(umask: &str, args: &[&str]) -> u32 {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]);
    let program = Program::listen(command.arg(example("mirror")).args(args));
    let metadata = fs::symlink_metadata(program.socket()).expect("the file exists");
    assert!(metadata.file_type().is_socket());
    // A user who can open the lock can hold it, and so prevent the next start of the daemon.
    let lock = program.socket().with_extension("sock.lock");
    let lock = fs::metadata(&lock).expect("the file exists").permissions().mode();
    assert_eq!(lock & 0o077, 0, "others may hold the lock: {lock:o}");
    metadata.mode() & 0o777
}

fn umask_000(_: Transport) {
    assert_eq!(mode_under("000", &[]), 0o660);
}

fn umask_077(_: Transport) {
    assert_eq!(mode_under("077", &[]), 0o660);
}

fn another_mode(_: Transport) {
    assert_eq!(mode_under("022", &["--socket-mode", "600"]), 0o600);
    assert_eq!(mode_under("077", &["--socket-mode", "0666"]), 0o666);
}

/// Starts a daemon with invalid arguments. It must fail with this text and the status of a usage
/// error.
fn usage(args: &[&str], with: &str) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let mut command = Command::new(example("mirror"));
    command.arg("--socket").arg(&path).args(args).stdin(Stdio::null());
    let mut program = Program::spawn(&mut command);
    let log = program.rest_of_log().join("\n");
    assert!(log.contains(with), "`{with}` is not in `{log}`");
    assert_eq!(program.wait().code(), Some(2));
    assert!(!path.exists());
}

fn a_mode_that_is_none(_: Transport) {
    usage(&["--socket-mode", "rw-rw----"], "octal");
    usage(&["--socket-mode", "1777"], "octal");
    usage(&["--socket-mode", "0"], "only root could connect");
    usage(&["--socket-mode", "0444"], "only root could connect");
}

fn a_limit_of_no_connections(_: Transport) {
    usage(&["--max-connections", "0"], "--max-connections");
}

fn a_group_that_does_not_exist(_: Transport) {
    usage(&["--socket-group", "no-such-group"], "no such group");
    usage(&["--socket-group", "4294967296"], "the number of a group is at most 4294967294");
}

fn a_user_who_is_not_allowed(_: Transport) {
    let other = made_up_user(3).to_string();
    let program = Program::daemon("mirror", &["--allow-uid", &other]);
    let user = rustix::process::getuid().as_raw();
    let reason = format!("user {user} is not allowed by --allow-uid");
    let mut connection = program.connect();
    // Kapacitor writes before it reads. Its unread message must not discard the error.
    connection.ask(udf_tests::program::init(&[]));
    let error = format!("the UDF refused the connection: {reason}");
    assert_eq!(connection.rest(), [Answer::Error(ErrorResponse { error })]);
    let line = program.wait_for_log("refused a connection");
    assert!(line.contains(&reason), "{line}");
}

fn a_user_who_is_allowed(_: Transport) {
    let user = rustix::process::getuid().as_raw().to_string();
    let other = made_up_user(3).to_string();
    serves(&Program::daemon("mirror", &["--allow-uid", &other, "--allow-uid", &user]));
}

fn two_starts_at_once(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let mut programs: Vec<_> = (0..8)
        .map(|_| {
            let mut command = Command::new(example("mirror"));
            // A low limit of open files is no warning then.
            command.args(["--max-connections", "8", "--socket"]);
            Program::spawn(command.arg(&path).stdin(Stdio::null()))
        })
        .collect();
    // The first line of the log says whether the daemon listens.
    let lines: Vec<_> = programs.iter().map(|program| program.wait_for_log("")).collect();
    let listening = lines.iter().filter(|line| line.contains("listens on")).count();
    assert_eq!(listening, 1, "{lines:?}");
    assert!(lines.iter().filter(|line| line.contains("another server")).count() == 7, "{lines:?}");
    for (program, line) in programs.iter_mut().zip(lines) {
        if line.contains("listens on") {
            program.signal("TERM");
            assert_eq!(program.wait().code(), Some(0));
        } else {
            assert_eq!(program.wait().code(), Some(1));
        }
    }
}
