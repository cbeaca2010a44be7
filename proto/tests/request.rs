//! Decoded requests and encoded responses agree with prost.

mod common;

use std::borrow::Cow;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use udf_proto::init::InitError;
use udf_proto::messages::{self, Request, Response, request, response};
use udf_proto::point::PointIndex;
use udf_proto::request::{Incoming, RequestError, decode};
use udf_proto::{Init, OptionCall, Point, PointBuf, Points, Value};

/// Decodes `frame` and passes the result to `at`.
fn look<T>(frame: &[u8], at: impl FnOnce(Result<Incoming<'_>, RequestError>) -> T) -> T {
    // Leftovers of earlier frames in the buffer must not affect this one.
    at(decode(frame, &mut PointIndex::new(), &mut vec![0xff; 9]))
}

fn encoded(message: request::Message) -> Vec<u8> {
    Request { message: Some(message) }.encode_to_vec()
}

/// Generates requests that contain points in every encoding, such as repeated or padded.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let point =
        (records(), 0..3usize).prop_map(|(records, pad)| record(17, BYTES, &concat(&records), pad));
    let other = prop_oneof![
        Just(record(3, BYTES, &[0x08, 5], 0)),
        Just(record(16, BYTES, &[], 0)),
        Just(record(18, BYTES, &[], 0)),
        Just(record(4, BYTES, &[], 1)),
    ];
    let piece = prop_oneof![
        4 => vec(any::<u8>(), 0..3).prop_map(|bytes| record(1, BYTES, &bytes, 0)),
        1 => Just(record(1, VARINT, &[1], 0)),
        1 => Just(record(2, BYTES, b"?", 0)),
    ];
    let restore = (vec(piece, 0..3), 0..3usize)
        .prop_map(|(pieces, pad)| record(5, BYTES, &pieces.concat(), pad));
    let unknown = prop_oneof![
        Just(record(6, BYTES, b"?", 0)),
        Just(record(19, VARINT, &[1], 0)),
        Just([record(40, 3, &[], 0), record(40, 4, &[], 0)].concat()),
    ];
    vec(prop_oneof![6 => point, 1 => other, 2 => restore, 2 => unknown], 0..4)
        .prop_map(|parts| parts.concat())
}

