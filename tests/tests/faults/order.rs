//! Valid messages at the wrong time, and incomplete batches.

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    InfoRequest, KeepaliveRequest, KeepaliveResponse, RestoreRequest, SnapshotRequest,
};
use udf_tests::batch::{batch_point, begin, end};
use udf_tests::program::{Transport, frame, init};

use crate::subject::{Subject, point, troubled_batch};
use crate::{BOTH, cases};

cases! {
    nothing_at_all, BOTH, "A connection without input ends without output and without an error.";
    a_point_before_init, BOTH, "A point before Init ends the connection with an error; no handler sees it.";
    a_batch_before_init, BOTH, "A batch before Init ends the connection with an error.";
    a_second_init, BOTH, "A second Init is refused in its answer, and the first one remains valid.";
    a_batch_for_a_udf_of_streams, BOTH, "A batch for a UDF that reads a stream ends the connection with an error that says so.";
    a_point_outside_of_a_batch, BOTH, "A point between two batches ends the connection with an error.";
    an_end_without_a_begin, BOTH, "An End without a Begin ends the connection with an error, and is not sent.";
    a_begin_within_a_batch, BOTH, "A Begin within a batch ends the connection with an error, and no part of a batch is sent.";
    input_that_ends_within_a_batch, BOTH, "When the input ends within a batch, no part of the batch is sent, and there is no error.";
    a_size_beyond_all_memory, BOTH, "The size of a batch is a hint: 2^63 - 1 costs no memory, and the sent batch has its true size.";
    a_negative_size, BOTH, "A negative size is ignored and never sent, since it would crash Kapacitor.";
    a_batch_of_nothing, BOTH, "A batch without points stays a batch.";
    a_batch_that_is_forgotten, BOTH, "A batch that the author begins and never ends is not sent; the next one is.";
    a_panic_within_a_batch, BOTH, "After a panic within an emitted batch, the error is sent, and no part of the batch.";
    an_error_within_a_batch, BOTH, "After an error within an emitted batch, the error is sent, and no part of the batch.";
    every_kind_of_request_at_once, BOTH, "Each request gets exactly one answer, in order, of its own kind.";
    requests_within_a_batch, BOTH, "Keepalives and snapshots within a batch are answered, and do not split the sent batch.";
    requests_after_a_fatal_one, BOTH, "Requests after the one that ended the connection have no effect.";
}

fn nothing_at_all(on: Transport) {
    assert_eq!(Subject::example("mirror", on).finishes(), []);
}

fn a_point_before_init(on: Transport) {
    let mut udf = Subject::example("mirror", on);
    udf.ask(Ask::Point(point(1)));
    assert_eq!(udf.fails("not been started by an Init"), []);
}

fn a_batch_before_init(on: Transport) {
    let mut udf = Subject::example("outliers", on);
    udf.ask(Ask::Begin(begin(0)));
    assert_eq!(udf.fails("not been started by an Init"), []);
}

fn a_second_init(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    let (field, size) = (["other".into()], [Value::Int(7)]);
    match udf.connection.init(&[("field", &field), ("size", &size)]) {
        Answer::Init(init) => {
            assert!(!init.success && init.error.contains("already"), "{}", init.error);
        }
        other => panic!("not an answer to Init: {other:?}"),
    }
    udf.ask(Ask::Point(point(3)));
    assert!(
        matches!(udf.connection.answer(), Answer::Point(point) if point.fields_double["avg"] == 3.0)
    );
    assert_eq!(udf.lives(), []);
}

fn a_batch_for_a_udf_of_streams(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.ask(Ask::Begin(begin(1)));
    assert_eq!(udf.fails("reads a stream, not batches"), []);
}

fn a_point_outside_of_a_batch(on: Transport) {
    let mut udf = Subject::outliers(on);
    for message in [Ask::Begin(begin(0)), Ask::End(end(1)), Ask::Point(batch_point(1, 1.0))] {
        udf.ask(message);
    }
    let whole = [Answer::Begin(begin(0)), Answer::End(end(1))];
    assert_eq!(udf.fails("outside of a batch"), whole);
}

fn an_end_without_a_begin(on: Transport) {
    let mut udf = Subject::outliers(on);
    udf.ask(Ask::End(end(1)));
    assert_eq!(udf.fails("no batch has begun"), []);
}

fn a_begin_within_a_batch(on: Transport) {
    let mut udf = Subject::outliers(on);
    udf.ask(Ask::Begin(begin(1)));
    udf.ask(Ask::Begin(begin(1)));
    assert_eq!(udf.fails("has not ended"), []);
}

fn input_that_ends_within_a_batch(on: Transport) {
    let mut udf = Subject::outliers(on);
    udf.ask(Ask::Begin(begin(2)));
    udf.ask(Ask::Point(batch_point(1, 1.0)));
    assert_eq!(udf.finishes(), []);
}

