//! Keepalives: when they are sent, and what happens when the UDF is silent.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::Read;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Asked, LONG, Said, connect, initialized, point, quiet, serve, signal, timed};
use udf_host::{Callbacks, Error, Init, Session, Settings};
use udf_proto::messages::{KeepaliveResponse, SnapshotResponse};

fn is_timeout(error: &Error) -> bool {
    error.to_string().starts_with("keepalive timedout")
}

#[test]
fn keepalives_are_sent_and_answers_keep_it_going() {
    let (seen, keepalive) = signal();
    let session = serve(timed(1_000), Callbacks::new(), move |mut peer| {
        while let Some(request) = peer.next() {
            if let Asked::Keepalive(keepalive) = &request {
                let _ = seen.send(keepalive.time);
            }
            peer.answer(request);
        }
    });
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
    let times = [(); 3].map(|()| keepalive.wait("a keepalive"));
    assert!(times[0] >= started && times.is_sorted(), "{times:?} after {started}");
    // Three keepalives have passed, which is longer than the timeout.
    session.info().unwrap();
    session.stop().unwrap();
}

#[test]
fn a_missed_keepalive_aborts() {
    let (aborted, abort) = signal();
    let callbacks = Callbacks::new().on_abort(move |error| aborted.send(error.clone()).unwrap());
    let session = serve(timed(100), callbacks, |mut peer| peer.drain());
    let error = abort.wait("the abort callback");
    assert!(is_timeout(&error), "{error}");
    assert!(error.to_string().contains("100ms"), "{error}");
    assert!(is_timeout(&session.stop().unwrap_err()));
}

#[test]
fn a_missed_keepalive_fails_the_pending_request() {
    let session = serve(timed(100), Callbacks::new(), |mut peer| peer.drain());
    let error = session.info().unwrap_err();
    assert!(is_timeout(&error), "{error}");
    assert!(is_timeout(&session.stop().unwrap_err()));
}

#[test]
fn a_peer_that_does_not_even_read_is_missed_and_killed() {
    let (killed, kill) = signal();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let (session, peer) = connect(timed(100), callbacks);
    let points = session.point_in();
    let point = point(1);
    // More than the pipe and the session hold, so the last item waits until the abort.
    let error = (0..1_000_000).find_map(|_| points.send(point.as_point()).err()).unwrap();
    assert!(is_timeout(&error), "{error}");
    kill.wait("the kill callback");
    drop(peer);
    assert!(is_timeout(&session.stop().unwrap_err()));
}

#[test]
fn limits_that_no_clock_reaches_are_none() {
    let settings = Settings::default()
        .timeout(Duration::MAX)
        .answer_within(Duration::MAX)
        .close_within(Duration::MAX);
    let session = serve(settings.clone(), Callbacks::new(), |mut peer| peer.mirror());
    session.init(Init::default()).unwrap();
    let out = session.point_out();
    session.point_in().send(point(1).as_point()).unwrap();
    assert_eq!(out.recv_timeout(Duration::MAX), Ok(point(1)));
    session.stop().unwrap();
}

#[test]
fn a_udf_that_never_closes_is_killed_without_a_timeout_too() {
    let (killed, kill) = signal();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let within = Duration::from_millis(50);
    let settings =
        Settings::default().timeout(Duration::MAX).close_within(within).abort_within(within);
    let (session, peer) = connect(settings, callbacks);
    let stopped = session.stop().unwrap_err();
    assert!(matches!(stopped, Error::NeverCloses { .. }), "{stopped}");
    kill.wait("the kill callback");
    drop(peer);
}

#[test]
fn any_response_is_a_sign_of_life() {
    let (go, gone) = signal::<()>();
    let (session, mut peer) = connect(timed(500), Callbacks::new());
    let (late, latest) = signal();
    std::thread::spawn(move || {
        // Never answers the request, but sends a keepalive for each keepalive.
        for _ in 0..4 {
            assert!(matches!(peer.next(), Some(Asked::Keepalive(_))));
            peer.say(Said::Keepalive(KeepaliveResponse { time: 0 }));
        }
        late.send(()).unwrap();
        gone.wait("the test is done");
        peer.drain();
    });
    latest.wait("four keepalives, twice the timeout");
    go.send(()).unwrap();
    session.stop().unwrap();
}

#[test]
fn a_slow_abort_callback_leads_to_the_kill_callback() {
    let (killed, kill) = signal();
    let (returned, returns) = signal();
    let callbacks = Callbacks::new()
        .on_abort(move |_| {
            kill.wait("the kill callback, while the abort callback runs");
            returned.send(()).unwrap();
        })
        .on_kill(move || killed.send(()).unwrap());
    let session = serve(timed(50), callbacks, |mut peer| peer.drain());
    assert!(is_timeout(&session.stop_after_error()));
    returns.wait("the abort callback returns");
}

#[test]
fn an_abort_that_ends_in_time_kills_nobody() {
    let (killed, kill) = signal::<()>();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let session = serve(timed(10_000), callbacks, |mut peer| peer.drain());
    session.abort(Error::Aborted("enough".into()));
    assert_eq!(session.stop().unwrap_err().to_string(), "enough");
    drop(session);
    // The callback owns the sender and is dropped at the end.
    assert!(kill.ends_without_a_word());
}

/// A reader that reports the start of a read and never returns.
struct Stuck(std::sync::mpsc::Sender<()>);

