//! The other side does not read, disconnects, or closes half of the connection.

use std::io::{Read, Write};
use std::iter;
use std::time::{Duration, Instant};

use prost::encoding::{WireType, encode_key, encode_varint};
use udf_proto::Value;
use udf_proto::messages::SnapshotRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::batch::{batch_point, begin, end};
use udf_tests::ends::{Input, Output};
use udf_tests::process::{memory, peak_memory};
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, example, frame, init};

use crate::subject::{
    Subject, echo, large_point, point, serves, start, trouble, troubled, troubled_batch,
};
use crate::{BOTH, PIPE, SOCKET, cases};

cases! {
    nobody_reads, BOTH, "When the peer does not read, the UDF stops reading, so its memory is bounded.";
    nobody_reads_and_then_somebody_does, BOTH, "When the peer reads again, every point is answered once and in order.";
    nobody_reads_what_one_point_makes, BOTH, "A handler that emits much output for one point waits for the peer, so memory is bounded.";
    many_requests_at_once, BOTH, "Memory is bounded for any number of requests in one read.";
    an_init_of_nothing_but_options, BOTH, "An Init with 8 MiB of options is refused with the reason; memory grows with the bytes, not with the options.";
    a_batch_of_nothing_but_tags, BOTH, "The begin or the end of a batch with a million tags ends the connection with an error; memory grows with the bytes.";
    the_memory_of_a_whole_batch, BOTH, "A UDF that gets whole batches gives the memory of a large batch back when it has ended.";
    nobody_reads_for_ten_seconds, PIPE, "The log reports a peer that does not read.";
    nobody_reads_for_longer_than_the_budget, BOTH, "The time that a handler waits for the peer does not count for its budget.";
    one_does_not_read_and_others_do, SOCKET, "A connection whose peer does not read delays no other connection.";
    an_error_behind_unread_input, BOTH, "The error arrives even if much later input is unread: no reset discards it.";
    an_error_before_unread_output, BOTH, "The error arrives after all earlier output, also if the peer reads late.";
    the_input_ends_and_nobody_reads_yet, BOTH, "After the end of the input, a peer that reads late still gets all output.";
    the_other_side_goes_away, BOTH, "When the peer disconnects without reading, the connection ends, and nothing hangs.";
    the_other_side_goes_away_within_a_point, BOTH, "When the peer disconnects within a message, the connection ends, and nothing hangs.";
    the_other_side_closes_its_reading_half, SOCKET, "When the peer closes its reading side but keeps writing, the connection ends with an error in the log.";
    the_other_side_keeps_writing_after_an_error, BOTH, "After an error, the UDF discards input for a few seconds, and then closes.";
}

/// The time without reading. Long enough for a UDF that is able to continue.
const SILENCE: Duration = Duration::from_millis(400);

/// The maximum input that a UDF may read while its output is not read, and the unit for its memory.
const BOUND: u64 = 16 << 20;

fn points() -> impl Iterator<Item = Vec<u8>> {
    (0..).map(|time| frame(Ask::Point(large_point(time, 1000))))
}

fn nobody_reads(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &[]);
    let mut messages = iter::once(frame(init(&[]))).chain(points().take(128 << 10));
    let (written, _) =
        ends.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    assert!(written < BOUND, "{written} bytes were read");
    let peak = peak_memory(program.pid());
    assert!(peak < 2 * BOUND, "{peak} bytes of memory");
}

fn nobody_reads_and_then_somebody_does(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &[]);
    let mut sent = 0;
    let mut messages =
        iter::once(frame(init(&[]))).chain(points().take(128 << 10).inspect(|_| sent += 1));
    let (_, rest) =
        ends.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    drop(messages);
    let mut connection = Connection::new(ends);
    connection.send(&rest).expect("the other side reads again");
    connection.end_input();
    assert!(matches!(connection.answer(), Answer::Init(init) if init.success));
    let answers = connection.rest();
    assert_eq!(answers.len(), sent);
    for (time, answer) in (0..).zip(&answers) {
        assert!(matches!(answer, Answer::Point(point) if point.time == time), "{time}: {answer:?}");
    }
    if on == Transport::Socket {
        serves(&program);
    }
}

