//! Malformed points by the kind of error, and valid points in unusual encodings.

use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::program::{Connection, Transport};

use crate::subject::{Subject, point};
use crate::{BOTH, cases};

cases! {
    a_name_that_is_not_text, BOTH, "A point with text that is not UTF-8 ends the connection; the error names the member.";
    a_tag_that_is_not_text, BOTH, "Text that is not UTF-8 in the value of a tag ends the connection, too.";
    a_field_name_that_is_not_text, BOTH, "Text that is not UTF-8 in the name of a field ends the connection, too.";
    a_time_that_does_not_end, BOTH, "A number of more than ten bytes ends the connection.";
    a_record_that_is_longer_than_its_point, BOTH, "A record that is longer than its point ends the connection; nothing after the point is read.";
    a_map_entry_that_is_longer_than_its_map, BOTH, "A record that is longer than its map entry ends the connection, too.";
    a_field_of_the_wrong_wire_type, BOTH, "A member with an unexpected wire type ends the connection.";
    a_key_that_is_none, BOTH, "A member with the number 0 or a wire type that does not exist ends the connection.";
    a_group_that_has_not_begun, BOTH, "The end of a group of members without a begin ends the connection.";
    groups_ten_thousand_deep, BOTH, "Nesting costs no stack, and is refused beyond a maximum depth.";
    a_length_of_2_to_the_60_within_a_point, BOTH, "A length within a point is compared with the remaining bytes, so no sum overflows.";
    a_point_of_nothing, BOTH, "A point without any value is valid.";
    members_in_an_unusual_order, BOTH, "Members may come in any order and repeatedly; as in protobuf, the last one counts.";
    a_field_that_is_missing, BOTH, "A point without a required field is skipped with a warning, and the next points are handled.";
    a_field_of_another_type, BOTH, "A point with a field of another type is skipped with a warning, too.";
    a_number_that_changes_its_type, BOTH, "A series may switch between floats and integers: both are numbers.";
    control_characters_in_names, BOTH, "A warning about a name is one line, for any content of the name.";
    a_point_of_too_many_tags, BOTH, "A point of more than 65,536 dimensions, tags and fields ends the connection: the table of its parts takes memory.";
}

/// Returns the frame of a point message with these bytes.
fn raw(point: &[u8]) -> Vec<u8> {
    let mut body = vec![0x8a, 0x01];
    prost::encoding::encode_varint(point.len() as u64, &mut body);
    body.extend(point);
    let mut frame = Vec::new();
    prost::encoding::encode_varint(body.len() as u64, &mut frame);
    frame.extend(body);
    frame
}

/// Sends a valid point, a malformed one and a valid one. The connection ends with an error that
/// contains `with`, and the last point is not handled.
fn malformed(on: Transport, bytes: &[u8], with: &str) {
    let mut udf = Subject::mirror(on);
    udf.ask(Ask::Point(point(1)));
    udf.send(&raw(bytes));
    // The UDF may have closed the connection already.
    let _ = udf.connection.send(&raw(&[0x08, 9]));
    assert_eq!(udf.fails(with), [Answer::Point(point(1))]);
}

fn a_name_that_is_not_text(on: Transport) {
    malformed(on, b"\x08\x01\x12\x02\xc3\x28", "`name`");
}

fn a_tag_that_is_not_text(on: Transport) {
    malformed(on, b"\x3a\x08\x0a\x01a\x12\x03\xed\xa0\x80", "`tags`");
}

fn a_field_name_that_is_not_text(on: Transport) {
    malformed(on, b"\x4a\x05\x0a\x01\xff\x10\x01", "`fieldsInt`");
}

fn a_time_that_does_not_end(on: Transport) {
    malformed(on, &[&[0x08][..], &[0xff; 11]].concat(), "an invalid varint");
}

fn a_record_that_is_longer_than_its_point(on: Transport) {
    malformed(on, b"\x12\x7fcpu", "a truncated record");
}

