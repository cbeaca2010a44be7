//! The guarantees of a server: independent connections, and a socket that exists while the server
//! does.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{Scripted, TIMEOUT, error_of, frame_of, info, point, times};
use tempfile::TempDir;
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InitRequest, RestoreRequest};
use udf_proto::response;
use udf_runtime::{
    BindError, Emitter, Handler, Init, Limits, Metrics, Point, Remote, Result, ServeError, Server,
    SocketFile, SocketOptions, Stop, Stream, ValueType, Verdict,
};

/// Mirrors points. A point at time 13 panics, and a point at time 14 never returns.
fn mirror() -> Scripted<Stream, Stream> {
    let (mut handler, _) = Scripted::new();
    handler.point = Box::new(move |point, out| {
        match point.time() {
            13 => panic!("thirteen"),
            14 => loop {
                std::thread::park();
            },
            _ => {}
        }
        Ok(out.pass(point)?)
    });
    handler
}

struct Running {
    _directory: TempDir,
    path: PathBuf,
    stop: Stop,
    thread: JoinHandle<Result<(), ServeError>>,
}

fn serve(limits: Limits) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let server = Server::bind(&path, mirror).unwrap().limits(limits);
    let stop = server.stopper();
    let thread = std::thread::spawn(|| server.serve());
    Running { _directory: directory, path, stop, thread }
}

impl Running {
    fn connect(&self) -> Connection {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        Connection { writer: stream.try_clone().unwrap(), reader: FrameReader::new(stream) }
    }

    fn stop(self) -> Result<(), ServeError> {
        self.stop.stop();
        self.thread.join().unwrap()
    }
}

struct Connection {
    writer: UnixStream,
    reader: FrameReader<UnixStream>,
}

impl Connection {
    fn ask(&mut self, message: Ask) {
        self.writer.write_all(&frame_of(message)).unwrap();
    }

    fn answer(&mut self) -> Option<Answer> {
        let frame = self.reader.next_frame().expect("an answer or the end in time")?;
        Some(response::decode(frame).expect("a response").expect("the response has a message"))
    }

    fn init(&mut self) {
        self.ask(Ask::Init(InitRequest::default()));
        assert!(matches!(self.answer(), Some(Answer::Init(init)) if init.success));
    }

    fn rest(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.answer()).collect()
    }
}

#[test]
fn what_happens_on_one_connection_stays_there() {
    let running = serve(Limits::default());
    let mut quiet = running.connect();
    quiet.init();

    let mut panicking = running.connect();
    panicking.init();
    // Unread input is queued after the point that panics. The error must still arrive.
    for time in [1, 13, 2, 3] {
        panicking.ask(Ask::Point(point(time)));
    }
    let answers = panicking.rest();
    assert_eq!(error_of(&answers), "the handler panicked in point: thirteen");

    let mut garbled = running.connect();
    garbled.writer.write_all(&[0xff; 4096]).unwrap();
    assert!(error_of(&garbled.rest()).starts_with("a frame's length is not a varint"));

    let mut cut = running.connect();
    cut.writer.write_all(&[9, 1]).unwrap();
    cut.writer.shutdown(Shutdown::Write).unwrap();
    assert!(error_of(&cut.rest()).starts_with("the input ended within a frame"));

    drop(running.connect());

    quiet.ask(Ask::Point(point(1)));
    assert!(matches!(quiet.answer(), Some(Answer::Point(_))));
    drop(quiet);
    running.stop().unwrap();
}

#[test]
fn a_stop_finishes_what_was_received_and_removes_the_socket() {
    let running = serve(Limits::default());
    let path = running.path.clone();
    let mut connection = running.connect();
    connection.init();
    let mut points = Vec::new();
    for time in 100..1100 {
        points.extend(frame_of(Ask::Point(point(time))));
    }
    connection.writer.write_all(&points).unwrap();
    let reader = std::thread::spawn(move || connection.rest());
    running.stop().unwrap();
    let mut answers = reader.join().unwrap();
    assert_eq!(
        error_of(&answers),
        "the UDF was stopped; start it again if it is a daemon, then disable and enable the task"
    );
    answers.pop();
    // On a slow machine, the watchdog sends keepalives meanwhile.
    answers.retain(|answer| !matches!(answer, Answer::Keepalive(_)));
    assert_eq!(times(&answers).len(), 1000);
    assert!(!path.exists());
}

