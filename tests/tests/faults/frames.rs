//! Input that is not a sequence of framed messages.

use std::process::{Command, Stdio};

use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::process::{memory, peak_memory};
use udf_tests::program::{Program, Transport, example, frame, init};

use crate::subject::{Subject, large_point, point};
use crate::{BOTH, PIPE, cases};

cases! {
    garbage_instead_of_a_first_message, BOTH, "A peer with another protocol gets an error with the reason, and the log has a hint.";
    garbage_after_points, BOTH, "The UDF answers requests before the garbage, and then reports the error.";
    a_body_that_is_no_message, BOTH, "A frame that is not protobuf ends the connection with an error that says so.";
    a_length_of_2_to_the_40, BOTH, "A length of 2^40 is refused from the length alone, and costs no memory.";
    a_length_of_3_gib, BOTH, "A length of 3 GiB is refused from the length alone, and costs no memory.";
    a_length_of_one_over_the_limit, BOTH, "A length of 64 MiB and a byte is refused; the error names the limit.";
    a_length_that_does_not_end, BOTH, "A length of more than ten bytes is refused before the eleventh arrives.";
    a_length_of_more_than_64_bits, BOTH, "A length over 64 bits is refused, not wrapped around.";
    a_large_length_and_little_more, BOTH, "A length within the limit costs memory only for received bytes.";
    cut_within_the_length, BOTH, "Input that ends within a length ends the connection with an error.";
    cut_behind_the_length, BOTH, "Input that ends after a length ends the connection with an error.";
    cut_within_the_body, BOTH, "Input that ends within a message ends the connection with an error that says how much is missing.";
    cut_one_byte_before_the_end, BOTH, "The UDF does not handle a message that lacks one byte.";
    an_empty_message, BOTH, "A message of no bytes is ignored, with a warning.";
    a_message_of_a_kind_that_is_not_known, BOTH, "A request of a newer Kapacitor is ignored with a warning, and the connection goes on.";
    a_message_with_members_that_are_not_known, BOTH, "Members that a newer Kapacitor adds do not affect the known ones.";
    one_byte_at_a_time, BOTH, "The result does not depend on how the bytes are split into reads.";
    many_messages_in_one_write, BOTH, "Messages of one write are answered in their order.";
    a_length_padded_to_ten_bytes, BOTH, "A length that is padded with more bytes than needed is valid.";
    a_point_of_16_mib, BOTH, "The UDF handles a large point completely.";
    room_for_large_points_is_given_back, PIPE, "The memory of a large message is freed after the message is handled.";
}

fn garbage_instead_of_a_first_message(on: Transport) {
    let mut udf = Subject::example("mirror", on);
    // `S` announces 83 bytes.
    let banner = b"SSH-2.0-OpenSSH_9.6p1\r\n";
    udf.send(&banner.repeat(4));
    let (rest, log) = udf.finishes_with_log();
    let [Answer::Error(error)] = &rest[..] else { panic!("not one error: {rest:?}") };
    assert!(error.error.starts_with("malformed request: "), "{}", error.error);
    let with = "no task was started, so the peer may not be Kapacitor";
    assert!(log.iter().any(|line| line.contains(with)), "{log:?}");
}

fn garbage_after_points(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.ask(Ask::Point(point(1)));
    udf.ask(Ask::Point(point(2)));
    udf.send(b"\x05\xff\xff\xff\xff\xff");
    assert_eq!(udf.fails("malformed"), [Answer::Point(point(1)), Answer::Point(point(2))]);
}

fn a_body_that_is_no_message(on: Transport) {
    let mut udf = Subject::mirror(on);
    // Member 1 would be a message, but is a number here.
    udf.send(&[2, 0x08, 1]);
    assert_eq!(udf.fails("malformed request"), []);
}

/// Announces a length and sends nothing else. The input stays open.
fn refused_length(on: Transport, length: u64, with: &str) {
    let mut udf = Subject::mirror(on);
    udf.echo(1);
    let before = peak_memory(udf.program.pid());
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(length, &mut bytes);
    udf.send(&bytes);
    assert!(matches!(udf.connection.answer(), Answer::Error(error) if error.error.contains(with)));
    // The kernel counts memory in batches of pages, and may have counted too much before.
    let grown = peak_memory(udf.program.pid()).saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes for a length");
    assert_eq!(udf.connection.rest(), []);
    udf.ends(1);
}

fn a_length_of_2_to_the_40(on: Transport) {
    refused_length(on, 1 << 40, "1099511627776 bytes");
}

fn a_length_of_3_gib(on: Transport) {
    refused_length(on, 3 << 30, "3221225472 bytes");
}

fn a_length_of_one_over_the_limit(on: Transport) {
    refused_length(on, (64 << 20) + 1, "over the limit of 67108864 bytes");
}

fn a_length_that_does_not_end(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.send(&[0x80; 10]);
    udf.fails("not a varint");
}

fn a_length_of_more_than_64_bits(on: Transport) {
    let mut udf = Subject::mirror(on);
    // If the value wrapped around, 2^64 + 1 would be a length of 1.
    udf.send(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0]);
    udf.fails("not a varint");
}

