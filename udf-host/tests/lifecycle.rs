//! A session from start to stop: requests, their answers, and how both end.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Asked, LONG, Said, connect, initialized, point, quiet, serve, signal};
use udf_host::{Callbacks, Error, Init, Session};
use udf_proto::messages::{
    InfoResponse, InitResponse, OptionInfo, RestoreResponse, SnapshotResponse,
};
use udf_proto::{EdgeType, OptionCall, Value, ValueType, messages};

#[test]
fn start_and_stop() {
    let (ended, end) = signal();
    let session = serve(quiet(), Callbacks::new(), move |mut peer| {
        ended.send(peer.next().is_none()).unwrap();
    });
    session.stop().unwrap();
    assert!(end.wait("the peer sees the end of its input"));
    session.wait_io();
}

#[test]
fn start_init_and_stop() {
    let (asked, asking) = signal();
    let session = serve(quiet(), Callbacks::new(), move |mut peer| {
        let request = peer.next().unwrap();
        asked.send(request.clone()).unwrap();
        peer.answer(request);
        peer.drain();
    });
    let init = Init {
        options: vec![OptionCall { name: "size".into(), values: vec![Value::Int(3)] }],
        task_id: "task".into(),
        node_id: "node".into(),
    };
    session.init(init.clone()).unwrap();
    assert_eq!(asking.wait("Init"), Asked::Init(init.into()));
    session.stop().unwrap();
}

#[test]
fn info_is_what_the_udf_says() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        assert!(matches!(peer.next(), Some(Asked::Info(_))));
        let size = OptionInfo { value_types: vec![messages::ValueType::Int.into()] };
        let options = [("size".to_owned(), size)].into();
        let provides = messages::EdgeType::Batch.into();
        peer.say(Said::Info(InfoResponse { wants: 0, provides, options }));
        peer.drain();
    });
    let info = session.info().unwrap();
    assert_eq!((info.wants, info.provides), (EdgeType::Stream, EdgeType::Batch));
    assert_eq!(info.options["size"], [ValueType::Int]);
    session.stop().unwrap();
}

#[test]
fn an_info_of_unknown_edges_is_refused() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.next();
        peer.say(Said::Info(InfoResponse { wants: 7, ..Default::default() }));
        peer.drain();
    });
    let error = session.info().unwrap_err();
    assert!(matches!(error, Error::BadInfo(_)), "{error}");
    session.stop().unwrap();
}

#[test]
fn refusals_carry_the_words_of_the_udf_and_end_nothing() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.next();
        peer.say(Said::Init(InitResponse { success: false, error: "no such field".into() }));
        peer.next();
        peer.say(Said::Restore(RestoreResponse { success: false, error: "garbled".into() }));
        peer.mirror();
    });
    let error = session.init(Init::default()).unwrap_err();
    assert!(matches!(&error, Error::InitRefused(text) if text == "no such field"), "{error}");
    let error = session.restore(vec![1]).unwrap_err();
    assert!(matches!(&error, Error::RestoreRefused(text) if text == "garbled"), "{error}");
    session.info().unwrap();
    session.stop().unwrap();
}

#[test]
fn snapshot_and_restore_round_trip() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        let Some(Asked::Restore(restore)) = peer.next() else { panic!("Restore comes first") };
        peer.say(Said::Restore(RestoreResponse { success: true, error: String::new() }));
        assert!(matches!(peer.next(), Some(Asked::Snapshot(_))));
        peer.say(Said::Snapshot(SnapshotResponse { snapshot: restore.snapshot }));
        peer.drain();
    });
    let state: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    session.restore(state.clone()).unwrap();
    assert_eq!(session.snapshot().unwrap(), state);
    session.stop().unwrap();
}

#[test]
fn info_aborted_from_outside_gets_the_reason() {
    aborted_from_outside(|session| session.info().map(drop));
}

#[test]
fn init_aborted_from_outside_gets_the_reason() {
    aborted_from_outside(|session| session.init(Init::default()));
}

fn aborted_from_outside(request: fn(&Session) -> Result<(), Error>) {
    let (aborted, abort) = signal();
    let callbacks = Callbacks::new().on_abort(move |error| aborted.send(error.clone()).unwrap());
    let (session, mut peer) = connect(quiet(), callbacks);
    let session = Arc::new(session);
    let (answered, answer) = signal();
    let asking = session.clone();
    std::thread::spawn(move || answered.send(request(&asking)).unwrap());
    // The request has been sent, so it is pending.
    peer.next().unwrap();
    session.abort(Error::Aborted("the task was deleted".into()));
    let error = answer.wait("the pending request fails").unwrap_err();
    assert!(matches!(&error, Error::Aborted(text) if text == "the task was deleted"), "{error}");
    assert_eq!(abort.wait("the abort callback").to_string(), "the task was deleted");
    drop(peer);
    assert_eq!(session.stop().unwrap_err().to_string(), "the task was deleted");
}

#[test]
fn the_abort_callback_is_called_once_and_the_first_error_is_kept() {
    let (aborted, abort) = signal();
    let callbacks =
        Callbacks::new().on_abort(move |error| aborted.send(error.to_string()).unwrap());
    let (session, peer) = connect(quiet(), callbacks);
    session.abort(Error::Aborted("first".into()));
    session.abort(Error::Aborted("second".into()));
    drop(peer);
    assert_eq!(session.stop().unwrap_err().to_string(), "first");
    assert_eq!(abort.wait("the abort callback"), "first");
    assert!(abort.is_silent());
    let error = session.info().unwrap_err();
    assert!(matches!(error, Error::AlreadyStopped), "{error}");
}

