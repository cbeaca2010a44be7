//! More connections than a daemon may have, or has descriptors for.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use udf_proto::frame::FrameReader;
use udf_proto::messages::response::Message as Answer;
use udf_tests::process::threads;
use udf_tests::program::{Program, TIMEOUT, Transport, example, frame};

use crate::subject::{init, serves};
use crate::{SOCKET, cases};

cases! {
    six_thousand_at_once, SOCKET, "Of 6,000 concurrent connections, a daemon with default limits serves 4,096. The others get an error that names the limit, also if they write after it. Then 12,000 consecutive connections are all served.";
    hundreds_without_descriptors, SOCKET, "Without free descriptors, each of hundreds of refused connections that stay open gets its error in time.";
    more_connections_than_descriptors, SOCKET, "At the start, a warning names a limit of open files that is too low for the limit of connections. The soft limit is raised without a warning.";
}

/// The default of `--max-connections`.
const LIMIT: usize = 4096;

/// Refused connections are kept open for longer than this, if there are descriptors for them.
const KEPT: Duration = Duration::from_secs(4);

fn connect(program: &Program) -> UnixStream {
    let stream = UnixStream::connect(program.socket()).expect("the daemon listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
    stream
}

fn ask(mut stream: &UnixStream) -> io::Result<()> {
    stream.write_all(&frame(udf_tests::program::init(&[])))
}

fn answer(stream: &UnixStream) -> Answer {
    let mut reader = FrameReader::new(stream);
    let frame = reader.next_frame().expect("an answer in time").expect("an answer");
    udf_proto::response::decode(frame).expect("a response").expect("the response has a message")
}

#[track_caller]
fn assert_served(stream: &UnixStream) {
    let answer = answer(stream);
    assert!(matches!(&answer, Answer::Init(init) if init.success), "{answer:?}");
}

#[track_caller]
fn assert_told(stream: &UnixStream, with: &str) {
    let answer = answer(stream);
    assert!(matches!(&answer, Answer::Error(error) if error.error.contains(with)), "{answer:?}");
}

fn six_thousand_at_once(_: Transport) {
    const CONNECTIONS: usize = 6000;
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < 2 * CONNECTIONS as u64) {
        return eprintln!("SKIPPED: no more than {:?} files can be open here", limit.maximum);
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("the limit can be lowered");
    let program = Program::daemon("mirror", &[]);
    // They are accepted in their order.
    let served: Vec<_> = (0..LIMIT)
        .map(|_| {
            let stream = connect(&program);
            ask(&stream).expect("the other side reads");
            stream
        })
        .collect();
    let refused: Vec<_> =
        (LIMIT..CONNECTIONS).map(|_| (connect(&program), Instant::now())).collect();
    for (stream, _) in &refused {
        poll(&mut [PollFd::new(stream, PollFlags::IN)], None).expect("the descriptor is open");
    }
    for (stream, opened) in &refused {
        let written = ask(stream);
        assert!(written.is_ok() || opened.elapsed() > KEPT, "{written:?}");
        assert_told(stream, "the limit of 4096 open connections is reached");
    }
    served.iter().for_each(assert_served);
    drop((served, refused));
    let started = Instant::now();
    while threads(program.pid()).iter().any(|name| name.starts_with("connection")) {
        assert!(started.elapsed() < 2 * TIMEOUT, "connections do not end");
        thread::yield_now();
    }
    for _ in 0..12_000 {
        let stream = connect(&program);
        ask(&stream).expect("the other side reads");
        assert_served(&stream);
    }
}

fn hundreds_without_descriptors(_: Transport) {
    let mut command = Command::new("prlimit");
    command.arg("--nofile=24").arg(example("mirror"));
    // Those that are served stay.
    let program = Program::listen(command.args(["--init-timeout", "0s"]));
    let mut first = program.connect();
    init(&mut first, &[]);
    let started = Instant::now();
    let waiting: Vec<_> = (0..600).map(|_| connect(&program)).collect();
    // The first of them are served.
    for stream in &waiting[24..] {
        assert_told(stream, "there is no descriptor for it: Too many open files");
    }
    // A few per second would take minutes.
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    drop(waiting);
    program.signal("TERM");
    let log = program.log_until("has stopped").join("\n");
    assert!(log.contains("more connections since the last warning, reason: descriptors"), "{log}");
}

fn more_connections_than_descriptors(_: Transport) {
    let start = |limit: &str| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("udf.sock");
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={limit}")).arg(example("mirror"));
        command.args(["--max-connections", "100", "--socket"]).arg(&path);
        let program = Program::spawn(command.stdin(std::process::Stdio::null()));
        let lines = program.log_until("listens on");
        serves(&program.at(&path));
        lines.join("\n")
    };
    let log = start("200");
    for with in ["--max-connections 100 needs 356 open files", "limit is 200", "LimitNOFILE=356"] {
        assert!(log.contains(with), "`{with}` is not in {log}");
    }
    assert!(!start("30:356").contains("open files"));
}
