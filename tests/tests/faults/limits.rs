//! Time, memory, descriptors and threads of a daemon are limited. The other side gets an error that
//! names the limit.

use std::fs;
use std::io::Write;
use std::iter;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use prost::encoding::encode_varint;
use rustix::process::geteuid;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tempfile::TempDir;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InfoRequest, RestoreRequest};
use udf_runtime::state::StateWriter;
use udf_tests::ends::Input;
use udf_tests::metrics::wait_for;
use udf_tests::process::{made_up_user, memory, peak_memory};
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, example, frame};

use crate::metrics::measured;
use crate::subject::{Subject, echo, eventually, init, large_point, serves};
use crate::{BOTH, SOCKET, cases};

cases! {
    connections_that_say_nothing, SOCKET, "A connection without an Init in time ends with an error that names `--init-timeout`, also if it has sent Info; its place is free for others. After an Init, a connection may be silent forever.";
    a_peer_that_never_reads_before_init, SOCKET, "A connection that sends Info repeatedly and reads no answer ends within the same time, and the metrics count it.";
    a_large_request_before_init, BOTH, "Before Init, a length over `--init-limit` is refused from the length alone; the error names the option. After Init, the same request is handled, also if it comes in one write with the Init.";
    a_frame_limit_over_the_budget, BOTH, "A `--buffer-limit` below `--frame-limit` is refused at the start.";
    hoarders_of_memory, SOCKET, "Incomplete requests take no more memory than `--buffer-limit`. Those that need more wait, others are answered meanwhile, and freed memory can be used again.";
    hoarders_of_memory_before_init, SOCKET, "Incomplete requests before Init take no more memory than `--buffer-limit`, either.";
    large_requests_at_the_same_time, SOCKET, "A large request without room waits until another request is handled.";
    a_large_request_that_finds_no_room, SOCKET, "A large request that finds no room within `--request-timeout` is refused with an error that names `--buffer-limit`; others are answered meanwhile.";
    a_large_request_whose_sender_has_gone, SOCKET, "A large request does not wait for room once its sender has disconnected: the connection gives back its memory.";
    a_large_request_behind_a_closed_input, SOCKET, "A large request waits for room for `--hangup-timeout` after Kapacitor has closed the input.";
    a_large_request_that_waits_at_a_stop, SOCKET, "A stop does not wait for a large request without room.";
    a_large_request_that_is_never_complete, SOCKET, "A large request that is incomplete after the timeout ends its connection with an error that names `--request-timeout`; a smaller request has no timeout.";
    a_snapshot_of_one_group_again_and_again, BOTH, "A snapshot that contains one group two million times is refused, in memory that grows with its bytes.";
    no_descriptors_left, SOCKET, "Without free descriptors, open connections go on. New ones get an error that names the limit to raise, and are served when there is room.";
    no_descriptors_at_the_start, BOTH, "A start without enough descriptors fails with an error that names the failed step, and the limit to raise.";
    no_threads_left, SOCKET, "Without free threads, open connections go on. New ones get an error that names the limit to raise, and are served when there is room.";
    no_threads_at_the_start, BOTH, "A start without enough threads fails with an error that names the thread, and the limit to raise.";
}

/// Expects an error with all of these texts, and then the end of the connection.
fn is_told(connection: &Connection, with: &[&str]) {
    match connection.next() {
        Some(Answer::Error(error)) => {
            for with in with {
                assert!(error.error.contains(with), "`{with}` is not in `{}`", error.error);
            }
        }
        other => panic!("not an error: {other:?}"),
    }
    assert_eq!(connection.rest_or_reset(), []);
}

/// Asks on new connections until one is answered as `is_it` expects. A machine that stands still
/// may be late with the request, or may not have closed an earlier connection yet.
fn served(program: &Program, ask: &Ask, is_it: fn(&Answer) -> bool) -> Connection {
    let mut served = None;
    let is_served = eventually(|| {
        let mut connection = program.connect();
        // If it is refused, it may be closed already.
        let _ = connection.send(&frame(ask.clone()));
        served = connection.next().filter(is_it).map(|_| connection);
        served.is_some()
    });
    assert!(is_served, "no connection is served");
    served.expect("it is served")
}

