//! Signals, and the state that a killed UDF leaves behind.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, RestoreRequest, SnapshotRequest};
use udf_tests::ends::Ends;
use udf_tests::program::{Connection, Program, Transport, example, frame};

use crate::subject::{Subject, echo, init, large_point, point, start, trouble, troubled};
use crate::{BOTH, PIPE, SOCKET, cases};

cases! {
    a_sigterm, BOTH, "At SIGTERM, everything received is handled and answered. Then Kapacitor gets an error that names the signal, and the connections close; exit status 0.";
    a_sigint, BOTH, "SIGINT has the same effect.";
    a_sigterm_while_nothing_happens, BOTH, "An idle UDF ends at once; exit status 0.";
    a_sigterm_without_a_connection, SOCKET, "A daemon without connections ends at once; exit status 0.";
    a_sigterm_within_a_message, BOTH, "An incomplete message at SIGTERM is not an error: the complete ones before it are answered.";
    a_sigterm_while_a_handler_works, BOTH, "At SIGTERM, a busy handler finishes; its points and the later ones are answered.";
    a_sigterm_while_kapacitor_keeps_sending, BOTH, "Input from before SIGTERM is answered, for any amount of later input; then the connection ends; exit status 0.";
    a_sigterm_and_new_connections, SOCKET, "After SIGTERM, no new connection is accepted while the open ones finish.";
    a_sigterm_while_a_handler_hangs, BOTH, "After the grace period, unfinished connections are closed, and the log reports it; exit status 1.";
    a_sigterm_while_nobody_reads, BOTH, "The grace period also ends if the peer does not read.";
    a_second_signal, BOTH, "A second signal kills the process at once.";
    a_second_signal_to_process_1, SOCKET, "The first process of a container exits with status 143 at a second SIGTERM, and with 130 at a second SIGINT.";
    a_sighup, PIPE, "Other signals have their default effect.";
    a_sighup_of_a_daemon, SOCKET, "A daemon without anything to reload goes on at SIGHUP, and logs that once.";
    a_kill_and_a_restart, SOCKET, "After SIGKILL, the next start replaces the socket, and a restored snapshot continues.";
    ten_kills_and_restarts, SOCKET, "A daemon that was killed repeatedly starts again at the same path.";
    a_stop_and_a_restart, SOCKET, "A stopped daemon can start again at once at the same path.";
}

fn drains(on: Transport, signal: &str) {
    let mut udf = Subject::mirror(on);
    let bytes = (0..500).flat_map(|time| frame(Ask::Point(point(time)))).collect::<Vec<_>>();
    udf.send(&bytes);
    udf.program.signal(signal);
    // Kapacitor's end of the connection stays open.
    let answers = udf.rest_until(&format!("SIG{signal}"));
    assert!(
        answers == (0..500).map(|time| Answer::Point(point(time))).collect::<Vec<_>>(),
        "{} answers",
        answers.len()
    );
    assert_eq!(udf.program.wait().code(), Some(0));
    if on == Transport::Socket {
        assert!(!udf.program.socket().exists(), "the socket is still there");
    }
}

fn a_sigterm(on: Transport) {
    drains(on, "TERM");
}

fn a_sigint(on: Transport) {
    drains(on, "INT");
}

fn a_sigterm_within_a_message(on: Transport) {
    // Kapacitor writes the length first, and then the message.
    for came in [1, 2, 20] {
        let mut udf = Subject::troubled(on, "last");
        let cut = frame(Ask::Point(point(2)));
        udf.send(&[&frame(Ask::Point(point(1))), &cut[..came]].concat());
        assert_eq!(udf.connection.answer(), Answer::Point(point(1)));
        udf.program.signal("TERM");
        let rest = udf.rest_until("SIGTERM");
        assert!(matches!(&rest[..], [Answer::Point(last)] if last.name == "last"), "{rest:?}");
        assert_eq!(udf.program.wait().code(), Some(0));
    }
}

fn a_sigterm_while_nothing_happens(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.echo(1);
    udf.program.signal("TERM");
    assert_eq!(udf.rest_until("SIGTERM"), []);
    assert_eq!(udf.program.wait().code(), Some(0));
}

fn a_sigterm_without_a_connection(_: Transport) {
    let mut program = Program::daemon("mirror", &[]);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(!program.socket().exists());
}

fn a_sigterm_while_a_handler_works(on: Transport) {
    let mut udf = Subject::troubled_with(on, "work", 300, &[]);
    udf.echo(1);
    udf.send(&[frame(Ask::Point(trouble(2))), frame(Ask::Point(point(3)))].concat());
    // The first keepalive shows that the handler is working.
    udf.connection.wait_for_keepalive();
    udf.program.signal("TERM");
    let rest = [Answer::Point(trouble(2)), Answer::Point(point(3))];
    assert_eq!(udf.rest_until("SIGTERM"), rest);
    assert_eq!(udf.program.wait().code(), Some(0));
}

