//! The sink of the data, and points that are sent encoded.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use common::{Signal, batch, connect, point, quiet, serve, signal, timed};
use udf_host::{Callbacks, Error, Session, Settings, Sink, WholeBatch};
use udf_proto::point::PointIndex;
use udf_proto::{EdgeType, Init, Point, PointBuf, response};

/// What a sink was given.
#[derive(Debug, PartialEq)]
enum Given {
    Point(PointBuf),
    Batch(WholeBatch),
    Mark(u32),
    Pause,
}

/// Passes on what it is given; fails once the receiver is gone.
struct Passing(Sender<Given>);

impl Passing {
    fn give(&self, given: Given) -> io::Result<()> {
        self.0.send(given).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads"))
    }
}

impl Sink for Passing {
    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        self.give(Given::Point(point.to_buf()))
    }

    fn batch(&mut self, batch: &WholeBatch) -> io::Result<()> {
        self.give(Given::Batch(batch.clone()))
    }

    fn mark(&mut self, mark: u32) -> io::Result<()> {
        self.give(Given::Mark(mark))
    }

    fn pause(&mut self) -> io::Result<()> {
        self.give(Given::Pause)
    }
}

/// Returns the frame of a point.
fn encoded(time: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    response::append_point(point(time).as_point(), &mut bytes);
    bytes
}

fn passing(session: &Session, provides: EdgeType) -> Signal<Given> {
    let (sender, receiver) = signal();
    session.data_to(provides, Box::new(Passing(sender))).unwrap();
    session.init(Init::default()).unwrap();
    receiver
}

#[test]
fn a_sink_gets_the_points_and_a_pause_before_the_wait() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    let given = passing(&session, EdgeType::Stream);
    let frames = (1..=3).flat_map(encoded).collect::<Vec<_>>();
    session.point_in().send_encoded(&frames).unwrap();
    for point in (1..=3).map(point) {
        // The peer may have written each point by itself.
        let mut next = given.wait("a point");
        while next == Given::Pause {
            next = given.wait("a point");
        }
        assert_eq!(next, Given::Point(point));
    }
    assert_eq!(given.wait("a pause"), Given::Pause);
    session.stop().unwrap();
    assert!(session.point_out().recv().is_none());
}

#[test]
fn marks_come_between_the_points_that_they_were_sent_between() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    let given = passing(&session, EdgeType::Stream);
    let points = session.point_in();
    points.mark(0).unwrap();
    points.send_encoded(&encoded(1)).unwrap();
    points.mark(u32::MAX).unwrap();
    points.mark(7).unwrap();
    points.send_encoded(&encoded(2)).unwrap();
    let point = |time| Given::Point(point(time));
    for expected in [Given::Mark(0), point(1), Given::Mark(u32::MAX), Given::Mark(7), point(2)] {
        let mut next = given.wait("data");
        while next == Given::Pause {
            next = given.wait("data");
        }
        assert_eq!(next, expected);
    }
    session.stop().unwrap();
}

/// Takes the points with an even time as they came.
struct Taking(Sender<Result<Vec<u8>, i64>>);

impl Sink for Taking {
    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        self.0.send(Err(point.time())).map_err(io::Error::other)
    }

    fn encoded_point(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let is_even = PointIndex::new().parse(bytes).unwrap().time() % 2 == 0;
        Ok(is_even && self.0.send(Ok(bytes.to_vec())).is_ok())
    }

    fn batch(&mut self, _: &WholeBatch) -> io::Result<()> {
        unreachable!("the UDF provides a stream")
    }

    fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_may_take_points_as_they_came() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    let (sender, given) = signal();
    session.data_to(EdgeType::Stream, Box::new(Taking(sender))).unwrap();
    session.init(Init::default()).unwrap();
    session.point_in().send_encoded(&(1..=4).flat_map(encoded).collect::<Vec<_>>()).unwrap();
    for time in 1..=4 {
        match given.wait("a point") {
            Err(other) => assert!(other == time && time % 2 == 1, "{other} came as {time}"),
            Ok(bytes) => {
                assert_eq!(PointIndex::new().parse(&bytes).unwrap().to_buf(), point(time));
            }
        }
    }
    session.stop().unwrap();
}

#[test]
fn a_sink_gets_whole_batches() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    let given = passing(&session, EdgeType::Batch);
    let sent = batch("cpu", 3);
    session.batch_in().send(&sent).unwrap();
    let mut next = given.wait("the batch");
    while next == Given::Pause {
        next = given.wait("the batch");
    }
    assert_eq!(next, Given::Batch(sent));
    session.stop().unwrap();
}