/// A new connection whose Init is accepted.
fn started(program: &Program) -> Connection {
    let is_accepted = |answer: &Answer| matches!(answer, Answer::Init(init) if init.success);
    served(program, &udf_tests::program::init(&[]), is_accepted)
}

fn connections_that_say_nothing(_: Transport) {
    let args = ["--init-timeout", "2s", "--max-connections", "3"];
    let program = Program::daemon("mirror", &args);
    let mut one = started(&program);
    let error = ["no Init arrived within 2s", "--init-timeout"];
    let info = |answer: &Answer| matches!(answer, Answer::Info(_));
    let curious = served(&program, &Ask::Info(InfoRequest {}), info);
    let silent = program.connect();
    is_told(&curious, &error);
    is_told(&silent, &error);
    let line = program.wait_for_log("the connection was closed: no Init arrived within 2s");
    assert!(line.contains(" WARN "), "{line}");
    drop((silent, curious));
    // It has been open for longer than they were.
    echo(&mut one, 1);
    // A connection has its place until a moment after the other side has seen its end.
    started(&program);
}

fn a_peer_that_never_reads_before_init(_: Transport) {
    let (program, address, _directory) = measured(&["--init-timeout", "1s"]);
    let requests = frame(Ask::Info(InfoRequest {})).repeat(10_000);
    let mut ends = program.ends();
    let mut endless = iter::repeat_with(|| requests.clone());
    ends.input.write_while_read(&mut endless, TIMEOUT).expect_err("it is closed");
    wait_for(address, "udf_connections_timed_out_total 1");
    serves(&program);
}

/// Returns the length of a request, without the request.
fn announced(bytes: u64) -> Vec<u8> {
    let mut length = Vec::new();
    encode_varint(bytes, &mut length);
    length
}

fn a_large_request_before_init(on: Transport) {
    let large = Ask::Point(large_point(7, 2 << 20));
    let mut udf = Subject::example("mirror", on);
    udf.send(&announced(2 << 20));
    udf.fails("exceeds the limit of 1048576 bytes; raise --init-limit");
    let mut udf = Subject::example("mirror", on);
    let both = [frame(udf_tests::program::init(&[])), frame(large.clone())].concat();
    udf.send(&both);
    assert!(matches!(udf.connection.answer(), Answer::Init(init) if init.success));
    assert!(
        matches!(udf.connection.answer(), Answer::Point(point) if Ask::Point(point.clone()) == large)
    );
    udf.lives();
}

fn a_frame_limit_over_the_budget(on: Transport) {
    let mut command = Command::new(example("mirror"));
    command.args(["--buffer-limit", "1000000"]).stdin(Stdio::piped());
    if on == Transport::Socket {
        command.args(["--socket", "/nowhere/udf.sock"]);
    }
    let mut program = Program::spawn(&mut command);
    let log = program.rest_of_log().join("\n");
    assert!(log.contains("--buffer-limit 1000000 is less than --frame-limit 67108864"), "{log}");
    assert_eq!(program.wait().code(), Some(2));
}

/// The bytes that a hoarder sends. Only the last byte of its request is missing.
const HOARD: usize = 7 << 20;

