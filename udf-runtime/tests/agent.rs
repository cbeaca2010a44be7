//! The guarantees of an agent on one connection, from Kapacitor's side.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use common::{
    Kapacitor, Scripted, TIMEOUT, begin, end, error_of, frame_of, info, point, times,
    unknown_request,
};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, InitRequest, KeepaliveResponse, Option as WireOption, Point, RestoreRequest,
    SnapshotRequest,
};
use udf_runtime::{Agent, AgentError, Batch, EmitError, OnUnfit, Stream};

fn mirror() -> Scripted<Stream, Stream> {
    let (mut handler, _) = Scripted::new();
    handler.point = Box::new(|point, out| Ok(out.pass(point)?));
    handler
}

#[test]
fn info_tells_the_edges_of_the_types_and_needs_no_init() {
    let (handler, _) = Scripted::<Batch, Stream>::new();
    let mut kapacitor = Kapacitor::connect(handler);
    kapacitor.ask(info());
    let Answer::Info(info) = kapacitor.answer() else { panic!("not an info") };
    assert_eq!((info.wants, info.provides), (1, 0));
    assert_eq!(info.options["size"].value_types, [1]);
    let (rest, ended) = kapacitor.finish();
    assert!(rest.is_empty());
    ended.unwrap();
}

#[test]
fn each_request_is_answered_once_and_with_its_kind_in_order() {
    let mut kapacitor = Kapacitor::start(mirror());
    kapacitor.keepalive(42);
    kapacitor.ask(Ask::Point(point(1)));
    kapacitor.ask(Ask::Snapshot(SnapshotRequest {}));
    kapacitor.ask(Ask::Restore(RestoreRequest { snapshot: b"state".to_vec() }));
    kapacitor.ask(Ask::Restore(RestoreRequest { snapshot: b"other".to_vec() }));
    kapacitor.ask(Ask::Point(point(2)));
    let (answers, ended) = kapacitor.finish();
    ended.unwrap();
    assert_eq!(answers[0], Answer::Keepalive(KeepaliveResponse { time: 42 }));
    assert_eq!(answers[1], Answer::Point(point(1)));
    assert!(matches!(&answers[2], Answer::Snapshot(snapshot) if snapshot.snapshot == b"state"));
    assert!(matches!(&answers[3], Answer::Restore(restore) if restore.success));
    assert!(
        matches!(&answers[4], Answer::Restore(no) if !no.success && no.error == "that is not my state")
    );
    assert_eq!(answers[5], Answer::Point(point(2)));
    assert_eq!(answers.len(), 6);
}

#[test]
fn a_refused_init_is_an_answer_and_another_may_follow() {
    let mut kapacitor = Kapacitor::connect(mirror());
    let call = WireOption { name: "size".into(), values: vec![] };
    kapacitor.ask(Ask::Init(InitRequest { options: vec![call], ..Default::default() }));
    let Answer::Init(refused) = kapacitor.answer() else { panic!("not an init") };
    assert_eq!((refused.success, &*refused.error), (false, "there is no size"));
    kapacitor.init();
    kapacitor.ask(Ask::Init(InitRequest::default()));
    let Answer::Init(refused) = kapacitor.answer() else { panic!("not an init") };
    assert_eq!(refused.error, "this connection already had its Init");
    kapacitor.finish().1.unwrap();
}

#[test]
fn an_error_of_init_refuses_it_and_another_may_follow() {
    let mut kapacitor = Kapacitor::connect(mirror());
    let call = WireOption { name: "error".into(), values: vec![] };
    kapacitor.ask(Ask::Init(InitRequest { options: vec![call], ..Default::default() }));
    let Answer::Init(refused) = kapacitor.answer() else { panic!("not an init") };
    assert_eq!((refused.success, &*refused.error), (false, "that is an error"));
    kapacitor.init();
    kapacitor.finish().1.unwrap();
}

#[test]
fn a_refusal_of_any_length_is_cut() {
    let mut kapacitor = Kapacitor::connect(mirror());
    let call = WireOption { name: "long".repeat(10_000), values: vec![] };
    kapacitor.ask(Ask::Init(InitRequest { options: vec![call], ..Default::default() }));
    let Answer::Init(refused) = kapacitor.answer() else { panic!("not an init") };
    let error = refused.error;
    assert!(error.len() < 17 << 10 && error.ends_with("longlong ..."), "{} bytes", error.len());
    kapacitor.finish().1.unwrap();
}

