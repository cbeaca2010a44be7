//! UDFs that break the protocol: each fault has its own error, and none of them harms the host.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{LONG, Peer, Said, batch, initialized, point, quiet, serve, signal};
use udf_host::error::Limit;
use udf_host::{Callbacks, Error, Init, Log, RequestKind, Session, Settings};
use udf_proto::messages::{
    BeginBatch, EndBatch, ErrorResponse, InfoResponse, InitResponse, KeepaliveResponse,
};
use udf_proto::{EdgeType, PointBuf, messages};

fn begin(name: &str, size: i64) -> Said {
    Said::Begin(BeginBatch { name: name.into(), size, ..BeginBatch::default() })
}

fn end(name: &str) -> Said {
    Said::End(EndBatch { name: name.into(), ..EndBatch::default() })
}

fn small_point() -> Said {
    Said::Point(messages::Point { time: 1, ..messages::Point::default() })
}

/// Returns the error of a connection whose UDF follows `script` after Init and then only reads.
fn fault<T>(settings: Settings, script: impl FnOnce(&mut Peer) -> T + Send + 'static) -> Error {
    let session = initialized(settings, |mut peer| {
        script(&mut peer);
        peer.drain();
    });
    // The connection ends by itself; no one has stopped it.
    assert!(session.batch_out().iter().all(|batch| batch.name == "good"));
    let error = session.snapshot().expect_err("the connection has failed");
    let first = session.stop().expect_err("the error is kept");
    assert_eq!(first.to_string(), error.to_string());
    error
}

macro_rules! assert_fault {
    ($error:expr, $pattern:pat $(if $guard:expr)?) => {{
        let error = $error;
        assert!(matches!(&error, $pattern $(if $guard)?), "{error:?}");
    }};
}

#[test]
fn an_end_without_begin() {
    let error = fault(quiet(), |peer| peer.say(end("cpu")));
    assert_fault!(&error, Error::EndWithoutBegin { name } if name == "cpu");
    assert_eq!(error.to_string(), "the UDF ended the batch `cpu` without beginning it");
}

#[test]
fn an_end_too_many() {
    let error = fault(quiet(), |peer| {
        for message in [begin("good", 0), end("good"), end("good")] {
            peer.say(message);
        }
    });
    assert_fault!(error, Error::EndWithoutBegin { .. });
}

#[test]
fn a_begin_within_a_batch() {
    let error = fault(quiet(), |peer| {
        peer.say(begin("outer", 0));
        peer.say(begin("inner", 0));
    });
    assert_fault!(error, Error::BeginWithinBatch { open, name } if open == "outer" && name == "inner");
}

#[test]
fn sizes_that_are_none() {
    for size in [-1, i64::MIN, i64::MAX, 1 << 40] {
        let error = fault(quiet(), move |peer| peer.say(begin("cpu", size)));
        assert_fault!(&error, Error::BadBatchSize { size: found, .. } if *found == size);
    }
}

#[test]
fn a_size_is_no_more_than_a_hint() {
    let settings = quiet().batch_points(10);
    let error = fault(settings, |peer| {
        // Fewer points than announced, and more.
        for (size, points) in [(10, 1), (1, 10), (0, 11)] {
            peer.say(begin("good", size));
            for _ in 0..points {
                peer.say(small_point());
            }
            peer.say(end("good"));
        }
    });
    assert_fault!(error, Error::BatchTooLarge { limit: Limit::Points(10), .. });
}

#[test]
fn a_batch_that_never_ends() {
    let settings = quiet().batch_bytes(1 << 20);
    let error = fault(settings, |peer| {
        peer.say(begin("endless", 0));
        while peer.say(small_point()) {}
    });
    assert_fault!(error, Error::BatchTooLarge { name, limit: Limit::Bytes(_) } if name == "endless");
}

#[test]
fn data_before_init() {
    for message in [small_point(), begin("cpu", 0), end("cpu")] {
        let session = serve(quiet(), Callbacks::new(), |mut peer| {
            peer.say(message);
            peer.drain();
        });
        assert!(session.point_out().recv().is_none());
        assert_fault!(session.stop().unwrap_err(), Error::DataBeforeInit { .. });
    }
}