fn a_sigterm_while_kapacitor_keeps_sending(on: Transport) {
    let (mut program, mut ends) = start(troubled(), on, &[]);
    let options: [(&str, &[Value]); 2] = [("kind", &["work".into()]), ("amount", &[Value::Int(1)])];
    ends.input.write_all(&frame(udf_tests::program::init(&options))).expect("the other side reads");
    let (output, mut input) = (ends.output, ends.input);
    // Writes until the connection is closed, and counts the completely written points.
    let sent = Arc::new(AtomicI64::new(0));
    let sending = thread::spawn({
        let sent = Arc::clone(&sent);
        move || {
            while input.write_all(&frame(Ask::Point(trouble(sent.load(SeqCst))))).is_ok() {
                sent.fetch_add(1, SeqCst);
            }
        }
    });
    let connection = Connection::reading(output);
    assert!(matches!(connection.answer(), Answer::Init(_)));
    for time in 0..100 {
        assert_eq!(connection.answer(), Answer::Point(trouble(time)));
    }
    let before = sent.load(SeqCst);
    program.signal("TERM");
    let mut rest = connection.rest();
    let told = rest.pop();
    assert!(
        matches!(&told, Some(Answer::Error(error)) if error.error.contains("stopped (SIGTERM)")),
        "{told:?}"
    );
    let answered = 100 + rest.len() as i64;
    assert!(answered >= before, "{before} points were sent, {answered} answered");
    assert!(rest.into_iter().eq((100..answered).map(|time| Answer::Point(trouble(time)))));
    connection.close();
    assert_eq!(program.wait().code(), Some(0));
    sending.join().expect("the thread does not panic");
}

/// Returns a UDF whose handler works or hangs while the process has been asked to stop.
fn stopping(on: Transport, kind: &str, amount: i64, args: &[&str]) -> Subject {
    let mut udf = Subject::troubled_with(on, kind, amount, args);
    udf.ask(Ask::Point(trouble(1)));
    udf.connection.wait_for_keepalive();
    udf.program.signal("TERM");
    udf.program.wait_for_log("SIGTERM");
    udf
}

fn a_sigterm_and_new_connections(on: Transport) {
    let mut udf = stopping(on, "work", 1000, &[]);
    // The socket is removed while the handler is still working.
    let mut served = 0;
    while let Ok(stream) = UnixStream::connect(udf.program.socket()) {
        let mut connection = Connection::new(Ends::socket(stream));
        // The connection was accepted just before the stop, or stays in the queue of the socket.
        let _ = connection.send(&frame(Ask::Keepalive(KeepaliveRequest { time: 1 })));
        served += connection.next().into_iter().count();
    }
    assert!(served < 10, "{served} connections were served after SIGTERM");
    let rest = udf.rest_until("SIGTERM");
    assert_eq!(rest.last(), Some(&Answer::Point(trouble(1))));
    assert_eq!(udf.program.wait().code(), Some(0));
}

/// Checks that the process exits after a grace period of 200 ms.
fn gives_up(on: Transport, mut program: Program) {
    let log = program.rest_of_log().join("\n");
    let line = match on {
        Transport::Pipe => "shutdown timed out after 200ms with input still unprocessed; exiting",
        Transport::Socket => {
            "1 connections did not finish within 200ms of the stop and were closed"
        }
    };
    assert!(log.contains(line), "{log}");
    assert_eq!(program.wait().code(), Some(1));
    if on == Transport::Socket {
        assert!(!program.socket().exists(), "the socket is still there");
    }
}

fn a_sigterm_while_a_handler_hangs(on: Transport) {
    let udf = stopping(on, "hang", 0, &["--shutdown-timeout", "200ms"]);
    gives_up(on, udf.program);
}

fn a_sigterm_while_nobody_reads(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &["--shutdown-timeout", "200ms"]);
    let mut messages = std::iter::once(frame(udf_tests::program::init(&[])))
        .chain((0..128 << 10).map(|time| frame(Ask::Point(large_point(time, 1000)))));
    let silence = Duration::from_millis(400);
    ends.input.write_while_read(&mut messages, silence).expect("the other side is alive");
    program.signal("TERM");
    gives_up(on, program);
}