#[test]
fn requests_of_newer_kapacitors_are_ignored() {
    let mut kapacitor = Kapacitor::start(mirror());
    kapacitor.raw(&[0]);
    kapacitor.raw(&unknown_request());
    kapacitor.ask(Ask::Point(point(1)));
    let (answers, ended) = kapacitor.finish();
    ended.unwrap();
    assert_eq!(times(&answers), [1]);
}

#[test]
fn messages_out_of_order_are_named_and_end_the_connection() {
    let stream = |message| {
        let mut kapacitor = Kapacitor::start(mirror());
        kapacitor.ask(message);
        error_of(&kapacitor.rest()).to_owned()
    };
    let before_init = |message| {
        let mut kapacitor = Kapacitor::connect(mirror());
        kapacitor.ask(message);
        error_of(&kapacitor.rest()).to_owned()
    };
    let batch = |messages: Vec<Ask>| {
        let (handler, _) = Scripted::<Batch, Batch>::new();
        let mut kapacitor = Kapacitor::start(handler);
        for message in messages {
            kapacitor.ask(message);
        }
        error_of(&kapacitor.rest()).to_owned()
    };
    let not_started = "the UDF has not been started by an Init";
    assert_eq!(before_init(Ask::Point(point(1))), format!("unexpected point: {not_started}"));
    assert_eq!(
        before_init(Ask::Begin(begin(""))),
        format!("unexpected begin of a batch: {not_started}")
    );
    assert_eq!(
        stream(Ask::Begin(begin(""))),
        "unexpected begin of a batch: this UDF reads a stream, not batches"
    );
    assert_eq!(
        stream(Ask::End(end("", 1))),
        "unexpected end of a batch: this UDF reads a stream, not batches"
    );
    assert_eq!(batch(vec![Ask::End(end("", 1))]), "unexpected end of a batch: no batch has begun");
    assert_eq!(batch(vec![Ask::Point(point(1))]), "unexpected point: it lies outside of a batch");
    assert_eq!(
        batch(vec![Ask::Begin(begin("a")), Ask::Begin(begin("b"))]),
        "unexpected begin of a batch: the last batch has not ended"
    );
}

#[test]
fn restore_before_init_is_refused_by_an_answer() {
    let mut kapacitor = Kapacitor::connect(mirror());
    kapacitor.ask(Ask::Restore(RestoreRequest::default()));
    let Answer::Restore(restore) = kapacitor.answer() else { panic!("not a restore") };
    assert_eq!(restore.error, "a snapshot can be restored after Init only");
    kapacitor.init();
    kapacitor.finish().1.unwrap();
}

#[test]
fn malformed_input_is_named_behind_what_was_earned() {
    let said = |bytes: &[u8]| {
        let mut kapacitor = Kapacitor::start(mirror());
        // In one write, so that the output must precede the error.
        let mut input = frame_of(Ask::Point(point(1)));
        input.extend_from_slice(bytes);
        kapacitor.raw(&input);
        kapacitor.end_input();
        let answers = kapacitor.rest();
        assert_eq!(times(&answers[..1]), [1]);
        assert_eq!(answers.len(), 2);
        kapacitor.wait().expect_err("it has failed");
        error_of(&answers).to_owned()
    };
    assert_eq!(
        said(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x20]),
        "a frame of 1099511627776 bytes was announced, over the limit of 67108864 bytes"
    );
    assert_eq!(
        said(&[0xff; 11]),
        "a frame's length is not a varint: it goes on after ten bytes or 64 bits"
    );
    assert_eq!(said(&[5, 1, 2]), "the input ended within a frame: 3 of its 5 bytes are missing");
    assert_eq!(said(&[0x85]), "the input ended within a frame: its length is incomplete");
    assert!(said(&[2, 0x0a, 0x05]).starts_with("malformed request: "));
    // A point whose name is not valid UTF-8.
    assert_eq!(
        said(&[6, 0x8a, 0x01, 3, 0x12, 1, 0xff]),
        "malformed point: invalid UTF-8 in `name`, at byte 0"
    );
}

#[test]
fn http_is_named_at_once() {
    for request in ["GET / HTTP/1.0\r\n\r\n", "POST /write HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut kapacitor = Kapacitor::connect(mirror());
        kapacitor.raw(request.as_bytes());
        // The agent must not wait for the end of this request: the peer waits for an answer.
        let error = match kapacitor.answer() {
            Answer::Error(error) => error.error,
            other => panic!("not an error: {other:?}"),
        };
        assert!(error.starts_with("malformed request: the peer speaks HTTP"), "{error}");
        assert!(matches!(kapacitor.wait(), Err(AgentError::Http)));
    }
}

