//! A server whose author's subscriber panics.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;

use common::{Scripted, TIMEOUT, error_of, frame_of};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata};
use udf_proto::frame::FrameReader;
use udf_proto::messages::InitRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::response;
use udf_runtime::{Server, Stream};

/// Panics in the threads of the first two connections: in the first when its span is created, in
/// the second when its span is entered. Also panics at each event of a thread named `accepting`.
struct Broken;

/// Returns whether this is the thread of the connection with this number.
fn is_in(connection: &str) -> bool {
    thread::current().name() == Some(connection)
}

impl tracing::Subscriber for Broken {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        assert!(!is_in("connection-1"), "no room for a span");
        Id::from_u64(1)
    }

    fn enter(&self, _: &Id) {
        assert!(!is_in("connection-2"), "no way in");
    }

    fn event(&self, _: &Event<'_>) {
        assert!(!is_in("connection-1") && !is_in("accepting"), "no words");
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_panic_before_the_agent_starts_is_answered_and_counted() {
    // The other test may have installed it.
    let _ = tracing::subscriber::set_global_default(Broken);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let server = Server::bind(&path, || Scripted::<Stream, Stream>::new().0).unwrap();
    let (stop, metrics) = (server.stopper(), server.metrics());
    let serving = thread::spawn(|| server.serve());
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    };
    let answers = |stream: UnixStream| {
        let mut reader = FrameReader::new(stream);
        let next = || {
            let frame = reader.next_frame().expect("an answer or the end in time")?;
            Some(response::decode(frame).expect("a response").expect("the response has a message"))
        };
        std::iter::from_fn(next).collect::<Vec<_>>()
    };
    let first = answers(connect());
    assert_eq!(error_of(&first), "the connection panicked: no room for a span");
    let second = answers(connect());
    assert_eq!(error_of(&second), "the connection panicked: no way in");
    let mut third = connect();
    third.write_all(&frame_of(Ask::Init(InitRequest::default()))).unwrap();
    third.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(&answers(third)[..], [Answer::Init(init)] if init.success));
    stop.stop();
    serving.join().unwrap().unwrap();
    let text = metrics.to_prometheus();
    for line in [r#"udf_errors_total{task="",node=""} 2"#, "udf_connections_total 3"] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
}

#[test]
fn a_panic_of_the_thread_that_accepts_is_survived() {
    let _ = tracing::subscriber::set_global_default(Broken);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let nobody = rustix::process::geteuid().as_raw() + 1;
    let server = Server::bind(&path, || Scripted::<Stream, Stream>::new().0).unwrap();
    let server = server.allowed_users(vec![nobody]);
    let (stop, metrics) = (server.stopper(), server.metrics());
    let accepting = thread::Builder::new().name("accepting".to_owned());
    let serving = accepting.spawn(|| server.serve()).unwrap();
    for _ in 0..3 {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut reader = FrameReader::new(stream);
        let answer = response::decode(reader.next_frame().unwrap().expect("an answer")).unwrap();
        assert!(matches!(answer, Some(Answer::Error(_))), "{answer:?}");
    }
    stop.stop();
    serving.join().unwrap().unwrap();
    let text = metrics.to_prometheus();
    assert!(text.contains("udf_connections_refused_total{reason=\"user\"} 3"), "{text}");
}