/// Sends a batch of twelve points with two outliers and a wrong size.
fn lying_size(on: Transport, size: i64) {
    let mut udf = Subject::outliers(on);
    udf.ask(Ask::Begin(begin(size)));
    for (time, value) in (0..).zip([1.0, 99.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 3.0, -99.0])
    {
        udf.ask(Ask::Point(batch_point(time, value)));
    }
    udf.ask(Ask::End(end(11)));
    let expected = [
        Answer::Begin(begin(2)),
        Answer::Point(batch_point(1, 99.0)),
        Answer::Point(batch_point(11, -99.0)),
        Answer::End(end(11)),
    ];
    assert_eq!(udf.lives(), expected);
}

fn a_size_beyond_all_memory(on: Transport) {
    lying_size(on, i64::MAX);
}

fn a_negative_size(on: Transport) {
    lying_size(on, i64::MIN);
}

fn a_batch_of_nothing(on: Transport) {
    let mut udf = Subject::outliers(on);
    udf.ask(Ask::Begin(begin(5)));
    udf.ask(Ask::End(end(7)));
    assert_eq!(udf.lives(), [Answer::Begin(begin(0)), Answer::End(end(7))]);
}

/// Sends a complete batch, one with a fault at its end, and another complete one.
fn batches(on: Transport, kind: &str) -> Subject {
    let mut udf = Subject::start(troubled_batch(), on, &[]).init(&[("kind", &[kind.into()])]);
    let messages = [1, 13, 14].into_iter().flat_map(|time| {
        [Ask::Begin(begin(1)), Ask::Point(batch_point(time, 0.0)), Ask::End(end(time))]
    });
    udf.send(&messages.flat_map(frame).collect::<Vec<_>>());
    udf
}

fn whole(time: i64) -> [Answer; 3] {
    [Answer::Begin(begin(1)), Answer::Point(batch_point(time, 0.0)), Answer::End(end(time))]
}

fn a_batch_that_is_forgotten(on: Transport) {
    let udf = batches(on, "forget");
    assert_eq!(udf.lives(), [whole(1), whole(14)].concat());
}

fn a_panic_within_a_batch(on: Transport) {
    let udf = batches(on, "panic");
    assert_eq!(udf.fails("the handler panicked in end_batch: half sent"), whole(1));
}

fn an_error_within_a_batch(on: Transport) {
    let udf = batches(on, "error");
    assert_eq!(udf.fails("half sent"), whole(1));
}

fn every_kind_of_request_at_once(on: Transport) {
    let mut udf = Subject::example("mirror", on);
    let mut messages = vec![Ask::Info(InfoRequest {}), init(&[])];
    for time in 0..200 {
        messages.push(Ask::Keepalive(KeepaliveRequest { time }));
        messages.push(Ask::Point(point(time)));
        messages.push(Ask::Snapshot(SnapshotRequest {}));
        messages.push(Ask::Info(InfoRequest {}));
        messages.push(Ask::Restore(RestoreRequest { snapshot: b"no".to_vec() }));
    }
    let asked = messages.len();
    udf.send(&messages.into_iter().flat_map(frame).collect::<Vec<_>>());
    let answers = udf.finishes();
    assert_eq!(answers.len(), asked);
    assert!(matches!(&answers[..2], [Answer::Info(_), Answer::Init(init)] if init.success));
    for (time, answers) in (0..).zip(answers[2..].chunks(5)) {
        let [keepalive, data, snapshot, info, restore] = answers else { panic!("not five") };
        assert_eq!(*keepalive, Answer::Keepalive(KeepaliveResponse { time }));
        assert_eq!(*data, Answer::Point(point(time)));
        assert!(matches!(snapshot, Answer::Snapshot(_)), "{snapshot:?}");
        assert!(matches!(info, Answer::Info(_)), "{info:?}");
        assert!(matches!(restore, Answer::Restore(answer) if !answer.success), "{restore:?}");
    }
}

fn requests_within_a_batch(on: Transport) {
    let mut udf = Subject::start(troubled_batch(), on, &[]).init(&[]);
    udf.ask(Ask::Begin(begin(1)));
    udf.ask(Ask::Keepalive(KeepaliveRequest { time: 3 }));
    udf.ask(Ask::Point(batch_point(1, 0.0)));
    udf.ask(Ask::Snapshot(SnapshotRequest {}));
    udf.ask(Ask::End(end(1)));
    let rest = udf.lives();
    assert_eq!(rest[0], Answer::Keepalive(KeepaliveResponse { time: 3 }));
    assert!(matches!(rest[1], Answer::Snapshot(_)), "{rest:?}");
    assert_eq!(rest[2..], whole(1));
}

fn requests_after_a_fatal_one(on: Transport) {
    let mut udf = Subject::mirror(on);
    let messages =
        [Ask::Point(point(1)), Ask::End(end(1)), Ask::Point(point(2)), Ask::Info(InfoRequest {})];
    udf.send(&messages.into_iter().flat_map(frame).collect::<Vec<_>>());
    assert_eq!(udf.fails("unexpected end of a batch"), [Answer::Point(point(1))]);
}