fn nobody_reads_what_one_point_makes(on: Transport) {
    let amount = 50_000;
    let (program, mut ends) = start(troubled(), on, &[]);
    let options: [(&str, &[Value]); 2] =
        [("kind", &["flood".into()]), ("amount", &[Value::Int(amount)])];
    let mut one = large_point(1, 1000);
    one.fields_bool.insert("trouble".into(), true);
    ends.input.write_all(&frame(init(&options))).expect("the other side reads");
    ends.input.write_all(&frame(Ask::Point(one.clone()))).expect("the other side reads");
    // The UDF has room for more input, so that it stops reading only when its output is full.
    let mut more = points().take(64 << 10);
    let (_, rest) =
        ends.input.write_while_read(&mut more, SILENCE).expect("the other side is alive");
    let peak = peak_memory(program.pid());
    assert!(peak < 2 * BOUND, "{peak} bytes of memory");
    let mut connection = Connection::new(ends);
    connection.send(&rest).expect("the other side reads again");
    connection.end_input();
    assert!(matches!(connection.answer(), Answer::Init(init) if init.success));
    let one = Answer::Point(one);
    let flood = (0..amount).all(|_| connection.answer() == one);
    assert!(flood, "of what one point made, something is missing");
}

fn many_requests_at_once(on: Transport) {
    let points = 1000;
    let (program, ends) = start(example("moving_avg"), on, &[]);
    let mut connection = Connection::new(ends);
    let (field, size) = (["usage".into()], [Value::Int(points)]);
    crate::subject::init(&mut connection, &[("field", &field), ("size", &size)]);
    let mut filling =
        (0..points).flat_map(|time| frame(Ask::Point(point(time)))).collect::<Vec<_>>();
    // A request takes some bytes, its answer thousands.
    let snapshots = 20_000;
    filling.extend(frame(Ask::Snapshot(SnapshotRequest {})).repeat(snapshots));
    connection.send(&filling).expect("the other side reads");
    let mut bytes = 0;
    for _ in 0..points {
        assert!(matches!(connection.answer(), Answer::Point(_)));
    }
    for _ in 0..snapshots {
        match connection.answer() {
            Answer::Snapshot(snapshot) => bytes += snapshot.snapshot.len() as u64,
            other => panic!("not a snapshot: {other:?}"),
        }
    }
    assert!(bytes > 4 * BOUND, "{bytes} bytes prove little");
    let peak = peak_memory(program.pid());
    assert!(peak < 2 * BOUND, "{peak} bytes of memory");
}

/// Returns a frame of `count` empty entries of a list, in the member `kind` of a request.
fn entries(kind: u32, list: u32, count: usize) -> Vec<u8> {
    let (mut frame, mut body) = (Vec::new(), Vec::new());
    encode_key(kind, WireType::LengthDelimited, &mut body);
    encode_varint(2 * count as u64, &mut body);
    let mut entry = Vec::new();
    encode_key(list, WireType::LengthDelimited, &mut entry);
    entry.push(0);
    body.extend(entry.repeat(count));
    encode_varint(body.len() as u64, &mut frame);
    frame.extend(body);
    frame
}

fn an_init_of_nothing_but_options(on: Transport) {
    // First as many options without a name as allowed, then 8 MiB of them.
    for (count, with, bound) in
        [(60_000, "60000 problems", 3 * BOUND), (4 << 20, "too many options", 2 * BOUND)]
    {
        let mut udf = Subject::start(example("mirror"), on, &["--init-limit", "67108864"]);
        udf.send(&entries(2, 1, count));
        match udf.connection.answer() {
            Answer::Init(init) if !init.success => {
                assert!(init.error.contains(with), "`{with}` is not in `{}`", init.error);
            }
            other => panic!("not a refusal: {other:?}"),
        }
        let peak = peak_memory(udf.program.pid());
        assert!(peak < bound, "{peak} bytes of memory for {count} options");
        assert_eq!(udf.lives(), []);
    }
}