#[test]
fn a_connection_that_hangs_is_cut_after_the_shutdown_timeout() {
    let limits = Limits::default().shutdown(Duration::from_millis(50));
    let running = serve(limits);
    let mut connection = running.connect();
    connection.init();
    connection.ask(Ask::Point(point(14)));
    // The answer to a keepalive would follow the point. An unsolicited keepalive shows that the
    // point is being handled.
    assert!(matches!(connection.answer(), Some(Answer::Keepalive(_))));
    let ended = running.stop();
    assert!(matches!(ended, Err(ServeError::Unfinished { connections: 1, .. })), "{ended:?}");
}

#[test]
fn connections_over_the_limit_are_told_so() {
    let limits = Limits::default().connections(1);
    let running = serve(limits);
    let mut first = running.connect();
    first.init();
    let mut second = running.connect();
    // The server must discard this input, so that the reason is not lost after a failed write.
    second.ask(info());
    assert_eq!(
        error_of(&second.rest()),
        "the UDF refused the connection: the limit of 1 open connections is reached; raise --max-connections"
    );
    first.ask(info());
    assert!(matches!(first.answer(), Some(Answer::Info(_))));
    drop((first, second));
    running.stop().unwrap();
}

#[test]
fn only_allowed_users_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let own = rustix::process::geteuid().as_raw();
    let mut answered = Vec::new();
    for user in [own, own + 1] {
        let server = Server::bind(&path, mirror).unwrap().allowed_users(vec![user]);
        let stop = server.stopper();
        let thread = std::thread::spawn(|| server.serve());
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.write_all(&frame_of(info())).unwrap();
        let mut reader = FrameReader::new(&stream);
        let frame = reader.next_frame().unwrap().expect("an answer");
        answered.push(match response::decode(frame).unwrap() {
            Some(Answer::Error(error)) => error.error,
            _ => "served".to_owned(),
        });
        drop(reader);
        drop(stream);
        stop.stop();
        thread.join().unwrap().unwrap();
    }
    let refused =
        format!("the UDF refused the connection: user {own} is not allowed by --allow-uid");
    assert_eq!(answered, ["served", &refused]);
}

#[test]
fn a_last_write_that_fails_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let server = Server::bind(&path, || {
        let mut handler = mirror();
        handler.finish = Box::new(|out| Ok(out.build("last").time(9).field("x", 1).send()?));
        handler
    })
    .unwrap();
    let (stop, metrics) = (server.stopper(), server.metrics());
    let thread = thread::spawn(|| server.serve());
    let running = Running { _directory: directory, path, stop, thread };
    let mut connection = running.connect();
    connection.init();
    // The peer reads no more, so the output of `finish` cannot be written.
    connection.writer.shutdown(Shutdown::Read).unwrap();
    drop(connection);
    running.stop().unwrap();
    let text = metrics.to_prometheus();
    let errors = text.lines().find(|line| line.starts_with("udf_errors_total{")).unwrap();
    assert!(errors.ends_with(" 1"), "{errors}");
}

#[test]
fn a_handler_that_cannot_be_made_costs_one_connection() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let mut made = 0;
    let server = Server::bind(&path, move || {
        made += 1;
        assert!(made != 2, "no handler today");
        mirror()
    })
    .unwrap();
    let stop = server.stopper();
    let thread = thread::spawn(|| server.serve());
    let running = Running { _directory: directory, path, stop, thread };
    let mut first = running.connect();
    first.init();
    let mut second = running.connect();
    second.ask(info());
    assert_eq!(
        error_of(&second.rest()),
        "the UDF refused the connection: creating its handler panicked: no handler today"
    );
    let mut third = running.connect();
    third.init();
    first.ask(Ask::Point(point(1)));
    assert!(matches!(first.answer(), Some(Answer::Point(_))));
    drop((first, third));
    running.stop().unwrap();
}

#[test]
fn a_stale_socket_is_taken_over_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket that nobody listens on is left behind");
    let (listener, file) = SocketFile::bind(&path, &SocketOptions::new()).unwrap();
    let again = SocketFile::bind(&path, &SocketOptions::new());
    assert!(matches!(again, Err(BindError::InUse { .. })), "{again:?}");
    // The lock decides, whether or not a process listens.
    drop(listener);
    let again = SocketFile::bind(&path, &SocketOptions::new());
    assert!(matches!(again, Err(BindError::InUse { .. })), "{again:?}");
    drop(file);
    assert!(!path.exists());
    // A server without a lock is still alive.
    let _foreign = UnixListener::bind(&path).unwrap();
    let again = SocketFile::bind(&path, &SocketOptions::new());
    assert!(matches!(again, Err(BindError::InUse { .. })), "{again:?}");
}