#[test]
fn data_of_the_other_edge() {
    let settings = quiet().provides(Some(EdgeType::Batch));
    let error = fault(settings, |peer| peer.say(small_point()));
    assert_fault!(error, Error::WrongEdge { provides: EdgeType::Batch, .. });

    let settings = quiet().provides(Some(EdgeType::Stream));
    let error = fault(settings, |peer| peer.say(begin("cpu", 0)));
    assert_fault!(error, Error::WrongEdge { provides: EdgeType::Stream, .. });
}

#[test]
fn data_of_the_other_edge_than_its_info_says() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.next();
        let provides = messages::EdgeType::Batch.into();
        peer.say(Said::Info(InfoResponse { provides, ..InfoResponse::default() }));
        peer.init();
        peer.say(small_point());
        peer.drain();
    });
    session.info().unwrap();
    session.init(Init::default()).unwrap();
    assert!(session.point_out().recv().is_none());
    assert_fault!(session.stop().unwrap_err(), Error::WrongEdge { .. });
}

#[test]
fn data_of_an_edge_that_nobody_reads() {
    // The owner reads only batches, and does not know what the UDF provides.
    let error = fault(quiet(), |peer| while peer.say(small_point()) {});
    assert_fault!(error, Error::WrongEdge { provides: EdgeType::Batch, .. });
}

#[test]
fn an_empty_response() {
    assert_fault!(fault(quiet(), |peer| peer.write(&[0])), Error::EmptyResponse);
    // An empty message of the unknown kind number 9.
    assert_fault!(fault(quiet(), |peer| peer.write(&[2, 0x4a, 0])), Error::EmptyResponse);
}

#[test]
fn unasked_answers_are_dropped_and_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let callbacks = Callbacks::new().on_log(move |line| {
        if let Log::Unasked { kind, count } = line {
            log.lock().unwrap().push((*kind, *count));
        }
    });
    let session = serve(quiet(), callbacks, |mut peer| {
        peer.init();
        for _ in 0..5 {
            peer.say(Said::Init(InitResponse { success: true, error: String::new() }));
        }
        peer.say(Said::Keepalive(KeepaliveResponse { time: 3 }));
        peer.say(small_point());
        peer.mirror();
    });
    session.init(Init::default()).unwrap();
    session.point_out().recv().expect("the connection goes on");
    assert_eq!(session.unasked(), 5);
    let told = told.lock().unwrap().clone();
    assert_eq!(told, [1, 2, 4].map(|count| (RequestKind::Init, count)));
    session.snapshot().unwrap();
    session.stop().unwrap();
}

#[test]
fn a_wrong_answer_to_a_request() {
    let session = serve(quiet(), Callbacks::new(), |mut peer| {
        peer.next();
        peer.say(Said::Info(InfoResponse::default()));
        peer.drain();
    });
    let error = session.snapshot().unwrap_err();
    assert_eq!(error.to_string(), "the UDF answered Info to the Snapshot request");
    assert_fault!(session.stop().unwrap_err(), Error::WrongAnswer { .. });
}

#[test]
fn an_error_response_ends_it_with_its_text() {
    let error = fault(quiet(), |peer| {
        peer.say(Said::Error(ErrorResponse { error: "disk full".into() }));
    });
    assert_eq!(error.to_string(), "the UDF failed: disk full");
}

#[test]
fn what_came_before_an_error_is_handed_out() {
    let session = initialized(quiet(), |mut peer| {
        let mut bytes = Vec::new();
        for time in 0..10 {
            udf_proto::response::append_point(point(time).as_point(), &mut bytes);
        }
        let error = Said::Error(ErrorResponse { error: "enough".into() });
        udf_proto::response::append(error, &mut bytes);
        // In one write: the points are not handed on when the error is read.
        peer.write(&bytes);
        peer.drain();
    });
    let times = session.point_out().iter().map(|point| point.as_point().time()).collect::<Vec<_>>();
    assert_eq!(times, (0..10).collect::<Vec<_>>());
    assert_fault!(session.stop().unwrap_err(), Error::Reported(_));
}