#[test]
fn an_error_of_the_handler_is_told_behind_what_was_earned() {
    let (stopped, stops) = channel();
    let mut handler = mirror();
    handler.point = Box::new(|point, out| {
        out.pass(point)?;
        if point.time() == 2 { Err("two is too much".into()) } else { Ok(()) }
    });
    handler.on_stop = Box::new(move || stopped.send(()).unwrap());
    let mut kapacitor = Kapacitor::start(handler);
    // In one write, because the agent may close the connection before a second one.
    let points: Vec<u8> = (1..5).flat_map(|time| frame_of(Ask::Point(point(time)))).collect();
    kapacitor.raw(&points);
    let answers = kapacitor.rest();
    assert_eq!(times(&answers[..2]), [1, 2]);
    assert_eq!(error_of(&answers), "two is too much");
    assert_eq!(answers.len(), 3);
    let error = kapacitor.wait().expect_err("it has failed");
    assert!(matches!(error, AgentError::Handler { .. }), "{error:?}");
    assert_eq!(error.to_string(), "two is too much");
    assert!(std::error::Error::source(&error).is_none(), "its text has all of it");
    assert_eq!(stops.iter().count(), 1);
}

#[test]
fn a_panic_becomes_an_error_and_stop_is_called() {
    let (stopped, stops) = channel();
    let mut handler = mirror();
    handler.point = Box::new(|point, out| {
        out.pass(point)?;
        assert!(point.time() < 2, "no handler for {}", point.time());
        Ok(())
    });
    handler.on_stop = Box::new(move || stopped.send(()).unwrap());
    let mut kapacitor = Kapacitor::start(handler);
    kapacitor.ask(Ask::Point(point(1)));
    kapacitor.ask(Ask::Point(point(2)));
    let answers = kapacitor.rest();
    assert_eq!(times(&answers[..2]), [1, 2]);
    assert_eq!(error_of(&answers), "the handler panicked in point: no handler for 2");
    kapacitor.wait().expect_err("it has failed");
    assert_eq!(stops.iter().count(), 1);
}

#[test]
fn at_the_end_of_input_the_last_words_go_out_before_stop() {
    let (stopped, stops) = channel();
    let mut handler = mirror();
    handler.finish = Box::new(|out| Ok(out.build("last").time(9).field("x", 1).send()?));
    handler.on_stop = Box::new(move || stopped.send(()).unwrap());
    let mut kapacitor = Kapacitor::start(handler);
    kapacitor.ask(Ask::Point(point(1)));
    kapacitor.end_input();
    assert_eq!(times(&kapacitor.rest()), [1, 9]);
    kapacitor.wait().unwrap();
    assert_eq!(stops.iter().count(), 1);
}

