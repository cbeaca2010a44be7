//! Workers that wait, and threads of a task.

use std::path::PathBuf;

use tempfile::TempDir;
use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::process::threads;
use udf_tests::program::{Connection, Transport, frame};

use crate::subject::{Subject, eventually, init, point, serves, trouble};
use crate::{BOTH, PIPE, SOCKET, cases};

cases! {
    workers_that_wait, BOTH, "Kapacitor gets keepalives while workers wait, also without input. Their points arrive in the order of the input, even if the last one is done first.";
    a_worker_that_hangs, BOTH, "After the budget, keepalives end; the log names the task, the node and the oldest point that hangs.";
    a_sigterm_while_workers_wait, BOTH, "SIGTERM waits for the points of workers, and they are delivered.";
    a_sigterm_while_a_worker_hangs, PIPE, "A spawned process exits after `--shutdown-timeout`.";
    an_abort_while_a_worker_hangs, PIPE, "If Kapacitor leaves, a spawned process exits after the budget and `--hangup-timeout`; the log names `point`.";
    workers_of_many_connections, SOCKET, "The workers of a connection end with it.";
    a_thread_with_last_words, BOTH, "The end of the input waits for a thread of the task, and its output arrives.";
    a_thread_that_fails, BOTH, "The error of a thread is reported at once, without waiting for input.";
    a_thread_that_never_returns, BOTH, "A thread that does not return within `--shutdown-timeout` is an error that names it. A spawned process exits, a daemon serves others.";
    a_sigterm_while_a_thread_never_returns, PIPE, "A spawned process exits after `--shutdown-timeout`, and the log names the thread.";
}

/// FIFOs in a directory, one for each look-up.
struct Fifos(TempDir);

impl Fifos {
    fn new(count: i64) -> Self {
        let fifos = Fifos(tempfile::tempdir().expect("there is room"));
        for number in 0..count {
            let path = fifos.path(number);
            rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).expect("it is new");
        }
        fifos
    }

    fn path(&self, number: i64) -> PathBuf {
        self.0.path().join(number.to_string())
    }

    /// Lets the look-up return. Waits until it has begun.
    fn answer(&self, number: i64) {
        std::fs::write(self.path(number), "").expect("somebody reads");
    }

    fn point(&self, number: i64) -> Point {
        let mut point = point(number);
        let path = self.path(number).to_string_lossy().into_owned();
        point.fields_string.insert("fifo".into(), path);
        point
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_waiting"))
}

fn start(on: Transport, thread: &str, args: &[&str]) -> Subject {
    Subject::start(path(), on, args).init(&[("thread", &[thread.into()])])
}

/// A UDF whose four workers wait.
fn waiting(on: Transport, fifos: &Fifos) -> Subject {
    let mut udf = start(on, "none", &[]);
    (0..4).for_each(|number| udf.ask(Ask::Point(fifos.point(number))));
    udf
}

fn answered(fifos: &Fifos) -> Vec<Answer> {
    (0..4).rev().for_each(|number| fifos.answer(number));
    (0..4).map(|number| Answer::Point(fifos.point(number))).collect()
}

fn workers_that_wait(on: Transport) {
    let fifos = Fifos::new(4);
    let udf = waiting(on, &fifos);
    (0..3).for_each(|_| udf.connection.wait_for_keepalive());
    let expected = answered(&fifos);
    let answers: Vec<_> = (0..4).map(|_| udf.connection.answer()).collect();
    assert_eq!(answers, expected);
    assert_eq!(udf.lives(), []);
}

fn a_worker_that_hangs(on: Transport) {
    let mut udf = start(on, "none", &["--busy-budget", "1s"]);
    udf.send(&[frame(Ask::Point(trouble(1))), frame(Ask::Point(point(2)))].concat());
    let line = udf.program.wait_for_log("the handler hangs");
    // The Init is the first call.
    for part in ["`point`, call 2", "task=\"task\"", "node=\"node\""] {
        assert!(line.contains(part), "`{part}` is not in `{line}`");
    }
}