fn agrees_on(frame: &[u8]) {
    let expected = Request::decode(frame);
    look(frame, |found| match (found, expected.map(|request| request.message)) {
        (Ok(Incoming::Point(point)), Ok(Some(request::Message::Point(message)))) => {
            same(point, &message);
        }
        (Ok(Incoming::Keepalive { time }), Ok(Some(request::Message::Keepalive(keepalive)))) => {
            assert_eq!(time, keepalive.time);
        }
        (Ok(Incoming::Begin(begin)), Ok(Some(request::Message::Begin(expected)))) => {
            assert_eq!(begin, expected.into());
        }
        (Ok(Incoming::End(end)), Ok(Some(request::Message::End(expected)))) => {
            assert_eq!(end, expected.into());
        }
        (Ok(Incoming::Restore { snapshot }), Ok(Some(request::Message::Restore(expected)))) => {
            assert_eq!(*snapshot, *expected.snapshot);
        }
        (Ok(Incoming::Info), Ok(Some(request::Message::Info(_))))
        | (Ok(Incoming::Init(_)), Ok(Some(request::Message::Init(_))))
        | (Ok(Incoming::Snapshot), Ok(Some(request::Message::Snapshot(_))))
        | (Ok(Incoming::Unknown), Ok(None))
        | (Err(_), Err(_)) => {}
        // prost does not check the wire type of maps.
        (Err(RequestError::Point(error)), Ok(Some(request::Message::Point(_))))
            if error.to_string().contains("wrong wire type") => {}
        (found, expected) => panic!("{found:?} is not {expected:?}"),
    });
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn requests_mean_what_they_mean_to_prost(frame in requests()) {
        agrees_on(&frame);
    }

    #[test]
    fn damaged_requests_are_refused_when_prost_refuses(frame in requests(), damage in damage()) {
        agrees_on(&damaged(frame, &damage));
    }

    #[test]
    fn arbitrary_requests(bytes in vec(prop_oneof![any::<u8>(), 0..20u8, Just(0x8a)], 0..40)) {
        agrees_on(&bytes);
    }

    #[test]
    fn points_keep_their_bytes(parts in vec(records(), 1..4), unknown in any::<bool>()) {
        // Unknown members are kept, both within the points and beside them.
        let bodies = parts.iter().map(|records| concat(records)).collect::<Vec<_>>();
        let mut frame = bodies.iter().flat_map(|body| record(17, BYTES, body, 0)).collect::<Vec<_>>();
        if unknown {
            frame.extend(record(30, BYTES, b"news", 0));
        }
        look(&frame, |found| match found {
            Ok(Incoming::Point(point)) => assert_eq!(point.as_bytes(), bodies.concat()),
            other => panic!("{other:?}"),
        });
    }

    #[test]
    fn responses_come_out_as_they_went_in(message in message()) {
        // prost loses the sign of -0.0 when it encodes the message.
        let message = messages::Point::decode(&message.encode_to_vec()[..]).unwrap();
        let message = response::Message::Point(message);
        let mut out = Vec::new();
        udf_proto::response::append(message.clone(), &mut out);
        let mut frames = udf_proto::frame::FrameReader::new(&out[..]);
        let frame = frames.next_frame().unwrap().unwrap();
        let decoded = udf_proto::response::decode(frame).unwrap();
        // Compared as text, because a NaN is not equal to itself.
        prop_assert_eq!(format!("{decoded:?}"), format!("{:?}", Some(message)));
    }
}

#[test]
fn each_kind_of_request() {
    look(&encoded(request::Message::Info(messages::InfoRequest {})), |found| {
        assert!(matches!(found, Ok(Incoming::Info)));
    });
    let call = OptionCall { name: "size".into(), values: vec![Value::Int(3)] };
    let init = Init { options: vec![call], task_id: "task".into(), node_id: "node".into() };
    look(&encoded(request::Message::Init(init.clone().into())), |found| match found {
        Ok(Incoming::Init(Ok(found))) => assert_eq!(found, init),
        other => panic!("{other:?}"),
    });
    look(&encoded(request::Message::Snapshot(messages::SnapshotRequest {})), |found| {
        assert!(matches!(found, Ok(Incoming::Snapshot)));
    });
    let restore = messages::RestoreRequest { snapshot: vec![0, 255] };
    look(&encoded(request::Message::Restore(restore)), |found| {
        // The snapshot is borrowed.
        assert!(matches!(found, Ok(Incoming::Restore { snapshot: Cow::Borrowed([0, 255]) })));
    });
    let keepalive = messages::KeepaliveRequest { time: -7 };
    look(&encoded(request::Message::Keepalive(keepalive)), |found| {
        assert!(matches!(found, Ok(Incoming::Keepalive { time: -7 })));
    });
    let mut begin = messages::BeginBatch { name: "m".into(), size: 9, ..Default::default() };
    begin.tags.insert("host".into(), "a".into());
    look(&encoded(request::Message::Begin(begin.clone())), |found| {
        assert!(matches!(found, Ok(Incoming::Begin(found)) if found == begin.clone().into()));
    });
    let end = messages::EndBatch { tmax: 12, tags: begin.tags, ..Default::default() };
    look(&encoded(request::Message::End(end.clone())), |found| {
        assert!(matches!(found, Ok(Incoming::End(found)) if found == end.into()));
    });
    let point = messages::Point { time: 3, ..Default::default() };
    look(&encoded(request::Message::Point(point)), |found| {
        assert!(matches!(found, Ok(Incoming::Point(point)) if point.time() == 3));
    });
}