fn a_batch_of_nothing_but_tags(on: Transport) {
    for kind in [16, 18] {
        let mut udf = Subject::start(troubled_batch(), on, &[]).init(&[("kind", &["none".into()])]);
        let list = if kind == 16 { 3 } else { 4 };
        udf.send(&entries(kind, list, 4 << 20));
        let with = "more than 65536 tags of a batch";
        match udf.connection.answer() {
            Answer::Error(error) => assert!(error.error.contains(with), "{}", error.error),
            other => panic!("not an error: {other:?}"),
        }
        let peak = peak_memory(udf.program.pid());
        assert!(peak < 2 * BOUND, "{peak} bytes of memory");
        udf.ends(1);
    }
}

fn the_memory_of_a_whole_batch(on: Transport) {
    const POINTS: i64 = 40_000;
    let mut udf = Subject::outliers(on);
    let mut batch = |points: i64| {
        udf.ask(Ask::Begin(begin(0)));
        let frames = (0..points).flat_map(|time| frame(Ask::Point(batch_point(time, 1.0))));
        udf.send(&frames.collect::<Vec<_>>());
        udf.ask(Ask::End(end(points)));
        assert!(matches!(udf.connection.answer(), Answer::Begin(begin) if begin.size == 0));
        assert!(matches!(udf.connection.answer(), Answer::End(_)));
        (memory(udf.program.pid()), peak_memory(udf.program.pid()))
    };
    let (small, _) = batch(10);
    let (large, peak) = batch(POINTS);
    let each = peak.saturating_sub(small) / POINTS as u64;
    assert!((100..1000).contains(&each), "{each} bytes of memory for each point");
    assert!(large < small + (peak - small) / 4, "{large} bytes are kept, of {peak}");
    batch(10);
    assert_eq!(udf.lives(), []);
}

fn nobody_reads_for_ten_seconds(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &[]);
    let mut messages = iter::once(frame(init(&[]))).chain(points().take(128 << 10));
    ends.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    let line = program.wait_for_log("the peer has not read the output for 10 s");
    assert!(line.contains("task=\"task\"") && line.contains("node=\"node\""), "{line}");
}

fn nobody_reads_for_longer_than_the_budget(on: Transport) {
    let (mut program, mut ends) = start(troubled(), on, &["--busy-budget", "1s"]);
    let options: [(&str, &[Value]); 2] =
        [("kind", &["floodWork".into()]), ("amount", &[Value::Int(300)])];
    let mut one = large_point(1, 1000);
    one.fields_bool.insert("trouble".into(), true);
    ends.input.write_all(&frame(init(&options))).expect("the other side reads");
    ends.input.write_all(&frame(Ask::Point(one))).expect("the other side reads");
    let longer = Duration::from_millis(1500);
    let mut more = points().take(64 << 10);
    let (_, rest) =
        ends.input.write_while_read(&mut more, longer).expect("the other side is alive");
    let mut connection = Connection::new(ends);
    connection.send(&rest).expect("the other side reads again");
    connection.end_input();
    assert!(connection.rest().len() > 1000, "emitted points are missing");
    drop(connection);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    let log = program.rest_of_log().join("\n");
    assert!(!log.contains("the handler hangs"), "{log}");
    assert!(program.wait().success());
}

fn one_does_not_read_and_others_do(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    let mut silent = program.ends();
    let mut messages = iter::once(frame(init(&[]))).chain(points().take(128 << 10));
    silent.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    let mut connection = program.connect();
    crate::subject::init(&mut connection, &[]);
    for time in 0..100 {
        echo(&mut connection, time);
    }
}

/// Returns all output until the connection is closed.
fn drain(output: &mut Output) -> Vec<u8> {
    let mut all = Vec::new();
    output.read_to_end(&mut all).expect("the connection is closed, not reset");
    all
}