#[test]
fn a_sink_is_given_only_the_data_of_its_edge() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    let _given = passing(&session, EdgeType::Batch);
    session.point_in().send(point(1).as_point()).unwrap();
    session.wait_io();
    let error = session.stop().unwrap_err();
    assert!(matches!(error, Error::WrongEdge { provides: EdgeType::Batch, .. }), "{error}");
}

#[test]
fn an_error_of_the_sink_aborts_the_connection() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    drop(passing(&session, EdgeType::Stream));
    session.point_in().send(point(1).as_point()).unwrap();
    session.wait_io();
    let error = session.stop().unwrap_err();
    assert_eq!(error.to_string(), "the data of the UDF could not be passed on: nobody reads");
    let Error::Sink(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn data_before_a_fault_is_flushed() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.init();
        peer.next();
        let mut bytes = encoded(1);
        bytes.extend([3, 0xff, 0xff, 0xff]);
        peer.write(&bytes);
        peer.drain();
    });
    let given = passing(&session, EdgeType::Stream);
    session.point_in().send(point(1).as_point()).unwrap();
    session.wait_io();
    session.stop().unwrap_err();
    assert_eq!(given.wait("the point"), Given::Point(point(1)));
    assert_eq!(given.wait("the flush"), Given::Pause);
}

#[test]
fn a_sink_comes_before_the_init() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    session.init(Init::default()).unwrap();
    let late = session.data_to(EdgeType::Stream, Box::new(Passing(signal().0)));
    assert!(matches!(late, Err(Error::SinkTooLate)), "{late:?}");
    session.stop().unwrap();
}

/// Blocks in its first call until it may go on.
struct Blocking {
    entered: Sender<()>,
    go_on: Option<Signal<()>>,
}

impl Sink for Blocking {
    fn point(&mut self, _: Point<'_>) -> io::Result<()> {
        if let Some(go_on) = self.go_on.take() {
            self.entered.send(()).unwrap();
            go_on.wait("the end of the block");
        }
        Ok(())
    }

    fn batch(&mut self, _: &WholeBatch) -> io::Result<()> {
        unreachable!("the UDF sends points")
    }

    fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a session whose sink is blocked, and the sender that ends the block.
fn blocked(settings: Settings, callbacks: Callbacks) -> (Session, Sender<()>) {
    let session = serve(settings, callbacks, |mut peer| {
        peer.init();
        peer.write(&encoded(1));
        peer.mirror();
    });
    let ((entered, enters), (go, go_on)) = (signal(), signal());
    let sink = Blocking { entered, go_on: Some(go_on) };
    session.data_to(EdgeType::Stream, Box::new(sink)).unwrap();
    session.init(Init::default()).unwrap();
    enters.wait("a point");
    (session, go)
}

#[test]
fn a_sink_that_blocks_pauses_the_timeout() {
    let (aborted, abort) = mpsc::channel();
    let callbacks = Callbacks::new().on_abort(move |error| aborted.send(error.clone()).unwrap());
    let (session, go) = blocked(timed(400), callbacks);
    let error = abort.recv_timeout(Duration::from_millis(1_300));
    assert!(matches!(error, Err(mpsc::RecvTimeoutError::Timeout)), "{error:?}");
    go.send(()).unwrap();
    session.info().unwrap();
    session.stop().unwrap();
}

#[test]
fn a_udf_that_is_silent_after_a_blocked_sink_times_out() {
    let (aborted, abort) = signal();
    let callbacks = Callbacks::new().on_abort(move |error| aborted.send(error.clone()).unwrap());
    let (session, mut peer) = connect(timed(200), callbacks);
    let ((entered, enters), (go, go_on)) = (signal(), signal());
    let sink = Blocking { entered, go_on: Some(go_on) };
    session.data_to(EdgeType::Stream, Box::new(sink)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| peer.init());
        session.init(Init::default()).unwrap();
    });
    peer.write(&encoded(1));
    enters.wait("a point");
    go.send(()).unwrap();
    let error = abort.wait("the timeout");
    assert!(matches!(error, Error::KeepaliveTimedout { .. }), "{error}");
    drop(peer);
    session.stop().unwrap_err();
}

#[test]
fn a_sink_that_never_returns_is_named() {
    let settings =
        quiet().close_within(Duration::from_millis(100)).abort_within(Duration::from_millis(50));
    let (session, go) = blocked(settings, Callbacks::new());
    let error = session.stop().unwrap_err();
    assert_eq!(
        error.to_string(),
        "data of the UDF were still unread 100ms after the end of its input"
    );
    go.send(()).unwrap();
}