#[test]
fn an_init_that_lies_is_an_answer_and_no_malformed_frame() {
    let value = messages::OptionValue { r#type: 1, value: None };
    let call = messages::Option { name: "size".into(), values: vec![value] };
    let init = messages::InitRequest { options: vec![call], ..Default::default() };
    look(&encoded(request::Message::Init(init)), |found| match found {
        Ok(Incoming::Init(Err(InitError::Value { option, .. }))) => assert_eq!(option, "size"),
        other => panic!("{other:?}"),
    });
}

#[test]
fn what_newer_kapacitors_may_send_is_unknown_and_not_malformed() {
    for frame in [Vec::new(), record(30, BYTES, b"news", 0), record(6, VARINT, &[1], 0)] {
        look(&frame, |found| assert!(matches!(found, Ok(Incoming::Unknown)), "{found:?}"));
    }
}

#[test]
fn two_halves_that_are_malformed_do_not_make_a_whole() {
    // The second half is the two bytes of a name, and is also a valid time. And vice versa.
    for halves in [[&[0x12, 2][..], &[0x08, 5]], [&[0x08, 5, 0x12][..], &[1, b'a']]] {
        let frame = halves.map(|half| record(17, BYTES, half, 0)).concat();
        assert!(Request::decode(&frame[..]).is_err());
        look(&frame, |found| assert!(matches!(found, Err(RequestError::Point(_))), "{found:?}"));
    }
}

#[test]
fn the_last_of_several_kinds_counts() {
    let point = record(17, BYTES, &[0x08, 5], 0);
    for member in [1, 2, 3, 4, 5, 16, 18] {
        let other = record(member, BYTES, &[], 0);
        agrees_on(&[point.clone(), other.clone()].concat());
        agrees_on(&[other.clone(), point.clone()].concat());
        agrees_on(&[point.clone(), other, point.clone()].concat());
    }
}

#[test]
fn a_response_with_nothing_in_it_is_none() {
    assert_eq!(udf_proto::response::decode(&[]).unwrap(), None);
    assert_eq!(Response::default().encode_to_vec(), []);
    assert!(udf_proto::response::decode(&[0x0a]).is_err());
}

#[test]
fn from_the_begin_of_a_batch_to_its_end_points_have_its_name() {
    let batch = |name: &str| messages::BeginBatch { name: name.into(), ..Default::default() };
    let (mut index, mut spare, mut all) = (PointIndex::new(), Vec::new(), Points::new());
    let mut look =
        |message: request::Message| match decode(&encoded(message), &mut index, &mut spare)
            .expect("the bytes are a request")
        {
            Incoming::Point(point) => {
                let mut kept = Points::new();
                kept.push(&point);
                kept.push(&point.to_buf().as_point());
                assert_eq!(kept.get(0).map(Point::as_bytes), Some(point.as_bytes()));
                kept.push(&PointBuf::from(messages::Point::from(point)).as_point());
                assert!(kept.iter().all(|kept| kept == point), "{kept:?} of {point:?}");
                all.push(&point);
                Some(point.name().to_owned())
            }
            _ => None,
        };
    let nameless = |time| {
        let mut point = messages::Point { time, group: "host=a".into(), ..Default::default() };
        point.fields_int.insert("x".into(), 3);
        request::Message::Point(point)
    };
    let named = messages::Point { name: "own".into(), ..Default::default() };
    let long = "l".repeat(200);
    for name in ["cpu", &long, "\u{fc}"] {
        assert_eq!(look(request::Message::Begin(batch(name))), None);
        assert_eq!(look(nameless(1)).as_deref(), Some(name));
        assert_eq!(look(request::Message::Point(named.clone())).as_deref(), Some("own"));
    }
    look(request::Message::End(messages::EndBatch::default()));
    assert_eq!(look(nameless(2)).as_deref(), Some(""));
    let names: Vec<_> = all.iter().map(|point| point.name()).collect();
    assert_eq!(names, ["cpu", "own", &long, "own", "\u{fc}", "own", ""]);
}