fn hoard(is_started: bool) {
    let program = Program::daemon(
        "mirror",
        &[
            "--buffer-limit",
            &(16 << 20).to_string(),
            "--frame-limit",
            &(8 << 20).to_string(),
            // Allows requests of this size before Init, too.
            "--init-limit",
            &(8 << 20).to_string(),
            // Timeouts must not end the connections.
            "--init-timeout",
            "1h",
            "--request-timeout",
            "1h",
        ],
    );
    let mut innocent = program.connect();
    init(&mut innocent, &[]);
    echo(&mut innocent, 0);
    let before = memory(program.pid());
    let mut hoarders = Vec::new();
    for time in 1..=12 {
        let mut hoarder = program.connect();
        if is_started {
            init(&mut hoarder, &[]);
        }
        send_as_read(&mut hoarder, [announced(HOARD as u64 + 1), vec![0; HOARD]].concat());
        hoarders.push(hoarder);
        echo(&mut innocent, time);
    }
    let peak = peak_memory(program.pid());
    // Without a limit, the hoarders would take 84 MiB. A connection has a buffer of 256 KiB outside
    // of the limit.
    assert!(peak < before + (24 << 20), "{peak} bytes of memory, {before} of them before");
    drop(hoarders);
    // The memory becomes free a moment after the hoarders have disconnected.
    let large = large_point(1, HOARD);
    let is_served = || {
        let mut connection = program.connect();
        init(&mut connection, &[]);
        let _ = connection.send(&frame(Ask::Point(large.clone())));
        matches!(connection.next(), Some(Answer::Point(point)) if point == large)
    };
    assert!(eventually(is_served), "nothing was given back");
    echo(&mut innocent, 100);
}

fn hoarders_of_memory(_: Transport) {
    hoard(true);
}

fn hoarders_of_memory_before_init(_: Transport) {
    hoard(false);
}

/// Arguments with room for one request of [`HOARD`] bytes, but not for two: 12 MiB, and frames of 8
/// MiB.
const LITTLE_ROOM: [&str; 4] = ["--buffer-limit", "12582912", "--frame-limit", "8388608"];

fn with_little_room(request_timeout: &str) -> Program {
    let arguments = [&LITTLE_ROOM[..], &["--request-timeout", request_timeout]].concat();
    Program::daemon("mirror", &arguments)
}

/// A connection that has sent all of a large request but its last byte, which is returned.
fn nearly_all(program: &Program, point: &Ask) -> (Connection, Vec<u8>) {
    let mut connection = program.connect();
    init(&mut connection, &[]);
    let mut bytes = frame(point.clone());
    let last = bytes.split_off(bytes.len() - 1);
    // All but what the socket holds was read then.
    connection.send(&bytes).expect("the other side reads");
    (connection, last)
}

/// Sends as long as that is read; returns what was not.
fn send_as_read(connection: &mut Connection, bytes: Vec<u8>) -> Vec<u8> {
    let mut input = connection.take_input();
    let Input::Socket(socket) = &mut input else { panic!("a daemon has sockets") };
    socket.set_write_timeout(Some(Duration::from_millis(200))).expect("the descriptor is open");
    let mut sent = 0;
    // If it is refused, it may be closed before it has read everything.
    while let Ok(count @ 1..) = socket.write(&bytes[sent..]) {
        sent += count;
    }
    socket.set_write_timeout(None).expect("the descriptor is open");
    connection.give_input(input);
    bytes[sent..].to_vec()
}

fn large_requests_at_the_same_time(_: Transport) {
    let program = with_little_room("1h");
    let large = Ask::Point(large_point(1, HOARD));
    let (mut first, last) = nearly_all(&program, &large);
    let mut second = program.connect();
    init(&mut second, &[]);
    let rest = send_as_read(&mut second, frame(large.clone()));
    serves(&program);
    first.send(&last).expect("the other side reads");
    let is_back = |connection: &Connection| match connection.answer() {
        Answer::Point(point) => assert!(Ask::Point(point) == large, "it is another"),
        other => panic!("not a point: {other:?}"),
    };
    is_back(&first);
    second.send(&rest).expect("the other side reads");
    is_back(&second);
}

fn a_large_request_that_finds_no_room(_: Transport) {
    let program = with_little_room("2s");
    // It is handled, but nobody reads its answer, which is as large.
    let mut unread = program.ends();
    unread.input.write_all(&frame(udf_tests::program::init(&[]))).expect("the other side reads");
    let large = frame(Ask::Point(large_point(1, HOARD)));
    unread.input.write_all(&large).expect("the other side reads");
    let mut refused = program.connect();
    init(&mut refused, &[]);
    send_as_read(&mut refused, large);
    serves(&program);
    let error = ["there is no room for a large request", "of 12582912 bytes; raise --buffer-limit"];
    is_told(&refused, &error);
    serves(&program);
}