#[test]
fn after_an_abort_everything_fails_with_its_error() {
    let (session, _peer) = connect(quiet(), Callbacks::new());
    session.abort(Error::Aborted("why".into()));
    assert_eq!(session.snapshot().unwrap_err().to_string(), "why");
    assert_eq!(session.point_in().send(point(1).as_point()).unwrap_err().to_string(), "why");
    assert!(session.point_out().recv().is_none());
    assert!(session.batch_out().recv().is_none());
}

#[test]
fn a_session_that_is_not_started_takes_nothing() {
    let (input, output) = (std::io::empty(), std::io::sink());
    let session = Session::new(input, output, quiet(), Callbacks::new());
    let not_started = |error| matches!(error, Error::NotStarted);
    assert!(not_started(session.info().unwrap_err()));
    assert!(not_started(session.point_in().send(point(1).as_point()).unwrap_err()));
    session.stop().unwrap();
    assert!(matches!(session.start().unwrap_err(), Error::AlreadyStopped));
}

#[test]
fn it_starts_once() {
    let (session, _peer) = connect(quiet(), Callbacks::new());
    assert!(matches!(session.start().unwrap_err(), Error::AlreadyStarted));
}

#[test]
fn stop_twice_returns_the_same_twice() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    session.stop().unwrap();
    session.stop().unwrap();

    let session = serve(quiet(), Callbacks::new(), drop);
    session.wait_io();
    let first = session.stop().unwrap_err();
    assert!(matches!(first, Error::ClosedEarly), "{first}");
    assert_eq!(session.stop().unwrap_err().to_string(), first.to_string());
}

#[test]
fn after_a_stop_everything_fails() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    session.stop().unwrap();
    let errors = [
        session.info().unwrap_err(),
        session.init(Init::default()).unwrap_err(),
        session.snapshot().unwrap_err(),
        session.restore(Vec::new()).unwrap_err(),
        session.point_in().send(point(1).as_point()).unwrap_err(),
        session.batch_in().send(&common::batch("b", 1)).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.to_string(), "session already stopped");
    }
    assert!(session.point_out().recv().is_none());
    // An abort after the end changes nothing.
    session.abort(Error::Aborted("too late".into()));
    session.stop().unwrap();
}

#[test]
fn a_request_that_is_pending_at_the_end_fails() {
    let (session, mut peer) = connect(quiet(), Callbacks::new());
    let session = Arc::new(session);
    let (answered, answer) = signal();
    let asking = session.clone();
    std::thread::spawn(move || answered.send(asking.snapshot()).unwrap());
    peer.next().unwrap();
    let closing = std::thread::spawn(move || {
        peer.drain();
        drop(peer);
    });
    session.stop().unwrap();
    assert!(matches!(answer.wait("the snapshot fails"), Err(Error::AlreadyStopped)));
    closing.join().unwrap();
}

#[test]
fn stop_while_the_udf_still_sends() {
    const POINTS: i64 = 20_000;
    let session = initialized(quiet(), |mut peer| {
        peer.drain();
        for time in 0..POINTS {
            let mut bytes = Vec::new();
            udf_proto::response::append_point(point(time).as_point(), &mut bytes);
            assert!(peer.write(&bytes));
        }
    });
    let out = session.point_out();
    let reading = std::thread::spawn(move || out.iter().map(|point| point.as_point().time()).sum());
    session.stop().unwrap();
    let sum: i64 = reading.join().unwrap();
    assert_eq!(sum, POINTS * (POINTS - 1) / 2);
}

#[test]
fn threads_that_call_at_once_each_get_their_answer() {
    let session = Arc::new(serve(quiet(), Callbacks::new(), |mut peer| peer.mirror()));
    let callers = (0..4).map(|caller| {
        let session = session.clone();
        std::thread::spawn(move || {
            for _ in 0..200 {
                match caller {
                    0 => drop(session.info().unwrap()),
                    1 => session.restore(b"x".to_vec()).unwrap(),
                    _ => assert_eq!(session.snapshot().unwrap(), b"state"),
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.join().unwrap();
    }
    assert_eq!(session.unasked(), 0);
    session.stop().unwrap();
}

#[test]
fn threads_that_stop_at_once_all_return() {
    let session = Arc::new(serve(quiet(), Callbacks::new(), |mut peer| peer.mirror()));
    let stops = (0..4).map(|_| {
        let session = session.clone();
        std::thread::spawn(move || session.stop())
    });
    for stop in stops.collect::<Vec<_>>() {
        stop.join().unwrap().unwrap();
    }
}

#[test]
fn an_answer_that_never_comes_is_missed() {
    let within = Duration::from_millis(50);
    let settings = quiet().answer_within(within);
    let session = serve(settings, Callbacks::new(), |mut peer| peer.drain());
    let error = session.snapshot().unwrap_err();
    assert_eq!(error.to_string(), "the UDF did not answer the Snapshot request within 50ms");
    assert!(matches!(session.stop().unwrap_err(), Error::NoAnswer { .. }));
}

#[test]
fn a_session_that_is_dropped_lets_go_of_the_udf() {
    let (ended, end) = signal();
    let session = serve(quiet(), Callbacks::new(), move |mut peer| {
        peer.drain();
        ended.send(()).unwrap();
    });
    let out = session.point_out();
    drop(session);
    end.wait("the peer sees the end of its input");
    assert!(out.recv_timeout(LONG).is_err());
}
