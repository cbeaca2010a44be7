//! Points and batches in both directions, and the bytes that carry them.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::{PipeWriter, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::{Asked, batch, initialized, point, quiet, serve, signal};
use prost::Message;
use udf_host::session::ReceiveError;
use udf_host::{Callbacks, Error, Session, WholeBatch, Writes};
use udf_proto::messages::{self, InfoRequest, Request, SnapshotRequest};

#[test]
fn a_point_comes_back_equal() {
    let session = initialized(quiet(), |mut peer| peer.mirror());
    let out = session.point_out();
    let sent = point(1_700_000_000_000_000_001);
    session.point_in().send(sent.as_point()).unwrap();
    assert_eq!(out.recv(), Some(sent));
    assert_eq!(out.try_recv(), Err(ReceiveError::Timeout));
    session.stop().unwrap();
    assert_eq!(out.try_recv(), Err(ReceiveError::Ended));
}

#[test]
fn a_batch_comes_back_equal() {
    let session = initialized(quiet(), |mut peer| peer.mirror());
    let out = session.batch_out();
    for sent in [batch("cpu", 3), batch("empty", 0), WholeBatch::default(), batch("many", 5_000)] {
        session.batch_in().send(&sent).unwrap();
        assert_eq!(out.recv(), Some(sent));
    }
    session.stop().unwrap();
}

#[test]
fn batches_differ_in_any_member() {
    let same = batch("cpu", 2);
    let mut others = vec![same.clone(); 6];
    others[0].name.clear();
    others[1].group.clear();
    others[2].tags.clear();
    others[3].by_name = false;
    others[4].tmax += 1;
    others[5].points.push(&point(9).as_point());
    assert!(others.iter().all(|other| *other != same));
}

#[test]
fn a_batch_arrives_as_begin_points_and_end() {
    let (seen, requests) = signal();
    let session = initialized(quiet(), move |mut peer| {
        while let Some(request) = peer.next() {
            seen.send(request).unwrap();
        }
    });
    let sent = batch("cpu", 2);
    session.batch_in().send(&sent).unwrap();
    session.stop().unwrap();

    let Asked::Begin(begin) = requests.wait("Begin") else { panic!("Begin comes first") };
    assert_eq!((begin.name.as_str(), begin.group.as_str()), ("cpu", "host=a"));
    assert_eq!((begin.size, begin.by_name), (2, true));
    assert_eq!(begin.tags, sent.tags);
    for time in 0..2 {
        let Asked::Point(point) = requests.wait("a point") else { panic!("then the points") };
        assert_eq!(point.time, time);
    }
    let Asked::End(end) = requests.wait("End") else { panic!("End comes last") };
    assert_eq!((end.name.as_str(), end.group.as_str(), end.tmax), ("cpu", "host=a", 2));
    assert_eq!(end.tags, sent.tags);
    assert!(!end.by_name, "Kapacitor leaves it unset");
    assert!(requests.ends_without_a_word());
}

#[test]
fn batches_of_several_threads_do_not_mix() {
    let session = Arc::new(initialized(quiet(), |mut peer| peer.mirror()));
    let out = session.batch_out();
    let senders = ["a", "b", "c"].map(|name| {
        let batches = session.batch_in();
        std::thread::spawn(move || {
            for size in 0..20 {
                batches.send(&batch(name, 50 * size)).unwrap();
            }
        })
    });
    for _ in 0..60 {
        let received = out.recv().unwrap();
        assert_eq!(received, batch(&received.name, received.tmax));
    }
    for sender in senders {
        sender.join().unwrap();
    }
    session.stop().unwrap();
}

#[test]
fn a_udf_that_is_not_read_is_stopped_by_back_pressure() {
    let (read, reading) = signal();
    let settings = quiet().queue(2);
    let session = Arc::new(initialized(settings, move |mut peer| {
        let mut points = 0;
        while let Some(request) = peer.next() {
            points += 1;
            read.send(points).unwrap();
            assert!(peer.answer(request));
        }
    }));
    const POINTS: i64 = 10_000;
    let points = session.point_in();
    let sending = std::thread::spawn(move || {
        for time in 0..POINTS {
            points.send(point(time).as_point()).unwrap();
        }
    });
    reading.wait("the first point");
    let out = session.point_out();
    for time in 0..POINTS {
        assert_eq!(out.recv().unwrap().as_point().time(), time);
    }
    sending.join().unwrap();
    session.stop().unwrap();
}