#[test]
fn all_that_came_and_all_the_time_that_it_took_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let grace = Duration::from_millis(100);
    let accepter = move || {
        let mut handler = mirror();
        handler.finish = Box::new(move |_| {
            thread::sleep(grace);
            Ok(())
        });
        handler
    };
    let server = Server::bind(&path, accepter).unwrap();
    let (metrics, stop) = (server.metrics(), server.stopper());
    let serving = thread::spawn(|| server.serve());
    // Three ends: a regular one, a panic, and an unexpected message.
    for last in [Ask::Point(point(1)), Ask::Point(point(13)), Ask::Begin(Default::default())] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let init = Ask::Init(InitRequest::default());
        let all = [init, Ask::Point(point(1)), last].map(frame_of).concat();
        stream.write_all(&all).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    stop.stop();
    serving.join().unwrap().unwrap();
    let text = metrics.to_prometheus();
    let count = |name: &str| {
        let start = format!("{name}{{task=\"\",node=\"\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&start));
        value.and_then(|value| value.parse::<f64>().ok()).unwrap()
    };
    assert_eq!(count("udf_points_received_total"), 5.0);
    // The bytes of a request without its length prefix.
    let bytes = |message| frame_of(message).len() - 1;
    let points = 5 * bytes(Ask::Point(point(1)));
    let others =
        3 * bytes(Ask::Init(InitRequest::default())) + bytes(Ask::Begin(Default::default()));
    assert_eq!(count("udf_bytes_received_total"), (points + others) as f64);
    let busy = count("udf_busy_seconds_total");
    assert!(busy >= grace.as_secs_f64(), "{busy} s");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    fs::write(&path, "data").unwrap();
    let error = SocketFile::bind(&path, &SocketOptions::new()).expect_err("it is no socket");
    assert_eq!(
        error.to_string(),
        format!(
            "{} exists and is not a socket; it was left unchanged, choose another path",
            path.display()
        )
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[test]
fn the_socket_has_its_mode_and_only_ours_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let (_listener, file) = SocketFile::bind(&path, &SocketOptions::new()).unwrap();
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    let others: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "udf.sock" && name != "udf.sock.lock")
        .collect();
    assert!(others.is_empty(), "{others:?}");
    // Another socket takes the place of the server's own.
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(file);
    assert!(path.exists());

    let open = SocketOptions::new().mode(0o600);
    let path = directory.path().join("private.sock");
    let (_listener, _file) = SocketFile::bind(&path, &open).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_lock_says_who_is_alive_not_a_socket_that_does_not_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let (listener, file) = SocketFile::bind(&path, &SocketOptions::new()).unwrap();
    // To a client, this socket looks stale.
    drop(listener);
    let second = SocketFile::bind(&path, &SocketOptions::new());
    assert!(matches!(second, Err(BindError::InUse { .. })), "{second:?}");
    assert!(path.exists());
    drop(file);
    SocketFile::bind(&path, &SocketOptions::new()).unwrap();
}

#[test]
fn the_socket_is_never_more_open_than_it_was_asked_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let bind = || SocketFile::bind(&path, &SocketOptions::new().mode(0o600)).unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut modes = BTreeSet::new();
            while modes.is_empty() || !ended.load(Ordering::Relaxed) {
                if let Ok(metadata) = fs::symlink_metadata(&path) {
                    modes.insert(metadata.permissions().mode() & 0o777);
                }
            }
            modes
        });
        // A socket that is created first and restricted later would be seen open sooner or later.
        for _ in 0..2000 {
            drop(bind());
        }
        ended.store(true, Ordering::Relaxed);
        let _last = bind();
        assert_eq!(looking.join().unwrap(), BTreeSet::from([0o600]));
    });
}

#[test]
fn a_path_that_is_too_long_is_refused_by_its_length() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x".repeat(120));
    let error = SocketFile::bind(&path, &SocketOptions::new()).expect_err("it is too long");
    assert!(error.to_string().contains("too long for a socket"), "{error}");
}

