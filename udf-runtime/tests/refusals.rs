//! Refused connections: each peer gets the reason, regardless of their number.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::{Scripted, TIMEOUT, frame_of, info};
use rustix::event::{PollFd, PollFlags, poll};
use udf_proto::frame::FrameReader;
use udf_proto::messages::response::Message as Answer;
use udf_proto::response;
use udf_runtime::{Limits, Server, Stream};

/// Refused connections stay open for longer than this, if there are descriptors for them.
const KEPT: Duration = Duration::from_secs(4);

#[test]
fn those_that_write_when_they_are_refused_already_read_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    let limits = Limits::default().connections(1);
    let server = Server::bind(&path, || Scripted::<Stream, Stream>::new().0).unwrap();
    let server = server.limits(limits);
    let stop = server.stopper();
    let serving = thread::spawn(|| server.serve());
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        (stream, Instant::now())
    };
    let _first = connect();
    // Both ends of each connection are in this process, which may be limited to 1,024 descriptors.
    let refused: Vec<_> = (0..200).map(|_| connect()).collect();
    for (stream, _) in &refused {
        poll(&mut [PollFd::new(stream, PollFlags::IN)], None).unwrap();
    }
    for (stream, opened) in &refused {
        let written = (&mut &*stream).write_all(&frame_of(info()));
        assert!(written.is_ok() || opened.elapsed() > KEPT, "{written:?}");
        let mut reader = FrameReader::new(stream);
        let answer = response::decode(reader.next_frame().unwrap().expect("an answer")).unwrap();
        let with = "limit of 1 open connections";
        assert!(
            matches!(&answer, Some(Answer::Error(error)) if error.error.contains(with)),
            "{answer:?}"
        );
    }
    stop.stop();
    serving.join().unwrap().unwrap();
}