fn a_map_entry_that_is_longer_than_its_map(on: Transport) {
    malformed(on, b"\x3a\x06\x0a\x01a\x12\x05b", "a truncated record");
}

fn a_field_of_the_wrong_wire_type(on: Transport) {
    malformed(on, b"\x10\x05", "wrong wire type");
}

fn a_key_that_is_none(on: Transport) {
    malformed(on, b"\x00\x05", "valid key");
    malformed(on, b"\x0f\x05", "valid key");
}

fn a_group_that_has_not_begun(on: Transport) {
    malformed(on, b"\xa4\x01", "mismatched groups");
}

fn groups_ten_thousand_deep(on: Transport) {
    malformed(on, &b"\xa3\x01".repeat(10_000), "mismatched groups");
}

fn a_length_of_2_to_the_60_within_a_point(on: Transport) {
    let length = b"\x80\x80\x80\x80\x80\x80\x80\x80\x10";
    malformed(on, &[&b"\x12"[..], length, b"cpu"].concat(), "a truncated record");
}

fn a_point_of_nothing(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    udf.send(&raw(&[]));
    assert_eq!(udf.lives(), []);
}

fn members_in_an_unusual_order(on: Transport) {
    let mut udf = Subject::mirror(on);
    // A field, the name, the name again, the time, the field again.
    udf.send(&raw(b"\x4a\x05\x0a\x01n\x10\x01\x12\x01a\x12\x01b\x08\x05\x4a\x05\x10\x02\x0a\x01n"));
    let mut expected = Point { time: 5, name: "b".into(), ..Default::default() };
    expected.fields_int.insert("n".into(), 2);
    assert_eq!(udf.lives(), [Answer::Point(expected)]);
}

/// Returns the averages in the next `count` answers.
fn averages(connection: &Connection, count: usize) -> Vec<f64> {
    let average = |answer| match answer {
        Answer::Point(point) => point.fields_double["avg"],
        other => panic!("not a point: {other:?}"),
    };
    (0..count).map(|_| average(connection.answer())).collect()
}

/// Sends three points, of which the handler cannot use the second.
fn is_skipped(on: Transport, unusable: Point, with: &str) {
    let mut udf = Subject::moving_avg(on);
    udf.ask(Ask::Point(point(2)));
    udf.ask(Ask::Point(unusable));
    udf.ask(Ask::Point(point(4)));
    assert_eq!(averages(&udf.connection, 2), [2.0, 3.0]);
    let warning = udf.program.wait_for_log("WARN");
    assert!(warning.contains(with), "`{with}` is not in `{warning}`");
    assert_eq!(udf.lives(), []);
}

fn a_field_that_is_missing(on: Transport) {
    let mut unusable = point(3);
    unusable.fields_double.clear();
    is_skipped(on, unusable, "no field `usage`");
}

fn a_field_of_another_type(on: Transport) {
    let mut unusable = point(3);
    unusable.fields_double.clear();
    unusable.fields_string.insert("usage".into(), "much".into());
    is_skipped(on, unusable, "is text, not a number");
}

fn a_number_that_changes_its_type(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    for time in 1..=6 {
        let mut point = point(time);
        if time % 2 == 0 {
            point.fields_double.clear();
            point.fields_int.insert("usage".into(), time);
        }
        udf.ask(Ask::Point(point));
    }
    assert_eq!(averages(&udf.connection, 6), [1.0, 1.5, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(udf.lives(), []);
}

fn control_characters_in_names(on: Transport) {
    let mut unusable = point(3);
    unusable.fields_double.clear();
    unusable.name = "two\r\nlines\x1b[31m".into();
    unusable.group = "host=\n".into();
    is_skipped(on, unusable, "no field `usage`");
}

fn a_point_of_too_many_tags(on: Transport) {
    // Each tag is empty, and takes two bytes.
    malformed(on, &[0x3a, 0].repeat(65_537), "more than 65536");
}
