//! The view of points, compared with prost.

use std::collections::BTreeSet;

use prost::Message as _;
use udf_proto::point::{FieldValue, Point, PointCheck, PointIndex, Problem};
use udf_proto::{messages, response};

use super::within;
use crate::Trace;

pub(super) fn message(time: i64) -> messages::Point {
    let mut point = messages::Point {
        time,
        name: "cpu".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: "host=a".into(),
        dimensions: vec!["host".into()],
        by_name: time % 2 == 1,
        ..Default::default()
    };
    point.tags.insert("host".into(), "a".into());
    point.fields_double.insert("usage".into(), 1.5);
    if time > 1 {
        point.fields_int.insert("count".into(), -1);
        point.fields_string.insert("text".into(), "µ".into());
        point.fields_bool.insert("up".into(), true);
    }
    point
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let long = messages::Point { name: "x".repeat(300), ..message(3) };
    [messages::Point::default(), message(1), message(2), long]
        .iter()
        .map(prost::Message::encode_to_vec)
        .collect()
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let prost = messages::Point::decode(input);
    let mut index = PointIndex::new();
    within(1024 + 64 * input.len() as u64, || {
        // The comparison below checks the result.
        let _ = PointIndex::new().parse(input).map(|point| point.time());
    });
    assert_eq!(PointCheck::new().check(input), index.parse(input).map(drop));
    match (index.parse(input), prost) {
        (Ok(point), Ok(message)) => {
            same(point, &message);
            trace.see_size("tags", message.tags.len());
            trace.see_size("dimensions", message.dimensions.len());
            trace.see_size("fields", point.fields().count());
            trace.see((message.by_name, message.group.is_empty(), message.name.is_ascii()));
            let owned = point.to_buf();
            same(owned.as_point(), &message);
            // An unedited point is sent unchanged.
            let mut sent = Vec::new();
            response::append_point(point, &mut sent);
            let mut frame = &sent[..];
            let length = prost::encoding::decode_varint(&mut frame).expect("it has a length");
            assert_eq!(length, frame.len() as u64);
            let sent = messages::Response::decode(frame).expect("the frame is a response");
            match sent.message {
                Some(messages::response::Message::Point(sent)) => {
                    assert_eq!(sent.encode_to_vec(), message.encode_to_vec());
                }
                other => panic!("{other:?}"),
            }
        }
        (Err(error), Ok(_)) => {
            // prost does not check the wire type of maps.
            let maps = ["tags", "fieldsDouble", "fieldsInt", "fieldsString", "fieldsBool"];
            let known = error.problem == Problem::WrongType
                && error.member.is_some_and(|member| maps.contains(&member));
            assert!(known, "prost takes it, we do not: {error}");
            trace.see_text(&error.to_string());
        }
        (Ok(point), Err(error)) => panic!("prost refuses it: {error}; we take {point:?}"),
        (Err(error), Err(_)) => {
            assert!(error.offset <= input.len(), "{error}");
            trace.see((format!("{:?}", error.problem), error.member));
        }
    }
}

fn same(point: Point<'_>, message: &messages::Point) {
    assert_eq!(
        (point.time(), point.name(), point.database(), point.retention_policy()),
        (message.time, &*message.name, &*message.database, &*message.retention_policy)
    );
    assert_eq!((point.group(), point.by_name()), (&*message.group, message.by_name));
    assert!(point.dimensions().eq(message.dimensions.iter().map(String::as_str)));
    let tags: BTreeSet<_> = point.tags().collect();
    assert_eq!(point.tags().count(), tags.len());
    assert!(tags.into_iter().eq(message.tags.iter().map(|(name, tag)| (&**name, &**tag))));
    let mut count = 0;
    for (name, value) in point.fields() {
        count += 1;
        match value {
            FieldValue::Float(value) => {
                assert_eq!(value.to_bits(), message.fields_double[name].to_bits());
            }
            FieldValue::Int(value) => assert_eq!(value, message.fields_int[name]),
            FieldValue::String(value) => assert_eq!(value, message.fields_string[name]),
            FieldValue::Bool(value) => assert_eq!(value, message.fields_bool[name]),
        }
        assert!(point.field(name).is_some());
    }
    let expected = message.fields_double.len()
        + message.fields_int.len()
        + message.fields_string.len()
        + message.fields_bool.len();
    assert_eq!(count, expected);
}