fn a_large_length_and_little_more(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.echo(1);
    let before = peak_memory(udf.program.pid());
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(64 << 20, &mut bytes);
    bytes.resize(1 << 20, 0);
    // When the last byte is written, the UDF has read most of the bytes.
    udf.send(&bytes);
    // The kernel counts memory in batches of pages, and may have counted too much before.
    let grown = peak_memory(udf.program.pid()).saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for a length of 64 MiB and 1 MiB that came");
    udf.connection.end_input();
    assert!(matches!(udf.connection.answer(), Answer::Error(_)));
    assert_eq!(udf.connection.rest(), []);
    udf.ends(1);
}

/// Sends the first `sent` bytes of a point after a complete one.
fn cut(on: Transport, sent: usize, with: &str) {
    let mut udf = Subject::mirror(on);
    udf.ask(Ask::Point(point(1)));
    udf.send(&frame(Ask::Point(large_point(2, 1000)))[..sent]);
    udf.connection.end_input();
    assert_eq!(udf.fails(with), [Answer::Point(point(1))]);
}

fn cut_within_the_length(on: Transport) {
    cut(on, 1, "its length is incomplete");
}

fn cut_behind_the_length(on: Transport) {
    cut(on, 2, "bytes are missing");
}

fn cut_within_the_body(on: Transport) {
    cut(on, 40, "bytes are missing");
}

fn cut_one_byte_before_the_end(on: Transport) {
    cut(on, frame(Ask::Point(large_point(2, 1000))).len() - 1, ": 1 of its");
}

/// Sends a message that the UDF ignores with a warning.
fn ignored(on: Transport, message: &[u8]) {
    let mut udf = Subject::mirror(on);
    udf.send(message);
    udf.echo(1);
    let warning = udf.program.wait_for_log("ignored");
    assert!(warning.contains("WARN"), "{warning}");
    assert_eq!(udf.lives(), []);
}

fn an_empty_message(on: Transport) {
    ignored(on, &[0]);
}

fn a_message_of_a_kind_that_is_not_known(on: Transport) {
    // Member 40, with 3 bytes.
    ignored(on, &[6, 0xc2, 0x02, 3, 1, 2, 3]);
}

fn a_message_with_members_that_are_not_known(on: Transport) {
    let mut udf = Subject::mirror(on);
    // A number in member 40, then a point at the time 5 with text in its member 50.
    udf.send(&[13, 0xc0, 0x02, 9, 0x8a, 0x01, 7, 0x08, 5, 0x92, 0x03, 2, b'h', b'i']);
    let expected = Point { time: 5, ..Default::default() };
    assert_eq!(udf.connection.answer(), Answer::Point(expected));
    assert_eq!(udf.lives(), []);
}

fn one_byte_at_a_time(on: Transport) {
    let mut udf = Subject::example("mirror", on);
    for byte in [frame(init(&[])), frame(Ask::Point(point(1)))].concat() {
        udf.send(&[byte]);
    }
    assert!(matches!(udf.connection.answer(), Answer::Init(init) if init.success));
    assert_eq!(udf.connection.answer(), Answer::Point(point(1)));
    assert_eq!(udf.lives(), []);
}

fn many_messages_in_one_write(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.send(&(0..1000).flat_map(|time| frame(Ask::Point(point(time)))).collect::<Vec<_>>());
    let points = (0..1000).map(|time| Answer::Point(point(time))).collect::<Vec<_>>();
    assert!(udf.lives() == points);
}

fn a_length_padded_to_ten_bytes(on: Transport) {
    let mut udf = Subject::mirror(on);
    let body = &frame(Ask::Point(point(1)))[1..];
    let mut bytes = vec![body.len() as u8 | 0x80];
    bytes.extend([0x80; 8]);
    bytes.push(0);
    bytes.extend(body);
    udf.send(&bytes);
    assert_eq!(udf.lives(), [Answer::Point(point(1))]);
}

fn a_point_of_16_mib(on: Transport) {
    let mut udf = Subject::mirror(on);
    let point = large_point(1, 16 << 20);
    udf.ask(Ask::Point(point.clone()));
    assert!(udf.connection.answer() == Answer::Point(point));
    assert_eq!(udf.lives(), []);
}

fn room_for_large_points_is_given_back(_: Transport) {
    let mut command = Command::new(example("mirror"));
    let mut program = Program::spawn(command.stdin(Stdio::piped()));
    let mut connection = udf_tests::program::Connection::new(program.pipes());
    crate::subject::init(&mut connection, &[]);
    let before = memory(program.pid());
    connection.ask(Ask::Point(large_point(1, 32 << 20)));
    assert!(matches!(connection.answer(), Answer::Point(_)));
    // The UDF reads the next point after it has handled the large one.
    crate::subject::echo(&mut connection, 2);
    crate::subject::echo(&mut connection, 3);
    let kept = memory(program.pid()).saturating_sub(before);
    assert!(kept < 8 << 20, "{kept} bytes are kept behind a point of 32 MiB");
    connection.end_input();
    assert!(program.wait().success());
}