fn an_error_behind_unread_input(on: Transport) {
    let (mut program, mut ends) = start(example("mirror"), on, &[]);
    let mut bytes = frame(init(&[]));
    bytes.extend([2, 0x08, 1]);
    ends.input.write_all(&bytes).expect("the other side reads");
    // More than the UDF can have read before the error, plus the buffers of the system.
    let mut more = points().take(4000);
    ends.input
        .write_while_read(&mut more, Duration::from_secs(5))
        .expect("the other side reads on");
    drop(ends.input);
    let said = drain(&mut ends.output);
    assert!(String::from_utf8_lossy(&said).contains("malformed request"), "{} bytes", said.len());
    match on {
        Transport::Pipe => assert_eq!(program.wait().code(), Some(1)),
        Transport::Socket => serves(&program),
    }
}

fn an_error_before_unread_output(on: Transport) {
    let (_program, mut ends) = start(troubled(), on, &[]);
    let mut messages = vec![frame(init(&[("kind", &["panic".into()])]))];
    messages.extend(points().take(2000));
    messages.push(frame(Ask::Point(trouble(1))));
    let mut messages = messages.into_iter();
    let (_, rest) =
        ends.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    let mut connection = Connection::new(ends);
    connection.send(&rest).expect("the other side reads again");
    for message in messages {
        connection.send(&message).expect("the other side reads again");
    }
    let answers = connection.rest();
    assert_eq!(answers.len(), 1 + 2000 + 1 + 1);
    assert!(
        matches!(answers.last(), Some(Answer::Error(error)) if error.error.contains("out of luck"))
    );
}

fn the_input_ends_and_nobody_reads_yet(on: Transport) {
    let (mut program, mut ends) = start(example("mirror"), on, &[]);
    ends.input.write_all(&frame(init(&[]))).expect("the other side reads");
    for message in points().take(20) {
        ends.input.write_all(&message).expect("the other side reads");
    }
    drop(ends.input);
    if on == Transport::Socket {
        // For the daemon, the connection has ended.
        program.wait_for_log("the connection has ended");
    } else {
        assert!(program.wait().success());
    }
    let said = drain(&mut ends.output);
    assert!(said.len() > 20 * 1000, "{} bytes", said.len());
}

/// Checks what happens after a disconnect: a spawned program exits, and a daemon frees the
/// connection.
fn forgotten(on: Transport, mut program: Program) {
    match on {
        Transport::Pipe => {
            program.wait();
        }
        Transport::Socket => {
            program.wait_for_log("the connection has");
            serves(&program);
            program.signal("TERM");
            assert!(program.wait().success());
        }
    }
}

fn the_other_side_goes_away(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &[]);
    let mut messages = iter::once(frame(init(&[]))).chain(points().take(128 << 10));
    ends.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    drop(ends);
    forgotten(on, program);
}

fn the_other_side_goes_away_within_a_point(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &[]);
    ends.input.write_all(&frame(init(&[]))).expect("the other side reads");
    ends.input.write_all(&frame(Ask::Point(point(1)))[..20]).expect("the other side reads");
    drop(ends);
    forgotten(on, program);
}

fn the_other_side_closes_its_reading_half(_: Transport) {
    let program = Program::daemon("mirror", &[]);
    let mut ends = program.ends();
    let Input::Socket(socket) = &ends.input else { panic!("a daemon has sockets") };
    socket.shutdown(std::net::Shutdown::Read).expect("the descriptor is open");
    ends.input.write_all(&frame(init(&[]))).expect("the other side reads");
    let line = program.wait_for_log("the connection has failed");
    assert!(line.contains("writing to Kapacitor failed"), "{line}");
    serves(&program);
}

fn the_other_side_keeps_writing_after_an_error(on: Transport) {
    let (mut program, mut ends) = start(example("mirror"), on, &[]);
    ends.input.write_all(&[2, 0x08, 1]).expect("the other side reads");
    // The UDF discards input, and closes after a while. Otherwise, this would fill any buffer.
    let started = Instant::now();
    let mut endless =
        iter::repeat_with(|| vec![0; 64 << 10]).take_while(|_| started.elapsed() < TIMEOUT);
    let written = ends.input.write_while_read(&mut endless, TIMEOUT);
    assert!(written.is_err(), "the UDF does not close the connection");
    match on {
        Transport::Pipe => assert_eq!(program.wait().code(), Some(1)),
        Transport::Socket => serves(&program),
    }
}
