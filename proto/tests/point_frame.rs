//! Frames that are written part by part contain what prost would encode.

#![allow(clippy::unwrap_used)]

use prost::Message as _;
use udf_proto::messages;
use udf_proto::point::PointFrame;
use udf_proto::request;

/// Writes all kinds of parts, in the order of prost.
fn write(frame: &mut PointFrame<'_>, name: &str, text: &str, int: i64) -> Option<()> {
    frame.time(int)?;
    frame.name(name)?;
    frame.group(text)?;
    frame.dimension(name)?;
    frame.tag(name, text)?;
    frame.float(name, 1.5)?;
    frame.int(name, int)?;
    frame.string(name, text)?;
    frame.encoded(&[0x58, 1])?;
    frame.bool(name, true)
}

fn message(name: &str, text: &str, int: i64) -> messages::Point {
    messages::Point {
        time: int,
        name: name.into(),
        group: text.into(),
        dimensions: vec![name.into()],
        tags: [(name.into(), text.into())].into(),
        fields_double: [(name.into(), 1.5)].into(),
        fields_int: [(name.into(), int)].into(),
        fields_string: [(name.into(), text.into())].into(),
        fields_bool: [(name.into(), true)].into(),
        by_name: true,
        ..Default::default()
    }
}

#[test]
fn every_length_is_encoded_as_prost_does() {
    let mut buffer = vec![0; 1 << 20];
    for length in (1..300).chain([4_000, 5_400, 16_383, 16_384, 70_000]) {
        let text = "x".repeat(length);
        for int in [1, 127, 128, i64::MAX, -1] {
            for (name, text) in [("m", &*text), (&*text, "t"), (&*text, &*text)] {
                let mut frame = PointFrame::begin(&mut buffer);
                write(&mut frame, name, text, int).unwrap();
                let expected = message(name, text, int).encode_to_vec();
                assert!(frame.point() == expected, "{length}, {int}");
                let request =
                    messages::Request { message: Some(request_of(message(name, text, int))) };
                assert!(frame.end() == request.encode_length_delimited_to_vec());
            }
        }
    }
}

fn request_of(point: messages::Point) -> messages::request::Message {
    messages::request::Message::Point(point)
}

#[test]
fn a_point_without_parts_is_a_frame() {
    let mut buffer = [0; 20];
    assert_eq!(PointFrame::begin(&mut buffer).end(), [3, 0x8a, 0x01, 0]);
    assert_eq!(request::point_bytes(&[0x8a, 0x01, 0]), Some(&[][..]));
}

#[test]
fn a_buffer_that_is_too_small_is_refused() {
    let mut whole = vec![0; 1000];
    let mut frame = PointFrame::begin(&mut whole);
    write(&mut frame, "name", "text", 300).unwrap();
    let length = frame.point().len();
    let mut fits = Vec::new();
    for room in 0..200 {
        let mut buffer = vec![0; room];
        let mut frame = PointFrame::begin(&mut buffer);
        let written = write(&mut frame, "name", "text", 300).is_some();
        assert_eq!(written, frame.point().len() == length);
        // Never panics.
        frame.end();
        fits.push(written);
    }
    assert!(fits.is_sorted() && fits[length + 12] && !fits[length + 11]);
}
