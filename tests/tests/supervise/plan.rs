//! The requests of a test, and the answers of a UDF without a front.

use std::collections::BTreeMap;
use std::process::Stdio;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::{BeginBatch, EndBatch, InfoRequest, Point, SnapshotRequest};
use udf_tests::program::{Program, frame, init};

use crate::front::{Udf, unsupervised};
use crate::kapacitor::Kapacitor;

/// Returns the Init of the tests, for this example or for the UDF in Python.
pub(crate) fn init_of(udf: &Udf) -> Ask {
    let field: [Value; 1] = ["value".into()];
    let size = [Value::Int(10)];
    match udf {
        Udf::Example("moving_avg") => init(&[("field", &field), ("size", &size)]),
        Udf::Example("mirror") => init(&[]),
        _ => init(&[("field", &field)]),
    }
}

/// Returns a point of a stream, of one of three groups.
pub(crate) fn point(time: i64) -> Point {
    let host = ["a", "b", "c"][(time % 3) as usize];
    Point {
        time,
        name: "cpu".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: format!("host={host}"),
        dimensions: vec!["host".into()],
        tags: BTreeMap::from([("host".into(), host.into())]),
        // Sums of these values depend on the order of the values.
        fields_double: BTreeMap::from([("value".into(), (time * 7919 % 1009) as f64 / 7.0)]),
        ..Default::default()
    }
}

/// Returns a point that makes the UDF in Python misbehave.
pub(crate) fn trouble(time: i64) -> Point {
    let mut point = point(time);
    point.fields_bool.insert("trouble".into(), true);
    point
}

/// Returns a point with a text of `bytes` bytes.
pub(crate) fn large(time: i64, bytes: usize) -> Point {
    let mut point = point(time);
    point.fields_string.insert("text".into(), "x".repeat(bytes));
    point
}

/// Returns the frames of points with these times.
pub(crate) fn points(times: std::ops::Range<i64>) -> Vec<u8> {
    times.flat_map(|time| frame(Ask::Point(point(time)))).collect()
}

pub(crate) fn info() -> Vec<u8> {
    frame(Ask::Info(InfoRequest {}))
}

pub(crate) fn snapshot() -> Vec<u8> {
    frame(Ask::Snapshot(SnapshotRequest {}))
}

fn tags(number: i64, trouble: bool) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([("host".into(), format!("h{}", number % 3))]);
    if trouble {
        tags.insert("trouble".into(), "yes".into());
    }
    tags
}

/// Returns the begin of a batch.
pub(crate) fn begin(number: i64, trouble: bool) -> Vec<u8> {
    let tags = tags(number, trouble);
    let group = format!("host=h{}", number % 3);
    frame(Ask::Begin(BeginBatch { name: "cpu".into(), group, tags, size: 0, by_name: false }))
}

/// Returns the points of a batch. Every tenth value is an outlier.
pub(crate) fn batch_points(number: i64, times: std::ops::Range<i64>) -> Vec<u8> {
    let frames = times.map(|time| {
        let value = if time % 10 == 3 { 1000.0 + number as f64 } else { (time % 7) as f64 };
        frame(Ask::Point(Point {
            time: 1000 * number + time,
            group: format!("host=h{}", number % 3),
            tags: tags(number, false),
            fields_double: BTreeMap::from([("value".into(), value)]),
            ..Default::default()
        }))
    });
    frames.flatten().collect()
}

pub(crate) fn end(number: i64, trouble: bool) -> Vec<u8> {
    let group = format!("host=h{}", number % 3);
    let tmax = 1000 * number + 999;
    frame(Ask::End(EndBatch {
        name: "cpu".into(),
        group,
        tmax,
        tags: tags(number, trouble),
        by_name: false,
    }))
}

/// Returns a whole batch of 20 points.
pub(crate) fn batch(number: i64) -> Vec<u8> {
    [begin(number, false), batch_points(number, 0..20), end(number, false)].concat()
}

/// Returns the answers of a UDF without a front to all of these bytes.
#[track_caller]
pub(crate) fn direct(udf: &Udf, requests: &[u8]) -> Vec<Vec<u8>> {
    let mut program = Program::spawn(unsupervised(udf).stdin(Stdio::piped()));
    let mut kapacitor = Kapacitor::new(program.pipes());
    kapacitor.send(requests);
    kapacitor.end_input();
    let answers = kapacitor.rest();
    let log = program.rest_of_log();
    assert!(program.wait().success(), "{log:#?}");
    answers
}

/// Checks that two runs had the same output, byte by byte.
#[track_caller]
pub(crate) fn assert_same(found: &[Vec<u8>], expected: &[Vec<u8>]) {
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    if let Some(at) = differs {
        let [found, expected] = [found, expected].map(|run| crate::kapacitor::decode(&run[at]));
        panic!("message {at} differs: {found:#?}, expected {expected:#?}");
    }
    assert_eq!(found.len(), expected.len(), "the messages before are the same");
}