#[test]
fn a_batch_goes_out_whole_with_its_size_or_not_at_all() {
    let (mut handler, _) = Scripted::<Stream, Batch>::new();
    handler.point = Box::new(|point, out| {
        let mut batch = out.begin(&begin("host=a").into());
        for _ in 0..point.time() {
            batch.pass(point);
        }
        match point.time() {
            2 => drop(batch),
            3 => std::mem::forget(batch),
            4 => {
                let _unfinished = batch.edit(point).field("x", 1);
                return Ok(());
            }
            5 => return Err("in the middle of a batch".into()),
            _ => batch.end(point.time())?,
        }
        Ok(())
    });
    let mut kapacitor = Kapacitor::start(handler);
    for time in [0, 2, 3, 1, 4, 300, 5] {
        kapacitor.ask(Ask::Point(point(time)));
    }
    let answers = kapacitor.rest();
    let mut seen = Vec::new();
    let mut open = None;
    for answer in &answers {
        match answer {
            Answer::Begin(begin) => {
                assert_eq!((begin.name.as_str(), begin.group.as_str()), ("cpu", "host=a"));
                assert!(open.replace((begin.size, 0)).is_none(), "a batch within a batch");
            }
            Answer::Point(_) => open.as_mut().expect("a point within a batch").1 += 1,
            Answer::End(end) => {
                let (size, points) = open.take().expect("an end behind a begin");
                assert_eq!((size, end.tmax, end.group.as_str()), (points, points, "host=a"));
                seen.push(points);
            }
            Answer::Error(_) => assert!(open.is_none()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [0, 1, 300]);
    assert_eq!(error_of(&answers), "in the middle of a batch");
}

#[test]
fn points_that_a_later_node_could_not_store_are_dropped_unless_asked_for() {
    let sent = |on_unfit| {
        let (mut handler, _) = Scripted::<Stream, Stream>::new();
        handler.point = Box::new(|point, out| {
            out.edit(point).field("x", f64::NAN).send()?;
            out.edit(point).time(2).field("x", f64::INFINITY).field("x", 1.0).send()?;
            out.edit(point).time(3).clear_fields().send()?;
            out.edit(point).time(4).remove_field("value").send()?;
            out.edit(point).time(5).remove_field("value").field("y", true).send()?;
            out.build("new").time(6).tag("a", "b").send()?;
            // The agent does not check points that it passes on unchanged.
            out.pass(point)?;
            Ok(())
        });
        let mut kapacitor = Kapacitor::connect_with_unfit_points(handler, on_unfit);
        kapacitor.init();
        kapacitor.ask(Ask::Point(point(1)));
        kapacitor.end_input();
        kapacitor.rest()
    };
    assert_eq!(times(&sent(OnUnfit::Drop)), [2, 5, 1]);
    assert_eq!(times(&sent(OnUnfit::Send)), [1, 2, 3, 4, 5, 6, 1]);
    let failed = sent(OnUnfit::Fail);
    assert_eq!(
        error_of(&failed),
        "a point cannot be sent: its field `x` is NaN (measurement `cpu`)"
    );
}

#[test]
fn a_point_of_a_batch_goes_to_a_stream_under_the_name_of_the_batch() {
    let (mut handler, _) = Scripted::<Batch, Stream>::new();
    handler.point = Box::new(|point, out| {
        out.pass(point)?;
        out.edit(point).time(2).send()?;
        out.edit(point).time(3).name("own").send()?;
        Ok(out.build("new").time(4).field("x", 1).send()?)
    });
    let mut kapacitor = Kapacitor::connect(handler);
    kapacitor.init();
    let mut nameless = point(1);
    nameless.name.clear();
    for name in ["cpu", "mem"] {
        kapacitor.ask(Ask::Begin(BeginBatch { name: name.to_owned(), ..begin("a") }));
        kapacitor.ask(Ask::Point(nameless.clone()));
        kapacitor.ask(Ask::End(end("a", 9)));
    }
    let (answers, ended) = kapacitor.finish();
    ended.unwrap();
    let names: Vec<&str> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Point(point) => &*point.name,
            other => panic!("not a point: {other:?}"),
        })
        .collect();
    assert_eq!(names, ["cpu", "cpu", "own", "new", "mem", "mem", "own", "new"]);
    let Answer::Point(passed) = &answers[0] else { panic!("not a point") };
    assert_eq!(*passed, Point { name: "cpu".into(), ..nameless.clone() });

    // A point without a name is passed on unchanged.
    let mut kapacitor = Kapacitor::connect(mirror());
    kapacitor.init();
    kapacitor.ask(Ask::Point(nameless.clone()));
    assert_eq!(kapacitor.finish().0, [Answer::Point(nameless)]);
}