#[test]
fn a_message_that_is_too_long() {
    let settings = quiet().frame_limit(100);
    let error = fault(settings, |peer| peer.write(&[101]));
    assert_fault!(error, Error::FrameTooLong { length: 101, limit: 100 });
    // The largest possible length. No memory is allocated for it.
    let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let error = fault(quiet(), move |peer| peer.write(&longest));
    assert_fault!(error, Error::FrameTooLong { length: u64::MAX, .. });
}

#[test]
fn a_length_that_never_ends() {
    let error = fault(quiet(), |peer| while peer.write(&[0xff; 64]) {});
    assert_fault!(error, Error::BadFrameLength);
}

#[test]
fn text_among_the_messages() {
    // Short and long text; text that looks like a whole frame, or like the begin of an incomplete
    // one; alone, or followed by the answer.
    let info = Said::Info(InfoResponse::default());
    for (printed, line) in [
        ("starting up\n", "starting up"),
        ("a\n\n", "a"),
        ("{\"level\":\"info\"}\n", "{\"level\":\"info\"}"),
        (
            "Hello from a UDF that prints its log to stdout, where its messages belong\n",
            "Hello from a UDF",
        ),
        ("größer als alles, was sonst kommt\n", "größer als alles"),
        ("\u{fb01}rst\n", "\u{fb01}rst"),
    ] {
        for message in [None, Some(info.clone())] {
            let error = fault(quiet(), move |peer| {
                peer.say(begin("good", 0));
                peer.say(end("good"));
                peer.write(printed.as_bytes());
                if let Some(message) = message {
                    peer.say(message);
                }
                peer.drain();
            });
            assert_fault!(&error, Error::Text(text) if text.starts_with(line));
            let expected =
                format!("the UDF printed text where only protocol frames may go: `{line}");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
}

#[test]
fn garbage() {
    // A response with a key of an unknown wire type.
    let error = fault(quiet(), |peer| peer.write(&[3, 0x0f, 1, 2]));
    assert_fault!(&error, Error::MalformedResponse { .. });
    assert!(error.to_string().ends_with("if it prints to stdout, print to stderr"), "{error}");
}

#[test]
fn a_response_of_too_many_entries() {
    let error = fault(quiet(), |peer| {
        let types = vec![0; 1 << 17];
        let option = messages::OptionInfo { value_types: types };
        let options = [("many".to_owned(), option)].into();
        peer.say(Said::Info(InfoResponse { options, ..Default::default() }))
    });
    assert_fault!(&error, Error::MalformedResponse { .. });
    let text = error.to_string();
    assert!(text.contains("more than 65536 options and types of arguments"), "{text}");
}

#[test]
fn tags_of_a_batch_count_as_its_bytes() {
    let tags: std::collections::BTreeMap<_, _> =
        (0..2_000).map(|tag| (format!("{tag:04}"), String::new())).collect();
    let settings = || quiet().batch_bytes(100_000);
    let begin = BeginBatch { name: "cpu".into(), tags: tags.clone(), ..Default::default() };
    let error = fault(settings(), move |peer| peer.say(Said::Begin(begin)));
    assert_fault!(error, Error::BatchTooLarge { limit: Limit::Bytes(100_000), .. });
    let end = EndBatch { name: "cpu".into(), tags, ..Default::default() };
    let error = fault(settings(), move |peer| {
        peer.say(Said::Begin(BeginBatch::default()));
        peer.say(Said::End(end))
    });
    assert_fault!(error, Error::BatchTooLarge { limit: Limit::Bytes(100_000), .. });
}

#[test]
fn a_point_that_is_none() {
    // A response with a point whose member 2, the name, is cut short.
    let error = fault(quiet(), |peer| peer.write(&[5, 0x8a, 0x01, 2, 0x12, 9]));
    assert_fault!(error, Error::MalformedPoint(_));
}

#[test]
fn a_point_among_other_things_still_is_one() {
    let session = initialized(quiet(), |mut peer| {
        // The unknown member 30, and then a point at the time 5.
        peer.write(&[8, 0xf0, 0x01, 7, 0x8a, 0x01, 2, 0x08, 5]);
        peer.drain();
    });
    let expected = PointBuf::from(messages::Point { time: 5, ..messages::Point::default() });
    assert_eq!(session.point_out().recv(), Some(expected));
    session.stop().unwrap();
}

#[test]
fn a_message_that_is_cut_short() {
    let session = initialized(quiet(), |mut peer| peer.write(&[20, 1, 2, 3]));
    session.wait_io();
    let error = session.stop().unwrap_err();
    assert_fault!(&error, Error::FrameCut(_));
    assert!(error.to_string().contains("17 of its 20 bytes are missing"), "{error}");
}

#[test]
fn a_crash_in_mid_batch() {
    let session = initialized(quiet(), |mut peer| {
        peer.say(begin("cpu", 0));
        peer.say(small_point());
    });
    assert!(session.batch_out().recv().is_none());
    assert_fault!(session.stop().unwrap_err(), Error::ClosedInBatch { name } if name == "cpu");
}

#[test]
fn a_batch_that_is_open_at_the_end() {
    let session = initialized(quiet(), |mut peer| {
        peer.say(begin("cpu", 0));
        peer.drain();
    });
    assert_fault!(session.stop().unwrap_err(), Error::ClosedInBatch { .. });
}

#[test]
fn a_udf_that_goes_away() {
    let session = initialized(quiet(), drop);
    assert!(session.point_out().recv().is_none());
    assert_fault!(session.stop().unwrap_err(), Error::ClosedEarly);
}

/// A writer that reports each write and fails it.
struct Broken(std::sync::mpsc::Sender<()>);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        self.0.send(()).unwrap();
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_udf_that_goes_away_while_it_is_written_to() {
    let (input, output) = std::io::pipe().unwrap();
    let (writes, written) = signal();
    let session = Session::new(input, Broken(writes), quiet(), Callbacks::new());
    session.start().unwrap();
    session.point_in().send(point(1).as_point()).unwrap();
    written.wait("a write that fails");
    drop(output);
    session.wait_io();
    // Both sides notice the end. The error of the reading side wins.
    assert_fault!(session.stop().unwrap_err(), Error::ClosedEarly);
}

#[test]
fn a_udf_that_stops_reading_alone() {
    let (read, reading) = signal();
    let session = initialized(quiet(), move |peer| {
        let output = peer.close_input();
        reading.wait("the test is done");
        drop(output);
    });
    let points = session.point_in();
    let point = point(1);
    let error = (0..1_000_000).find_map(|_| points.send(point.as_point()).err()).unwrap();
    assert_fault!(error, Error::Write(_));
    read.send(()).unwrap();
    session.stop().unwrap_err();
}

#[test]
fn a_udf_that_never_closes() {
    let (done, wait) = signal();
    let settings =
        quiet().close_within(Duration::from_millis(50)).timeout(Duration::from_millis(10_000));
    let (killed, kill) = signal();
    let callbacks = Callbacks::new().on_abort(move |_| done.send(()).unwrap());
    let callbacks = callbacks.on_kill(move || killed.send(()).unwrap());
    let session = serve(settings, callbacks, move |mut peer| {
        peer.init();
        peer.drain();
        wait.wait("the abort callback");
    });
    session.init(Init::default()).unwrap();
    let error = session.stop().unwrap_err();
    assert_fault!(error, Error::NeverCloses { .. });
    drop(session);
    assert!(kill.ends_without_a_word());
}

#[test]
fn a_stream_that_never_ends() {
    let settings = quiet().close_within(Duration::from_millis(100));
    let session = initialized(settings, |mut peer| {
        peer.drain();
        while peer.say(small_point()) {}
    });
    let out = session.point_out();
    let reading = std::thread::spawn(move || out.iter().count());
    assert_fault!(session.stop().unwrap_err(), Error::NeverCloses { .. });
    reading.join().unwrap();
}

#[test]
fn an_owner_that_never_reads_is_told_so() {
    let settings = quiet().close_within(Duration::from_millis(100)).queue(1);
    let session = initialized(settings, |mut peer| {
        peer.drain();
        while peer.say(small_point()) {}
    });
    let error = session.stop().unwrap_err();
    assert_eq!(
        error.to_string(),
        "points of the UDF were still unread 100ms after the end of its input"
    );
}

#[test]
fn a_panic_of_a_callback_is_an_error() {
    let callbacks = Callbacks::new().on_log(|_| panic!("this is expected"));
    let session = serve(quiet(), callbacks, |mut peer| {
        peer.say(Said::Info(InfoResponse::default()));
        peer.drain();
    });
    assert!(session.point_out().recv_timeout(LONG).is_err());
    assert_fault!(session.stop().unwrap_err(), Error::Panicked(_));
}

#[test]
fn nobody_reads_any_more() {
    let settings = quiet().queue(4).close_within(LONG);
    let points = 10_000;
    let session = initialized(settings, move |mut peer| {
        for _ in 0..points {
            peer.say(small_point());
        }
        peer.mirror();
    });
    let out = session.point_out();
    let clone = out.clone();
    drop(out);
    clone.recv_timeout(LONG).expect("a clone is left");
    drop(clone);
    // The answer follows all the points, which are never read.
    session.snapshot().unwrap();
    assert_eq!(session.dropped(), points - 5, "but for the one that was read, and those that wait");
    session.stop().unwrap();
}

#[test]
fn points_that_the_owner_leaves_unread_are_named() {
    let within = Duration::from_millis(200);
    let session =
        initialized(
            quiet().queue(1).close_within(within),
            |mut peer| {
                while peer.say(small_point()) {}
            },
        );
    let out = session.point_out();
    out.recv_timeout(LONG).expect("it sends");
    assert_fault!(session.stop().unwrap_err(), Error::NotRead { what: "points", .. });
    drop(out);
}

#[test]
fn what_there_is_room_for_waits_for_the_next_receiver() {
    let settings = quiet().queue(2);
    let session = initialized(settings, |mut peer| {
        for time in 1..=3 {
            peer.say(Said::Point(messages::Point { time, ..messages::Point::default() }));
        }
        peer.mirror();
    });
    drop(session.point_out());
    // The answer follows all the points. One of the points does not fit into the queue.
    session.snapshot().unwrap();
    let out = session.point_out();
    assert_eq!([(); 2].map(|()| out.recv().unwrap().as_point().time()), [1, 2]);
    session.point_in().send(point(5).as_point()).unwrap();
    assert_eq!(out.recv(), Some(point(5)));
    session.stop().unwrap();
}

#[test]
fn random_bytes_are_survived() {
    // A small generator with a fixed seed: every run sends the same bytes.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            // Small bytes make short frames and known members likely.
            (seed >> 32) as u8 & if seed & 1 == 0 { 0x1f } else { 0xff }
        })
        .take(400)
        .collect();
        let session = initialized(quiet(), move |mut peer| peer.write(&bytes));
        let out = session.point_out();
        while out.recv_timeout(LONG).is_ok() {}
        session.stop().unwrap_err();
    }
}

#[test]
fn a_whole_batch_survives_a_fault_behind_it() {
    let sent = batch("good", 3);
    let again = sent.clone();
    let session = initialized(quiet(), move |mut peer| {
        peer.say(Said::Begin(sent.begin().into()));
        for point in sent.points.iter() {
            let mut bytes = Vec::new();
            udf_proto::response::append_point(point, &mut bytes);
            peer.write(&bytes);
        }
        peer.say(Said::End(sent.end().into()));
        peer.write(&[0]);
        peer.drain();
    });
    let out = session.batch_out();
    assert_eq!(out.recv(), Some(again));
    assert!(out.recv().is_none());
    assert_fault!(session.stop().unwrap_err(), Error::EmptyResponse);
}