impl Read for Stuck {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.send(()).unwrap();
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn stop_returns_even_when_killing_does_not_help() {
    let (killed, kill) = signal();
    let (reads, reading) = signal();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let session = Session::new(Stuck(reads), std::io::sink(), timed(50), callbacks);
    session.start().unwrap();
    reading.wait("the session reads");
    session.abort(Error::Aborted("enough".into()));
    assert_eq!(session.stop().unwrap_err().to_string(), "enough");
    kill.wait("the kill callback");
}

#[test]
fn timeout_zero_means_no_keepalives() {
    let (seen, requests) = signal();
    let session = serve(quiet(), Callbacks::new(), move |mut peer| {
        while let Some(request) = peer.next() {
            seen.send(format!("{request:?}")).unwrap();
            peer.answer(request);
        }
    });
    session.info().unwrap();
    // A timeout of zero taken literally would have ended the connection by now.
    session.info().unwrap();
    session.stop().unwrap();
    let requests = [(); 2].map(|()| requests.wait("two requests"));
    assert!(requests.iter().all(|request| request.starts_with("Info")), "{requests:?}");
}

#[test]
fn keepalives_pass_between_the_points_of_a_batch() {
    let (seen, keepalive) = signal();
    let session = initialized(timed(1_000), move |mut peer| {
        let mut in_batch = false;
        while let Some(request) = peer.next() {
            match &request {
                Asked::Begin(_) => {
                    in_batch = true;
                    // Stays busy until a keepalive becomes due within the batch.
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_millis(600) {
                        peer.say(Said::Keepalive(KeepaliveResponse { time: 0 }));
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                // Decoding takes time.
                Asked::Point(point) if point.time % 500 == 0 => {
                    peer.say(Said::Keepalive(KeepaliveResponse { time: 0 }));
                }
                Asked::End(_) => in_batch = false,
                Asked::Keepalive(_) if in_batch => seen.send(()).unwrap(),
                _ => {}
            }
            if matches!(request, Asked::Keepalive(_)) {
                peer.answer(request);
            }
        }
    });
    // Far more than fits into the session and the pipe.
    session.batch_in().send(&common::batch("large", 25_000)).unwrap();
    keepalive.wait("a keepalive within the batch");
    session.stop().unwrap();
}

#[test]
fn an_owner_who_does_not_read_is_not_the_udfs_silence() {
    let (aborted, abort) = mpsc::channel();
    let callbacks = Callbacks::new().on_abort(move |error| aborted.send(error.clone()).unwrap());
    let (full, filled) = signal();
    let settings = timed(500).queue(1);
    let session = serve(settings, callbacks, move |mut peer| {
        peer.init();
        let mut bytes = Vec::new();
        udf_proto::response::append_point(point(1).as_point(), &mut bytes);
        // More than the pipe and the session hold: no keepalive is answered before all data is
        // read.
        for sent in 0..20_000 {
            assert!(peer.write(&bytes));
            if sent == 300 {
                full.send(()).unwrap();
            }
        }
        peer.mirror();
    });
    session.init(Init::default()).unwrap();
    let out = session.point_out();
    filled.wait("more points than may wait");
    let error = abort.recv_timeout(Duration::from_millis(1_300));
    assert!(matches!(error, Err(mpsc::RecvTimeoutError::Timeout)), "{error:?}");
    for _ in 0..20_000 {
        out.recv_timeout(LONG).unwrap();
    }
    session.info().unwrap();
    session.stop().unwrap();
}

trait StopAfterError {
    fn stop_after_error(&self) -> Error;
}

impl StopAfterError for udf_host::Session {
    /// Waits for the error of the connection, and then stops.
    fn stop_after_error(&self) -> Error {
        let ended = self.point_out().recv_timeout(LONG);
        assert_eq!(ended, Err(udf_host::session::ReceiveError::Ended));
        self.stop().unwrap_err()
    }
}

#[test]
fn the_echo_of_a_keepalive_comes_behind_all_that_was_sent_before() {
    let session = initialized(timed(1_000), |mut peer| {
        while let Some(request) = peer.next() {
            // A sign of life of a busy UDF is not an echo.
            let sign_of_life = Said::Keepalive(KeepaliveResponse { time: i64::MAX });
            assert!(peer.say(sign_of_life));
            peer.answer(request);
        }
    });
    let (input, output) = (session.point_in(), session.point_out());
    for time in 1..=3 {
        input.send(point(time).as_point()).unwrap();
        session.keepalive().unwrap();
        assert_eq!(output.try_recv(), Ok(point(time)));
    }
    // A pending keepalive blocks no other request, nor its answer.
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4).map(|_| scope.spawn(|| session.keepalive())).collect();
        assert_eq!(session.snapshot().unwrap(), b"state");
        for other in others {
            other.join().unwrap().unwrap();
        }
    });
    session.stop().unwrap();
    assert_eq!(session.keepalive().unwrap_err().to_string(), "session already stopped");
}

#[test]
fn an_answer_to_nothing_is_dropped_while_a_keepalive_is_awaited() {
    let session = initialized(quiet(), |mut peer| {
        let request = peer.next().expect("a keepalive");
        assert!(peer.say(Said::Snapshot(SnapshotResponse::default())));
        peer.answer(request);
        peer.drain();
    });
    session.keepalive().unwrap();
    assert_eq!(session.unasked(), 1);
    session.stop().unwrap();
}
