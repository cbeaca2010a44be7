//! A server from start to stop: requests, their answers, and how both end.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Asked, LONG, Said, connect, initialized, point, quiet, serve, signal};
use udf_host::{Callbacks, Error, Init, Server, Settings};
use udf_proto::messages::{
    InfoResponse, InitResponse, OptionInfo, RestoreResponse, SnapshotResponse,
};
use udf_proto::{EdgeType, OptionCall, Value, ValueType};

#[test]
fn start_and_stop() {
    let (ended, end) = signal();
    let server = serve(quiet(), Callbacks::new(), move |mut peer| {
        ended.send(peer.next().is_none()).unwrap();
    });
    server.stop().unwrap();
    assert!(end.wait("the peer sees the end of its input"));
    server.wait_io();
}

#[test]
fn start_init_and_stop() {
    let (asked, asking) = signal();
    let server = serve(quiet(), Callbacks::new(), move |mut peer| {
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
    server.init(init.clone()).unwrap();
    assert_eq!(asking.wait("Init"), Asked::Init(init.into()));
    server.stop().unwrap();
}

#[test]
fn info_is_what_the_udf_says() {
    let server = serve(quiet(), Callbacks::new(), |mut peer| {
        assert!(matches!(peer.next(), Some(Asked::Info(_))));
        let size = OptionInfo { value_types: vec![ValueType::Int.into()] };
        let options = [("size".to_owned(), size)].into();
        let provides = EdgeType::Batch.into();
        peer.say(Said::Info(InfoResponse { wants: 0, provides, options }));
        peer.drain();
    });
    let info = server.info().unwrap();
    assert_eq!((info.wants, info.provides), (EdgeType::Stream, EdgeType::Batch));
    assert_eq!(info.options["size"], [ValueType::Int]);
    server.stop().unwrap();
}

#[test]
fn an_info_of_unknown_edges_is_refused() {
    let server = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.next();
        peer.say(Said::Info(InfoResponse { wants: 7, ..Default::default() }));
        peer.drain();
    });
    let error = server.info().unwrap_err();
    assert!(matches!(error, Error::BadInfo(_)), "{error}");
    server.stop().unwrap();
}

#[test]
fn refusals_carry_the_words_of_the_udf_and_end_nothing() {
    let server = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.next();
        peer.say(Said::Init(InitResponse { success: false, error: "no such field".into() }));
        peer.next();
        peer.say(Said::Restore(RestoreResponse { success: false, error: "garbled".into() }));
        peer.mirror();
    });
    let error = server.init(Init::default()).unwrap_err();
    assert!(matches!(&error, Error::InitRefused(text) if text == "no such field"), "{error}");
    let error = server.restore(vec![1]).unwrap_err();
    assert!(matches!(&error, Error::RestoreRefused(text) if text == "garbled"), "{error}");
    server.info().unwrap();
    server.stop().unwrap();
}

#[test]
fn snapshot_and_restore_round_trip() {
    let server = serve(quiet(), Callbacks::new(), |mut peer| {
        let Some(Asked::Restore(restore)) = peer.next() else { panic!("Restore comes first") };
        peer.say(Said::Restore(RestoreResponse { success: true, error: String::new() }));
        assert!(matches!(peer.next(), Some(Asked::Snapshot(_))));
        peer.say(Said::Snapshot(SnapshotResponse { snapshot: restore.snapshot }));
        peer.drain();
    });
    let state: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    server.restore(state.clone()).unwrap();
    assert_eq!(server.snapshot().unwrap(), state);
    server.stop().unwrap();
}

#[test]
fn info_aborted_from_outside_gets_the_reason() {
    aborted_from_outside(|server| server.info().map(drop));
}

#[test]
fn init_aborted_from_outside_gets_the_reason() {
    aborted_from_outside(|server| server.init(Init::default()));
}

fn aborted_from_outside(request: fn(&Server) -> Result<(), Error>) {
    let (aborted, abort) = signal();
    let callbacks = Callbacks::new().on_abort(move |error| aborted.send(error.clone()).unwrap());
    let (server, mut peer) = connect(quiet(), callbacks);
    let server = Arc::new(server);
    let (answered, answer) = signal();
    let asking = server.clone();
    std::thread::spawn(move || answered.send(request(&asking)).unwrap());
    // The request has been sent, so it is pending.
    peer.next().unwrap();
    server.abort(Error::Aborted("the task was deleted".into()));
    let error = answer.wait("the pending request fails").unwrap_err();
    assert!(matches!(&error, Error::Aborted(text) if text == "the task was deleted"), "{error}");
    assert_eq!(abort.wait("the abort callback").to_string(), "the task was deleted");
    drop(peer);
    assert_eq!(server.stop().unwrap_err().to_string(), "the task was deleted");
}

#[test]
fn the_abort_callback_is_called_once_and_the_first_error_is_kept() {
    let (aborted, abort) = signal();
    let callbacks =
        Callbacks::new().on_abort(move |error| aborted.send(error.to_string()).unwrap());
    let (server, peer) = connect(quiet(), callbacks);
    server.abort(Error::Aborted("first".into()));
    server.abort(Error::Aborted("second".into()));
    drop(peer);
    assert_eq!(server.stop().unwrap_err().to_string(), "first");
    assert_eq!(abort.wait("the abort callback"), "first");
    assert!(abort.is_silent());
    let error = server.info().unwrap_err();
    assert!(matches!(error, Error::AlreadyStopped), "{error}");
}

