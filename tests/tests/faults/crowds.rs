//! Many connections of one daemon: a fault on one connection does not affect the others.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::Instant;

use rustix::process::{Resource, Rlimit};
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::batch::begin;
use udf_tests::process::{descriptors, memory, threads};
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, frame};

use crate::subject::{echo, eventually, init, point, serves, trouble, troubled};
use crate::{SOCKET, cases};

cases! {
    many_connections_and_one_sends_garbage, SOCKET, "Garbage on one of twenty connections ends only that connection.";
    many_connections_and_one_is_cut, SOCKET, "Input that ends within a message ends only that connection.";
    many_connections_and_one_announces_3_gib, SOCKET, "A length of 3 GiB ends only that connection.";
    many_connections_and_one_is_out_of_order, SOCKET, "A batch for a UDF that reads a stream ends only that connection.";
    many_connections_and_one_panics, SOCKET, "A panic of a handler ends only that connection.";
    many_connections_and_one_fails, SOCKET, "An error of a handler ends only that connection.";
    many_connections_and_one_hangs, SOCKET, "A handler that hangs blocks only its own connection.";
    many_connections_and_one_goes_away, SOCKET, "A connection that is closed with all output unread affects no other.";
    connections_beyond_4096, SOCKET, "4,200 concurrent connections are served, if the limit allows them; later connections are served, too.";
    one_connection_too_many, SOCKET, "A connection over the limit gets an error that says so; when another ends, its place is free.";
    connections_that_come_and_go, SOCKET, "A thousand connections that have ended leave no thread, descriptor or memory behind.";
    connections_that_fail, SOCKET, "A thousand connections that fail leave nothing behind, either.";
    connections_that_are_never_used, SOCKET, "A thousand connections without any input leave nothing behind, either.";
}

/// Opens twenty connections with a daemon and injects a fault into one of them. The log must then
/// contain `log`. The other connections must not be affected.
fn one_of_many(kind: &str, fault: impl FnOnce(&mut Connection), log: Option<&str>) {
    let program = Program::listen(&mut Command::new(troubled()));
    let mut others: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = program.connect();
            init(&mut connection, &[("kind", &[kind.into()])]);
            echo(&mut connection, 1);
            connection
        })
        .collect();
    let mut bad = others.swap_remove(7);
    fault(&mut bad);
    if let Some(text) = log {
        program.wait_for_log(text);
    }
    for (time, connection) in (2..).zip(&mut others) {
        echo(connection, time);
        connection.end_input();
        assert_eq!(connection.rest(), []);
    }
    serves(&program);
}

fn many_connections_and_one_sends_garbage(_: Transport) {
    one_of_many("none", |bad| bad.send(b"GET /").expect("the other side reads"), None);
    one_of_many(
        "none",
        |bad| bad.send(&[2, 8, 1]).expect("the other side reads"),
        Some("malformed request"),
    );
}

fn many_connections_and_one_is_cut(_: Transport) {
    let fault = |bad: &mut Connection| {
        bad.send(&frame(Ask::Point(point(2)))[..20]).expect("the other side reads");
        bad.end_input();
    };
    one_of_many("none", fault, Some("the input ended within a frame"));
}

fn many_connections_and_one_announces_3_gib(_: Transport) {
    let fault = |bad: &mut Connection| {
        bad.send(&[0x80, 0x80, 0x80, 0x80, 0x0c]).expect("the other side reads")
    };
    one_of_many("none", fault, Some("3221225472 bytes"));
}

fn many_connections_and_one_is_out_of_order(_: Transport) {
    one_of_many("none", |bad| bad.ask(Ask::Begin(begin(1))), Some("reads a stream, not batches"));
}

fn many_connections_and_one_panics(_: Transport) {
    one_of_many(
        "panic",
        |bad| bad.ask(Ask::Point(trouble(2))),
        Some("panicked in point: out of luck"),
    );
}

fn many_connections_and_one_fails(_: Transport) {
    one_of_many("error", |bad| bad.ask(Ask::Point(trouble(2))), Some("the file cannot be written"));
}

fn many_connections_and_one_hangs(_: Transport) {
    let fault = |bad: &mut Connection| {
        bad.ask(Ask::Point(trouble(2)));
        // The first keepalive shows that the handler hangs already.
        bad.wait_for_keepalive();
    };
    one_of_many("hang", fault, None);
}

fn many_connections_and_one_goes_away(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    let mut connection = program.connect();
    init(&mut connection, &[]);
    let mut bad = program.ends();
    bad.input.write_all(&frame(udf_tests::program::init(&[]))).expect("the other side reads");
    bad.input.write_all(&frame(Ask::Point(point(2)))).expect("the other side reads");
    drop(bad);
    program.wait_for_log("the connection has");
    echo(&mut connection, 3);
    serves(&program);
}