fn a_large_request_whose_sender_has_gone(_: Transport) {
    let (program, address, _directory) =
        measured(&[&LITTLE_ROOM[..], &["--request-timeout", "1h"]].concat());
    let large = Ask::Point(large_point(1, HOARD));
    let (first, _) = nearly_all(&program, &large);
    let mut second = program.ends();
    let requests = [frame(udf_tests::program::init(&[])), frame(large)].concat();
    second
        .input
        .write_while_read(&mut iter::once(requests), Duration::from_millis(200))
        .expect("the request waits for room");
    drop(second);
    wait_for(address, "udf_connections_open 1");
    drop(first);
    wait_for(address, "udf_buffered_bytes 0");
}

fn a_large_request_behind_a_closed_input(_: Transport) {
    let program = with_little_room("1h");
    let large = Ask::Point(large_point(1, HOARD));
    let _first = nearly_all(&program, &large);
    let mut second = program.connect();
    init(&mut second, &[]);
    send_as_read(&mut second, frame(large));
    second.end_input();
    is_told(&second, &["there is no room for a large request", "--buffer-limit"]);
}

fn a_large_request_that_waits_at_a_stop(_: Transport) {
    let mut program = with_little_room("1h");
    let large = Ask::Point(large_point(1, HOARD));
    let (first, _) = nearly_all(&program, &large);
    let mut second = program.connect();
    init(&mut second, &[]);
    send_as_read(&mut second, frame(large));
    program.signal("TERM");
    for connection in [first, second] {
        is_told(&connection, &["the UDF was stopped (SIGTERM)"]);
    }
    assert_eq!(program.wait().code(), Some(0));
}

fn a_large_request_that_is_never_complete(_: Transport) {
    let program = Program::daemon("mirror", &["--request-timeout", "1s"]);
    let (mut small, mut large) = (program.connect(), program.connect());
    init(&mut small, &[]);
    init(&mut large, &[]);
    let point = Ask::Point(large_point(1, 200 << 10));
    let bytes = frame(point.clone());
    let (begin, rest) = bytes.split_at(bytes.len() - 1);
    small.send(begin).expect("the other side reads");
    // On a machine that stands still, it is too late already.
    let _ = large.send(&[announced(2 << 20), vec![0; 1 << 20]].concat());
    is_told(&large, &["a large request did not arrive within 1s", "--request-timeout"]);
    small.send(rest).expect("the other side reads");
    assert!(matches!(small.answer(), Answer::Point(answer) if Ask::Point(answer.clone()) == point));
    serves(&program);
}

/// A state that contains the same group many times.
struct Same(usize);

impl Serialize for Same {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0))?;
        for _ in 0..self.0 {
            map.serialize_entry("", &[0; 0])?;
        }
        map.end()
    }
}

fn a_snapshot_of_one_group_again_and_again(on: Transport) {
    let mut state = StateWriter::new("moving_avg");
    state.field("windows", &Same(2 << 20)).expect("it can be written");
    let snapshot = state.finish();
    let mut udf = Subject::moving_avg(on);
    let before = peak_memory(udf.program.pid());
    udf.ask(Ask::Restore(RestoreRequest { snapshot: snapshot.clone() }));
    match udf.connection.answer() {
        Answer::Restore(answer) if !answer.success => {
            assert!(answer.error.contains("the group `` appears twice"), "{}", answer.error);
        }
        other => panic!("not a refusal: {other:?}"),
    }
    let cost = peak_memory(udf.program.pid()) - before;
    assert!(cost < 3 * snapshot.len() as u64, "{cost} bytes of memory for {}", snapshot.len());
    udf.lives();
}

/// Returns a command that runs a program under a limit of the system.
fn limited(limit: &str, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(limit).arg(program.as_ref());
    command
}