#[test]
fn what_waits_for_the_owner_is_bounded_in_bytes_too() {
    let settings = quiet().queue(usize::MAX).queue_bytes(10_000);
    let (sent, sending) = mpsc::channel();
    let session = initialized(settings, move |mut peer| {
        let mut bytes = Vec::new();
        udf_proto::response::append_point(point(1).as_point(), &mut bytes);
        // Many times the size of the pipe and the buffers.
        for _ in 0..4_000_000 / bytes.len() {
            assert!(peer.write(&bytes));
        }
        sent.send(()).unwrap();
        peer.drain();
    });
    let out = session.point_out();
    let early = sending.recv_timeout(Duration::from_millis(300));
    assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout), "all was taken, and nothing read");
    while sending.try_recv().is_err() {
        out.recv_timeout(common::LONG).unwrap();
    }
    let reading = std::thread::spawn(move || out.iter().count());
    session.stop().unwrap();
    reading.join().unwrap();
}

#[test]
fn a_stop_lets_a_batch_be_sent_to_its_end() {
    let (begun, begin) = signal();
    let (going, go) = signal();
    let (ended, end) = signal();
    let session = Arc::new(initialized(quiet(), move |mut peer| {
        let first = peer.next();
        assert!(matches!(first, Some(Asked::Begin(_))), "{first:?}");
        begun.send(()).unwrap();
        go.wait("the stop");
        let mut last = None;
        while let Some(request) = peer.next() {
            last = Some(request);
        }
        ended.send(last).unwrap();
    }));
    let batches = session.batch_in();
    // More than fits in transit, so the sender is in the middle of the batch when the stop comes.
    let sending = std::thread::spawn(move || batches.send(&batch("large", 25_000)));
    begin.wait("the begin of the batch");
    let stopping = {
        let session = session.clone();
        std::thread::spawn(move || session.stop())
    };
    while !matches!(session.start(), Err(Error::AlreadyStopped)) {
        std::thread::yield_now();
    }
    going.send(()).unwrap();
    assert!(matches!(end.wait("the end of the input"), Some(Asked::End(_))));
    sending.join().unwrap().unwrap();
    stopping.join().unwrap().unwrap();
}

/// A writer that records each write separately. Its drop closes the other direction.
struct Recorder {
    writes: mpsc::Sender<Vec<u8>>,
    _peer: PipeWriter,
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the writes for two points and a batch of one point.
fn written(writes: Writes) -> Vec<Vec<u8>> {
    let (input, _peer) = std::io::pipe().unwrap();
    let (sender, receiver) = mpsc::channel();
    let output = Recorder { writes: sender, _peer };
    let session = Session::new(input, output, quiet().writes(writes), Callbacks::new());
    session.start().unwrap();
    session.point_in().send(point(1).as_point()).unwrap();
    session.point_in().send(point(2).as_point()).unwrap();
    session.batch_in().send(&batch("cpu", 1)).unwrap();
    session.stop().unwrap();
    receiver.iter().collect()
}

#[test]
fn the_bytes_are_the_same_however_they_are_written() {
    let expected = expected_frames();
    let in_two = written(Writes::Kapacitor);
    let large = written(Writes::Large);
    assert_eq!(large.concat(), expected.concat());
    assert!(large.len() <= expected.len());
    // The length, then the body.
    assert_eq!(in_two.len(), 2 * expected.len());
    for (two, frame) in in_two.chunks(2).zip(&expected) {
        assert_eq!(&two.concat(), frame);
        assert!(Request::decode(&*two[1]).is_ok());
    }
}

/// Returns prost's encoding of the same messages.
fn expected_frames() -> Vec<Vec<u8>> {
    let decoded = |point: &udf_proto::PointBuf| {
        messages::Point::decode(point.as_point().as_bytes()).expect("a point")
    };
    let batch = batch("cpu", 1);
    let in_batch = messages::Point::decode(batch.points.get(0).unwrap().as_bytes()).unwrap();
    [
        Asked::Point(decoded(&point(1))),
        Asked::Point(decoded(&point(2))),
        Asked::Begin(batch.begin().into()),
        Asked::Point(in_batch),
        Asked::End(batch.end().into()),
    ]
    .map(|message| Request { message: Some(message) }.encode_length_delimited_to_vec())
    .to_vec()
}

#[test]
fn requests_are_the_bytes_of_kapacitor() {
    let (seen, requests) = signal();
    let session = serve(quiet(), Callbacks::new(), move |mut peer| {
        while let Some(request) = peer.next() {
            seen.send(request.clone()).unwrap();
            peer.answer(request);
        }
    });
    session.info().unwrap();
    session.snapshot().unwrap();
    session.stop().unwrap();
    assert_eq!(requests.wait("Info"), Asked::Info(InfoRequest {}));
    assert_eq!(requests.wait("Snapshot"), Asked::Snapshot(SnapshotRequest {}));
}