fn connections_beyond_4096(_: Transport) {
    const CONNECTIONS: usize = 4200;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < CONNECTIONS as u64 + 200) {
        return eprintln!("skipped: no more than {:?} files can be open here", limit.maximum);
    }
    let all = Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(Resource::Nofile, all).expect("it is below the maximum");
    let program = Program::daemon("mirror", &["--max-connections", "5000"]);
    let init = frame(udf_tests::program::init(&[]));
    let connect = || {
        let mut stream = UnixStream::connect(program.socket()).expect("the daemon listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        stream.write_all(&init).expect("the other side reads");
        stream
    };
    let mut open: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
    for (number, stream) in open.iter_mut().enumerate() {
        let mut reader = FrameReader::new(stream);
        let answer = reader.next_frame().map(|frame| frame.map(udf_proto::response::decode));
        let is_accepted = matches!(&answer, Ok(Some(Ok(Some(Answer::Init(init))))) if init.success);
        assert!(is_accepted, "connection {number}: {answer:?}");
    }
    drop(open);
    for _ in 0..100 {
        serves(&program);
    }
}

fn one_connection_too_many(_: Transport) {
    let program = Program::daemon("mirror", &["--max-connections", "3"]);
    let mut open: Vec<_> = (0..3)
        .map(|time| {
            let mut connection = program.connect();
            init(&mut connection, &[]);
            echo(&mut connection, time);
            connection
        })
        .collect();
    let refused = program.connect();
    assert!(matches!(refused.answer(), Answer::Error(error)
        if error.error.contains("limit of 3 open connections")));
    assert!(refused.rest_or_reset().is_empty());
    program.wait_for_log("refused a connection");
    for (time, connection) in (5..).zip(&mut open) {
        echo(connection, time);
    }
    let mut ended = open.pop().expect("there are three connections");
    ended.end_input();
    assert_eq!(ended.rest(), []);
    program.wait_for_log("the connection has ended");
    // It ends a moment after it has said so.
    let served = eventually(|| {
        let mut connection = program.connect();
        // A refused connection may be closed already.
        let _ = connection.send(&frame(udf_tests::program::init(&[])));
        matches!(connection.next(), Some(Answer::Init(init)) if init.success)
    });
    assert!(served, "the place of a connection that has ended is not free");
}

/// Checks that 1,000 visits leave the daemon with the threads, descriptors and memory that it has
/// after 50 visits.
pub(crate) fn leaves_nothing(program: &Program, mut visit: impl FnMut(&Program)) {
    let mut settled = |visits: u32| {
        (0..visits).for_each(|_| visit(program));
        // Connections are accepted in order, so this is the last one.
        serves(program);
        // The thread of a connection ends a moment after the peer has seen the end.
        let (started, pid) = (Instant::now(), program.pid());
        let busy = |name: &String| name.starts_with("connection");
        while threads(pid).iter().any(busy) && started.elapsed() < TIMEOUT {
            thread::yield_now();
        }
        (threads(pid), descriptors(pid), memory(pid))
    };
    let (threads, descriptors, memory) = settled(50);
    let (threads_after, mut descriptors_after, memory_after) = settled(1000);
    assert_eq!(threads_after, threads);
    // The last scraper is closed a moment after it has read everything.
    let is_settled = eventually(|| {
        descriptors_after = udf_tests::process::descriptors(program.pid());
        descriptors_after <= descriptors
    });
    assert!(is_settled, "{descriptors_after} descriptors, and {descriptors} before");
    assert!(memory_after < memory + (4 << 20), "{} bytes more", memory_after - memory);
}

fn connections_that_come_and_go(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    leaves_nothing(&program, |program| {
        let mut connection = program.connect();
        init(&mut connection, &[]);
        echo(&mut connection, 1);
        connection.end_input();
        assert_eq!(connection.rest(), []);
    });
}

fn connections_that_fail(_: Transport) {
    let program = Program::listen(&mut Command::new(troubled()));
    leaves_nothing(&program, |program| {
        let mut connection = program.connect();
        init(&mut connection, &[("kind", &["panic".into()])]);
        connection.ask(Ask::Point(trouble(1)));
        connection.end_input();
        assert!(matches!(connection.rest().last(), Some(Answer::Error(_))));
    });
}

fn connections_that_are_never_used(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    leaves_nothing(&program, |program| {
        drop(UnixStream::connect(program.socket()).expect("the daemon listens"));
        // One at a time: many concurrent connections may need more resources for a moment.
        serves(program);
    });
}