fn a_sigterm_while_workers_wait(on: Transport) {
    let fifos = Fifos::new(4);
    let mut udf = waiting(on, &fifos);
    udf.connection.wait_for_keepalive();
    udf.program.signal("TERM");
    let expected = answered(&fifos);
    assert_eq!(udf.rest_until("SIGTERM"), expected);
    assert_eq!(udf.program.wait().code(), Some(0));
}

fn a_sigterm_while_a_worker_hangs(on: Transport) {
    let mut udf = start(on, "none", &["--shutdown-timeout", "200ms"]);
    udf.ask(Ask::Point(trouble(1)));
    udf.connection.wait_for_keepalive();
    udf.program.signal("TERM");
    udf.program.wait_for_log("shutdown timed out after 200ms");
    assert_eq!(udf.program.wait().code(), Some(1));
}

fn an_abort_while_a_worker_hangs(on: Transport) {
    let args = ["--busy-budget", "1s", "--hangup-timeout", "1s"];
    let mut udf = start(on, "none", &args);
    udf.ask(Ask::Point(trouble(1)));
    udf.connection.wait_for_keepalive();
    let Subject { mut program, connection, .. } = udf;
    connection.close();
    program.wait_for_log("Kapacitor closed the input, and `point` has not returned for 1s");
    assert_eq!(program.wait().code(), Some(1));
}

fn workers_of_many_connections(on: Transport) {
    let fifos = Fifos::new(4);
    let udf = waiting(on, &fifos);
    let mut other: Connection = udf.program.connect();
    init(&mut other, &[]);
    other.ask(Ask::Point(point(1)));
    assert_eq!(other.answer(), Answer::Point(point(1)));
    let workers = || {
        let threads = threads(udf.program.pid());
        threads.iter().filter(|name| name.starts_with("worker-")).count()
    };
    // As many as there is work for: one point needs one worker.
    assert!(eventually(|| workers() == 5), "{} workers", workers());
    other.end_input();
    assert_eq!(other.rest(), []);
    assert!(eventually(|| workers() == 4), "{} workers", workers());
    let expected = answered(&fifos);
    let pid = udf.program.pid();
    let Subject { program, mut connection, .. } = udf;
    connection.end_input();
    assert_eq!(connection.rest(), expected);
    let has_workers = || threads(pid).iter().any(|name| name.starts_with("worker-"));
    assert!(eventually(|| !has_workers()), "{:?}", threads(pid));
    serves(&program);
}

fn a_thread_with_last_words(on: Transport) {
    let mut udf = start(on, "last", &[]);
    udf.ask(Ask::Point(point(1)));
    let rest = udf.finishes();
    assert!(
        matches!(&rest[..], [Answer::Point(first), Answer::Point(last)]
            if *first == point(1) && last.name == "last"),
        "{rest:?}"
    );
}

fn a_thread_that_fails(on: Transport) {
    let fifos = Fifos::new(1);
    let fifo = fifos.path(0).to_string_lossy().into_owned();
    let udf = Subject::start(path(), on, &[]);
    let mut udf = udf.init(&[("thread", &["fails".into()]), ("fifo", &[fifo.as_str().into()])]);
    udf.ask(Ask::Point(point(1)));
    assert_eq!(udf.connection.answer(), Answer::Point(point(1)));
    fifos.answer(0);
    assert!(matches!(udf.connection.answer(), Answer::Error(error)
        if error.error == "the thread `fails` failed: the list is gone"));
    udf.connection.end_input();
    assert_eq!(udf.connection.rest(), []);
    udf.ends(1);
}

fn a_thread_that_never_returns(on: Transport) {
    let mut udf = start(on, "holds", &["--shutdown-timeout", "500ms"]);
    udf.ask(Ask::Point(point(1)));
    udf.connection.end_input();
    let with = "the thread `holds` did not return within 500ms of the end of the input";
    assert_eq!(udf.fails(with), [Answer::Point(point(1))]);
}

fn a_sigterm_while_a_thread_never_returns(on: Transport) {
    let mut udf = start(on, "holds", &["--shutdown-timeout", "2s"]);
    udf.echo(1);
    udf.program.signal("TERM");
    udf.program.wait_for_log("waiting for the thread `holds` to return");
    assert_eq!(udf.program.wait().code(), Some(1));
}