fn a_second_signal(on: Transport) {
    for (signal, number) in [("TERM", 15), ("INT", 2)] {
        let mut udf = Subject::troubled(on, "hang");
        udf.ask(Ask::Point(trouble(1)));
        udf.connection.wait_for_keepalive();
        udf.program.signal("TERM");
        udf.program.wait_for_log("SIGTERM");
        udf.program.signal(signal);
        assert_eq!(udf.program.wait().signal(), Some(number));
    }
}

/// The first process of a PID namespace ignores signals with a default action.
fn a_second_signal_to_process_1(_: Transport) {
    const UNSHARE: [&str; 4] = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let tried = Command::new("unshare").args(UNSHARE).arg("true").output();
    if !tried.as_ref().is_ok_and(|tried| tried.status.success()) {
        return eprintln!("skipped: no PID namespace can be made here: {tried:?}");
    }
    for (signal, status) in [("TERM", 143), ("INT", 130)] {
        let mut command = Command::new("unshare");
        let mut program = Program::listen(command.args(UNSHARE).arg(troubled()));
        let pid = child_of(program.pid());
        let mut connection = program.connect();
        init(&mut connection, &[("kind", &["hang".into()])]);
        connection.ask(Ask::Point(trouble(1)));
        connection.wait_for_keepalive();
        kill("TERM", pid);
        program.wait_for_log("SIGTERM");
        kill(signal, pid);
        assert_eq!(program.wait().code(), Some(status));
    }
}

/// Returns the child of a process.
fn child_of(pid: u32) -> u32 {
    let processes = std::fs::read_dir("/proc").expect("the folder can be read").flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |child: &u32| {
        // A process that is just ending has no parent.
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        status.lines().any(|line| {
            line.strip_prefix("PPid:").is_some_and(|parent| parent.trim() == pid.to_string())
        })
    };
    pids.find(is_child).expect("the process has a child")
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
    assert!(status.expect("kill runs").success());
}

fn a_sighup(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.program.signal("HUP");
    if hangups_are_ignored() {
        // The tests run under `nohup`, and their children inherit the setting.
        return assert_eq!(udf.lives(), []);
    }
    assert_eq!(udf.program.wait().signal(), Some(1));
}

fn a_sighup_of_a_daemon(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.program.signal("HUP");
    udf.program.wait_for_log("SIGHUP: ignored, there is nothing to reload");
    for time in 0..10 {
        udf.program.signal("HUP");
        udf.echo(time);
    }
    let (rest, log) = udf.finishes_with_log();
    assert_eq!(rest, []);
    assert!(!log.iter().any(|line| line.contains("SIGHUP")), "{log:?}");
}

/// Returns whether this process, and so its children, ignore SIGHUP, as under `nohup`.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("the file can be read");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 != 0)
}

fn average(connection: &mut Connection, value: i64) -> f64 {
    connection.ask(Ask::Point(point(value)));
    match connection.answer() {
        Answer::Point(point) => point.fields_double["avg"],
        other => panic!("not a point: {other:?}"),
    }
}

fn a_kill_and_a_restart(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    let (field, size) = (["usage".into()], [Value::Int(3)]);
    let options: [(&str, &[Value]); 2] = [("field", &field), ("size", &size)];
    let mut program = Program::listen_at(&path, &mut Command::new(example("moving_avg")));
    let mut connection = program.connect();
    init(&mut connection, &options);
    average(&mut connection, 1);
    average(&mut connection, 2);
    connection.ask(Ask::Snapshot(SnapshotRequest {}));
    let Answer::Snapshot(taken) = connection.answer() else { panic!("not a snapshot") };
    program.signal("KILL");
    assert_eq!(program.wait().signal(), Some(9));
    assert!(path.exists(), "a killed process cannot remove its socket");

    let program = Program::listen_at(&path, &mut Command::new(example("moving_avg")));
    let mut connection = program.connect();
    init(&mut connection, &options);
    connection.ask(Ask::Restore(RestoreRequest { snapshot: taken.snapshot }));
    assert!(matches!(connection.answer(), Answer::Restore(restore) if restore.success));
    assert_eq!(average(&mut connection, 6), 3.0);
}

/// Starts and uses a daemon, and ends it with this signal, ten times at one path.
fn restarts(signal: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    for time in 0..10 {
        let mut program = Program::listen_at(&path, &mut Command::new(example("mirror")));
        let mut connection = program.connect();
        init(&mut connection, &[]);
        echo(&mut connection, time);
        program.signal(signal);
        program.wait();
    }
    // Restarts leave no files next to the socket.
    let left = std::fs::read_dir(directory.path()).expect("the folder can be read").count();
    assert!(left <= 2, "{left} files are left");
}

fn ten_kills_and_restarts(_: Transport) {
    restarts("KILL");
}

fn a_stop_and_a_restart(_: Transport) {
    restarts("TERM");
}
