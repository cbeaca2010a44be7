//! The texts of errors. A failing test means that a text has changed.

use std::error::Error;
use std::io;

use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::info::InfoError;
use udf_proto::messages::{self, InfoResponse, InitRequest, OptionInfo, OptionValue, option_value};
use udf_proto::point::{FieldError, PointIndex};
use udf_proto::request::decode;
use udf_proto::{Info, Init, PointBuf};

#[track_caller]
fn says(error: impl std::fmt::Display, text: &str) {
    assert_eq!(error.to_string(), text);
}

#[test]
fn of_frames() {
    let error = |bytes: &[u8]| -> FrameError {
        FrameReader::new(bytes).next_frame().expect_err("malformed")
    };
    says(
        error(&[0x80, 0x80, 0x80, 0x80, 0x10]),
        "a frame of 4294967296 bytes was announced, over the limit of 67108864 bytes",
    );
    says(
        error(&[0xff; 12]),
        "a frame's length is not a varint: it goes on after ten bytes or 64 bits",
    );
    says(error(&[3, 1]), "the input ended within a frame: 2 of its 3 bytes are missing");
    says(error(&[0x80]), "the input ended within a frame: its length is incomplete");
    let closed = io::Error::other("the cable is out");
    says(FrameError::from(closed), "reading failed: the cable is out");
}

#[test]
fn of_points() {
    let error = |bytes: &[u8]| PointIndex::new().parse(bytes).expect_err("malformed");
    says(error(&[0x12, 1, 0xff]), "malformed point: invalid UTF-8 in `name`, at byte 0");
    says(error(&[0x08, 7, 0x3a, 200]), "malformed point: a truncated record in `tags`, at byte 2");
    says(
        error(&[[0x08].as_slice(), &[0xff; 11]].concat()),
        "malformed point: an invalid varint in `time`, at byte 0",
    );
    says(
        error(&[0x40, 1]),
        "malformed point: a value of the wrong wire type in `fieldsDouble`, at byte 0",
    );
    says(error(&[0x00]), "malformed point: a record without a valid key, at byte 0");
    says(error(&[0x7b]), "malformed point: a truncated record, at byte 0");
    says(error(&[0x7c]), "malformed point: mismatched groups, at byte 0");
}

#[test]
fn of_requests() {
    let error = |bytes: &[u8]| {
        decode(bytes, &mut PointIndex::new(), &mut Vec::new()).expect_err("malformed").to_string()
    };
    says(
        error(&[0x8a, 0x01, 3, 0x2a, 1, 0xff]),
        "malformed point: invalid UTF-8 in `group`, at byte 0",
    );
    // prost writes the rest of the text.
    assert!(error(&[0x0a, 9]).starts_with("malformed request: "), "{}", error(&[0x0a, 9]));
}

#[test]
fn of_fields() {
    let mut message = messages::Point { name: "cpu".into(), ..Default::default() };
    message.fields_string.insert("state".into(), "idle".into());
    message.fields_int.insert("count".into(), 1);
    message.fields_bool.insert("up".into(), true);
    message.fields_double.insert("load".into(), 0.5);
    let point = PointBuf::from(message.clone());
    let point = point.as_point();
    let no = "a point of `cpu` has";
    says(point.number("loda").unwrap_err(), &format!("{no} no field `loda`"));
    says(
        point.number("state").unwrap_err(),
        &format!("{no} a field `state` that is text, not a number"),
    );
    says(
        point.float("count").unwrap_err(),
        &format!("{no} a field `count` that is an integer, not a float"),
    );
    says(
        point.int("load").unwrap_err(),
        &format!("{no} a field `load` that is a float, not an integer"),
    );
    says(
        point.string("up").unwrap_err(),
        &format!("{no} a field `up` that is a boolean, not text"),
    );
    says(
        point.bool("load").unwrap_err(),
        &format!("{no} a field `load` that is a float, not a boolean"),
    );

    message.group = "cpu\nhost=a".into();
    let error = |message: &messages::Point| -> FieldError {
        PointBuf::from(message.clone()).as_point().number("x").unwrap_err()
    };
    says(error(&message), r"a point of `cpu` in group `cpu\nhost=a` has no field `x`");
    // Points within a batch have no name.
    message.name.clear();
    message.group = "host=a".into();
    says(error(&message), "a point in group `host=a` has no field `x`");
    message.group.clear();
    says(error(&message), "a point has no field `x`");
}

#[test]
fn of_init() {
    let error = |r#type: i32, value: Option<option_value::Value>| {
        let value = OptionValue { r#type, value };
        let call = messages::Option { name: "size".into(), values: vec![value] };
        let init = InitRequest { options: vec![call], ..Default::default() };
        Init::try_from(init).expect_err("the declared type is wrong")
    };
    says(
        error(2, Some(option_value::Value::IntValue(3))),
        "argument 1 of option `size` is declared as DOUBLE but contains INT",
    );
    says(error(1, None), "argument 1 of option `size` is declared as INT but contains no value");
    says(
        error(7, Some(option_value::Value::BoolValue(true))),
        "argument 1 of option `size` is declared as the unknown type 7 but contains BOOL",
    );
}

#[test]
fn of_info() {
    let error = |response: InfoResponse| -> InfoError {
        Info::try_from(response).expect_err("it names what does not exist")
    };
    says(
        error(InfoResponse { wants: 2, ..Default::default() }),
        "the UDF's `wants` is 2, which is neither STREAM (0) nor BATCH (1)",
    );
    says(
        error(InfoResponse { provides: -1, ..Default::default() }),
        "the UDF's `provides` is -1, which is neither STREAM (0) nor BATCH (1)",
    );
    let mut response = InfoResponse::default();
    response.options.insert("size".into(), OptionInfo { value_types: vec![1, 5] });
    says(
        error(response),
        "argument 2 of the UDF's option `size` has the type 5; types are BOOL (0), INT (1), \
         DOUBLE (2), STRING (3) and DURATION (4)",
    );
}

/// Checks that the text of an error does not repeat its cause: a report prints the text of each.
fn assert_told_once(error: &dyn Error) {
    let text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        assert!(!text.contains(&cause.to_string()), "{text} has {cause}");
        source = cause.source();
    }
}

#[test]
fn causes_are_told_once() {
    assert_told_once(&FrameError::Io(io::Error::other("out of paper")));
    assert_told_once(&FrameError::NoRoom("full".into()));
    // A field of a wire type that does not exist, and a point that is cut.
    for frame in [&[0x0f][..], &[0x8a, 0x01, 0x05]] {
        let (mut index, mut spare) = (PointIndex::new(), Vec::new());
        let error = decode(frame, &mut index, &mut spare).unwrap_err();
        assert_told_once(&error);
        assert_told_once(&udf_proto::response::decode(frame).unwrap_err());
    }
}