#[test]
fn after_an_abort_everything_fails_with_its_error() {
    let (server, _peer) = connect(quiet(), Callbacks::new());
    server.abort(Error::Aborted("why".into()));
    assert_eq!(server.snapshot().unwrap_err().to_string(), "why");
    assert_eq!(server.point_in().send(point(1).as_point()).unwrap_err().to_string(), "why");
    assert!(server.point_out().recv().is_none());
    assert!(server.batch_out().recv().is_none());
}

#[test]
fn a_server_that_is_not_started_takes_nothing() {
    let (input, output) = (std::io::empty(), std::io::sink());
    let server = Server::new(input, output, quiet(), Callbacks::new());
    let not_started = |error| matches!(error, Error::NotStarted);
    assert!(not_started(server.info().unwrap_err()));
    assert!(not_started(server.point_in().send(point(1).as_point()).unwrap_err()));
    server.stop().unwrap();
    assert!(matches!(server.start().unwrap_err(), Error::AlreadyStopped));
}

#[test]
fn it_starts_once() {
    let (server, _peer) = connect(quiet(), Callbacks::new());
    assert!(matches!(server.start().unwrap_err(), Error::AlreadyStarted));
}

#[test]
fn stop_twice_returns_the_same_twice() {
    let server = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    server.stop().unwrap();
    server.stop().unwrap();

    let server = serve(quiet(), Callbacks::new(), drop);
    server.wait_io();
    let first = server.stop().unwrap_err();
    assert!(matches!(first, Error::ClosedEarly), "{first}");
    assert_eq!(server.stop().unwrap_err().to_string(), first.to_string());
}

#[test]
fn after_a_stop_everything_fails() {
    let server = serve(quiet(), Callbacks::new(), |mut peer| peer.mirror());
    server.stop().unwrap();
    let errors = [
        server.info().unwrap_err(),
        server.init(Init::default()).unwrap_err(),
        server.snapshot().unwrap_err(),
        server.restore(Vec::new()).unwrap_err(),
        server.point_in().send(point(1).as_point()).unwrap_err(),
        server.batch_in().send(&common::batch("b", 1)).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.to_string(), "server already stopped");
    }
    assert!(server.point_out().recv().is_none());
    // An abort after the end changes nothing.
    server.abort(Error::Aborted("too late".into()));
    server.stop().unwrap();
}

#[test]
fn a_request_that_is_pending_at_the_end_fails() {
    let (server, mut peer) = connect(quiet(), Callbacks::new());
    let server = Arc::new(server);
    let (answered, answer) = signal();
    let asking = server.clone();
    std::thread::spawn(move || answered.send(asking.snapshot()).unwrap());
    peer.next().unwrap();
    let closing = std::thread::spawn(move || {
        peer.drain();
        drop(peer);
    });
    server.stop().unwrap();
    assert!(matches!(answer.wait("the snapshot fails"), Err(Error::AlreadyStopped)));
    closing.join().unwrap();
}

#[test]
fn stop_while_the_udf_still_sends() {
    const POINTS: i64 = 20_000;
    let server = initialized(quiet(), |mut peer| {
        peer.drain();
        for time in 0..POINTS {
            let mut bytes = Vec::new();
            udf_proto::response::append_point(point(time).as_point(), &mut bytes);
            assert!(peer.write(&bytes));
        }
    });
    let out = server.point_out();
    let reading = std::thread::spawn(move || out.iter().map(|point| point.as_point().time()).sum());
    server.stop().unwrap();
    let sum: i64 = reading.join().unwrap();
    assert_eq!(sum, POINTS * (POINTS - 1) / 2);
}

#[test]
fn threads_that_call_at_once_each_get_their_answer() {
    let server = Arc::new(serve(quiet(), Callbacks::new(), |mut peer| peer.mirror()));
    let callers = (0..4).map(|caller| {
        let server = server.clone();
        std::thread::spawn(move || {
            for _ in 0..200 {
                match caller {
                    0 => drop(server.info().unwrap()),
                    1 => server.restore(b"x".to_vec()).unwrap(),
                    _ => assert_eq!(server.snapshot().unwrap(), b"state"),
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.join().unwrap();
    }
    assert_eq!(server.unasked(), 0);
    server.stop().unwrap();
}

#[test]
fn threads_that_stop_at_once_all_return() {
    let server = Arc::new(serve(quiet(), Callbacks::new(), |mut peer| peer.mirror()));
    let stops = (0..4).map(|_| {
        let server = server.clone();
        std::thread::spawn(move || server.stop())
    });
    for stop in stops.collect::<Vec<_>>() {
        stop.join().unwrap().unwrap();
    }
}

#[test]
fn an_answer_that_never_comes_is_missed() {
    let within = Duration::from_millis(50);
    let settings = Settings { answer_within: within, ..quiet() };
    let server = serve(settings, Callbacks::new(), |mut peer| peer.drain());
    let error = server.snapshot().unwrap_err();
    assert_eq!(error.to_string(), "the UDF did not answer the Snapshot request within 50ms");
    assert!(matches!(server.stop().unwrap_err(), Error::NoAnswer { .. }));
}

#[test]
fn a_server_that_is_dropped_lets_go_of_the_udf() {
    let (ended, end) = signal();
    let server = serve(quiet(), Callbacks::new(), move |mut peer| {
        peer.drain();
        ended.send(()).unwrap();
    });
    let out = server.point_out();
    drop(server);
    end.wait("the peer sees the end of its input");
    assert!(out.recv_timeout(LONG).is_err());
}