#[test]
fn a_user_who_cannot_be_told_from_others_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let server = Server::bind(&path, mirror).unwrap().allowed_users(vec![0, u32::MAX]);
    let error = server.serve().expect_err("it would serve others, or nobody");
    assert!(matches!(error, ServeError::AllowedUser { uid: u32::MAX, .. }), "{error}");
    assert!(!path.exists(), "the socket is still there");
}

/// Returns the value of a metric without labels.
fn metric(metrics: &Metrics, name: &str) -> u64 {
    let text = metrics.to_prometheus();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap()
}

/// Waits until a metric has this value.
fn wait_for(metrics: &Metrics, name: &str, value: u64) {
    let deadline = Instant::now() + TIMEOUT;
    while metric(metrics, name) != value {
        assert!(Instant::now() < deadline, "{name} is {}, not {value}", metric(metrics, name));
        thread::yield_now();
    }
}

#[test]
fn a_large_request_gives_its_memory_back_before_its_answer_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let (sender, remotes) = channel();
    let accepter = move || {
        let (mut handler, _) = Scripted::<Stream, Stream>::new();
        handler.remote = sender.clone();
        handler
    };
    let server = Server::bind(&path, accepter).unwrap();
    let (metrics, stop) = (server.metrics(), server.stopper());
    let serving = thread::spawn(|| server.serve());
    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut connection =
        Connection { writer: stream.try_clone().unwrap(), reader: FrameReader::new(stream) };
    connection.init();
    // A thread of the author writes more than the socket holds, and the peer does not read.
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    let (begun, begins) = channel();
    let writing = thread::spawn(move || {
        let name = "a".repeat(4 << 20);
        remote.emit(|out| {
            begun.send(()).unwrap();
            out.build(&name).field("x", 1.0).send()
        })
    });
    begins.recv_timeout(TIMEOUT).unwrap();
    // Only one thread can write. The answer to the restore waits if it is not first.
    connection.ask(Ask::Restore(RestoreRequest { snapshot: vec![0; 4 << 20] }));
    wait_for(&metrics, "udf_buffered_bytes", 0);
    let mut answers = Vec::new();
    while answers.len() < 2 {
        match connection.answer().unwrap() {
            Answer::Keepalive(_) => {}
            answer => answers.push(answer),
        }
    }
    assert!(answers.iter().any(|answer| matches!(answer, Answer::Restore(_))));
    writing.join().unwrap().unwrap();
    drop(connection);
    stop.stop();
    serving.join().unwrap().unwrap();
}

/// Reports the request for Info, and answers after it was released and some time has passed.
struct Slow {
    asked: Sender<()>,
    told: Arc<Mutex<Receiver<()>>>,
    takes: Duration,
}

impl Handler for Slow {
    type Wants = Stream;
    type Provides = Stream;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        self.asked.send(()).unwrap();
        self.told.lock().unwrap().recv_timeout(TIMEOUT).unwrap();
        thread::sleep(self.takes);
        BTreeMap::new()
    }

    fn init(&mut self, _: Init, _: &Remote<Stream>) -> Result<Verdict> {
        Ok(Verdict::Accepted)
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_time_of_the_author_does_not_count_until_init() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let within = Duration::from_secs(1);
    let (asked, asks) = channel();
    let (tell, told) = channel();
    let told = Arc::new(Mutex::new(told));
    let accepter = move || Slow { asked: asked.clone(), told: Arc::clone(&told), takes: within };
    let limits = Limits::default().init(within);
    let server = Server::bind(&path, accepter).unwrap().limits(limits);
    let stop = server.stopper();
    let serving = thread::spawn(|| server.serve());
    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut connection =
        Connection { writer: stream.try_clone().unwrap(), reader: FrameReader::new(stream) };
    connection.ask(info());
    asks.recv_timeout(TIMEOUT).unwrap();
    // The metric is updated when the answer has been written.
    connection.ask(Ask::Init(InitRequest::default()));
    tell.send(()).unwrap();
    let mut answer = || loop {
        match connection.answer() {
            Some(Answer::Keepalive(_)) => {}
            answer => return answer,
        }
    };
    assert!(matches!(answer(), Some(Answer::Info(_))));
    assert!(matches!(answer(), Some(Answer::Init(init)) if init.success));
    drop(connection);
    stop.stop();
    serving.join().unwrap().unwrap();
}