/// Opens connections until one is refused with these texts. Then closes all except the first, and
/// checks that new connections are served.
fn too_many(program: &Program, error: &[&str]) {
    let mut first = program.connect();
    init(&mut first, &[]);
    let mut open = Vec::new();
    let told = loop {
        let mut connection = program.connect();
        // A refused connection may be closed already.
        let _ = connection.send(&frame(udf_tests::program::init(&[])));
        match connection.next() {
            Some(Answer::Init(init)) if init.success => open.push(connection),
            Some(Answer::Error(error)) => break error.error,
            other => panic!("not an answer: {other:?}"),
        }
        assert!(open.len() < 100, "there is no limit");
    };
    for with in error {
        assert!(told.contains(with), "`{with}` is not in `{told}`");
    }
    program.wait_for_log("refused a connection");
    // More connections than can be refused at once.
    let waiting: Vec<_> = (0..10).map(|_| program.connect()).collect();
    for (time, connection) in (1..).zip(&waiting) {
        is_told(connection, error);
        echo(&mut first, time);
    }
    drop((waiting, open));
    // There is room again.
    started(program);
    echo(&mut first, 100);
}

fn no_descriptors_left(_: Transport) {
    let program = Program::listen(&mut limited("--nofile=24", example("mirror")));
    too_many(&program, &["Too many open files", "raise LimitNOFILE or ulimit -n"]);
}

/// Starts a program with an increasing limit until it runs. Every failed start must name the limit
/// to raise.
fn starts(command: impl Fn(u32) -> Command, raise: &str) {
    let mut told = 0;
    for limit in 1..40 {
        let mut program = Program::spawn(command(limit).stdin(Stdio::piped()));
        // A spawned program exits at the end of its input.
        drop(program.pipes());
        let log = program.log_until("listens on").join("\n");
        if log.contains("listens on") || program.wait().success() {
            assert!(told > 0, "there is no limit");
            return;
        }
        match program.wait().code() {
            Some(1) => {
                let last = log.lines().last().unwrap_or_default();
                assert!(last.contains("error: ") && last.contains(raise), "with {limit}: {log}");
                // It is none of the files that are there.
                assert!(!last.contains("remove it"), "with {limit}: {log}");
                told += 1;
            }
            // The loader or Rust's runtime fails before `main`.
            other => assert_eq!(told, 0, "with {limit}: {other:?}: {log}"),
        }
    }
    panic!("the program never starts");
}

fn no_descriptors_at_the_start(on: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let command = |limit| {
        let mut command = limited(&format!("--nofile={limit}"), example("mirror"));
        if on == Transport::Socket {
            command.args(["--metrics", "127.0.0.1:0", "--socket"]);
            command.arg(directory.path().join("udf.sock"));
        }
        command
    };
    starts(command, "raise LimitNOFILE or ulimit -n");
}

/// A user without other processes, whose threads can therefore be limited.
struct User {
    id: u32,
    /// A directory of the user, which contains the program.
    directory: TempDir,
}

impl User {
    /// The user with this id; none where programs cannot be run as another user.
    fn new(id: u32) -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("SKIPPED: only root can run a program as a user whose threads are its own");
            return None;
        }
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::copy(example("mirror"), directory.path().join("mirror")).expect("there is room");
        chown(directory.path(), Some(id), Some(id)).expect("it is root");
        Some(User { id, directory })
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("udf.sock")
    }

    /// Returns a command that runs the program with at most `threads` threads.
    fn command(&self, threads: u32) -> Command {
        let program = self.directory.path().join("mirror");
        let mut command = limited(&format!("--nproc={threads}"), program);
        command.uid(self.id).gid(self.id);
        command
    }
}

fn no_threads_left(_: Transport) {
    let Some(user) = User::new(made_up_user(0)) else { return };
    let program = Program::listen_at(&user.socket(), &mut user.command(12));
    too_many(&program, &["cannot start a thread for it", "raise TasksMax or ulimit -u"]);
}

fn no_threads_at_the_start(on: Transport) {
    // Not the user of the other test, which may run at the same time.
    let Some(user) = User::new(made_up_user(1)) else { return };
    let command = |threads| {
        let mut command = user.command(threads);
        if on == Transport::Socket {
            command.args(["--metrics", "127.0.0.1:0", "--socket"]).arg(user.socket());
        }
        command
    };
    starts(command, "raise TasksMax or ulimit -u");
}