#[test]
fn other_threads_emit_at_any_time_and_are_told_of_the_end() {
    let (handler, remotes) = Scripted::<Stream, Stream>::new();
    let mut kapacitor = Kapacitor::start(handler);
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let remote = remote.clone();
            std::thread::spawn(move || {
                for i in 0..100 {
                    let time = thread * 1000 + i;
                    remote.emit(|out| out.build("x").time(time).field("x", 1).send()).unwrap();
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    while answers.len() < 400 {
        answers.push(kapacitor.answer());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let mut got = times(&answers);
    for thread in 0..4 {
        let own: Vec<_> = got.iter().copied().filter(|time| time / 1000 == thread).collect();
        assert!(own.is_sorted(), "what one thread sends keeps its order");
    }
    got.sort_unstable();
    assert_eq!(got, (0..4).flat_map(|t| (0..100).map(move |i| t * 1000 + i)).collect::<Vec<_>>());
    assert!(!remote.is_closed());
    kapacitor.finish().1.unwrap();
    assert!(remote.is_closed());
    let late = remote.emit(|out| out.build("x").field("x", 1).send());
    assert!(matches!(late, Err(EmitError::Closed)), "{late:?}");
}

#[test]
fn the_other_side_sees_the_end_before_stop_and_whoever_keeps_a_remote() {
    let (mut handler, remotes) = Scripted::<Stream, Stream>::new();
    let (seen, end_seen) = channel();
    let (told, stopped) = channel();
    handler.on_stop = Box::new(move || told.send(end_seen.recv_timeout(TIMEOUT)).unwrap());
    let (mut reader, writer) = std::io::pipe().unwrap();
    let watched = writer.try_clone().unwrap();
    let input = std::io::Cursor::new(frame_of(Ask::Init(InitRequest::default())));
    let agent = Agent::new(input, writer, handler).liveness(watched, None).start().unwrap();
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    std::thread::spawn(move || {
        let _ = reader.read_to_end(&mut Vec::new());
        let _ = seen.send(());
    });
    stopped.recv().unwrap().expect("the other side sees no end");
    agent.wait().unwrap();
    assert!(remote.is_closed());
}

#[test]
fn whether_it_is_closed_is_told_while_somebody_writes() {
    let (handler, remotes) = Scripted::<Stream, Stream>::new();
    let input = std::io::Cursor::new(frame_of(Ask::Init(InitRequest::default())));
    let (begun, writing) = channel();
    let (go_on, wait) = channel::<()>();
    let agent = Agent::new(input, Stuck { begun, wait }, handler).start().unwrap();
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    writing.recv_timeout(TIMEOUT).unwrap();
    let (said, closed) = channel();
    std::thread::spawn({
        let remote = remote.clone();
        move || said.send(remote.is_closed())
    });
    assert_eq!(closed.recv_timeout(TIMEOUT), Ok(false));
    drop(go_on);
    agent.wait().unwrap();
    assert!(remote.is_closed());
}

/// A writer that reports each write and then blocks.
struct Stuck {
    begun: Sender<()>,
    wait: Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.begun.send(());
        let _ = self.wait.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn kapacitor_keeps_hearing_from_a_busy_handler_up_to_the_budget() {
    let (go_on, wait) = channel::<()>();
    let mut handler = mirror();
    handler.point = Box::new(move |point, out| {
        let _ = wait.recv();
        Ok(out.pass(point)?)
    });
    let budget = Duration::from_secs(2);
    let mut kapacitor = Kapacitor::connect_with_liveness(handler, budget);
    kapacitor.init();
    let begun = Instant::now();
    kapacitor.ask(Ask::Point(point(1)));
    let mut heard = 0;
    while begun.elapsed() < budget / 2 {
        assert!(matches!(kapacitor.answer(), Answer::Keepalive(_)));
        heard += 1;
    }
    assert!(heard >= 2, "heard {heard} times");
    go_on.send(()).unwrap();
    let (answers, ended) = kapacitor.finish();
    ended.unwrap();
    let answers: Vec<_> =
        answers.into_iter().filter(|answer| !matches!(answer, Answer::Keepalive(_))).collect();
    assert_eq!(times(&answers), [1]);
}

#[test]
fn a_drop_that_panics_fails_its_connection_and_nothing_else() {
    struct Brittle;
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic!("broken");
        }
    }
    let brittle = Brittle;
    let mut handler = mirror();
    handler.on_stop = Box::new(move || {
        let _kept = &brittle;
    });
    let mut kapacitor = Kapacitor::start(handler);
    kapacitor.ask(Ask::Point(point(1)));
    let (answers, ended) = kapacitor.finish();
    assert_eq!(times(&answers), [1]);
    let error = ended.expect_err("it has failed");
    assert_eq!(error.to_string(), "the handler panicked in drop: broken");
}

#[test]
fn output_that_a_thread_could_not_write_fails_the_connection() {
    let (handler, remotes) = Scripted::<Stream, Stream>::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let (input, kapacitor) = UnixStream::pair().unwrap();
    let agent = Agent::new(input, writer, handler).start().unwrap();
    (&kapacitor).write_all(&frame_of(Ask::Init(InitRequest::default()))).unwrap();
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    drop(reader);
    // The answer to Init may be the first write that fails.
    let emitted = remote.emit(|out| out.build("x").time(1).field("x", 1).send());
    assert!(matches!(emitted, Err(EmitError::Write(_) | EmitError::Closed)), "{emitted:?}");
    drop(kapacitor);
    let ended = agent.wait();
    assert!(matches!(ended, Err(AgentError::Emit(EmitError::Write(_)))), "{ended:?}");
}
