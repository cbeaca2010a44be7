//! Kapacitor aborts a task: it closes the input of the UDF and stops reading its output. It then
//! waits for a spawned process, and the task does nothing else.

use std::io::{Read, Write};
use std::iter;
use std::sync::mpsc::channel;
use std::time::Duration;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::{BeginBatch, EndBatch};
use udf_tests::ends::{Ends, Input};
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, example, frame, init};

use crate::subject::{large_point, point, serves, start, trouble, troubled, troubled_batch};
use crate::{BOTH, PIPE, cases};

cases! {
    an_abort_with_output_pending, BOTH, "When the input has ended and nobody reads, the connection is closed after 3 seconds: a spawned UDF exits with status 1, a daemon serves others, and the log has the reason.";
    an_abort_within_a_message, BOTH, "The same holds when the input ends within a message.";
    an_abort_while_the_input_is_full, BOTH, "The same holds while some input is unread.";
    an_abort_while_kapacitor_writes, BOTH, "The same holds while Kapacitor blocks in a write before it closes the input: the UDF reads ahead, so that the write returns.";
    an_abort_within_a_large_batch, BOTH, "The same holds while Kapacitor blocks in a batch of any size, which it finishes first.";
    an_abort_with_ticks, BOTH, "The same holds for a UDF with ticks.";
    an_abort_with_emitting_threads, BOTH, "The same holds while a thread of the author emits.";
    an_abort_during_finish, BOTH, "The same holds while `finish` emits.";
    an_abort_with_a_slow_handler, PIPE, "A spawned UDF exits without handling the rest of the input, even if it emits little.";
    an_abort_with_a_handler_that_hangs, BOTH, "The connection is also closed if a handler has exceeded its budget and writes nothing.";
    an_abort_with_a_full_log, PIPE, "A spawned UDF also exits if nobody reads its log.";
    another_hangup_timeout, BOTH, "`--hangup-timeout` sets the time.";
}

/// A short timeout, for all tests except that of the default.
const SHORT: [&str; 2] = ["--hangup-timeout", "1s"];

/// If the UDF reads nothing for this long, it reads no more.
const SILENCE: Duration = Duration::from_millis(400);

/// Ends the input without reading the output. The connection must be abandoned after `seconds`
/// seconds.
fn is_given_up(on: Transport, mut program: Program, ends: Ends, seconds: u64) {
    let Ends { input, output } = ends;
    drop(input);
    let line = program.wait_for_log("Kapacitor closed the input");
    for part in [
        "ERROR",
        "task=\"task\"",
        "node=\"node\"",
        &format!("has not read the output for {seconds}s; undelivered output is lost"),
    ] {
        assert!(line.contains(part), "`{part}` is not in `{line}`");
    }
    match on {
        Transport::Pipe => assert_eq!(program.wait().code(), Some(1)),
        Transport::Socket => {
            program.wait_for_log("the connection has failed: writing to Kapacitor failed");
            serves(&program);
        }
    }
    // The output was open until here.
    drop(output);
}

/// Writes an Init with these options, then messages until the UDF reads no more.
fn fill(ends: &mut Ends, options: &[(&str, &[Value])], messages: impl Iterator<Item = Ask>) {
    ends.input.write_all(&frame(init(options))).expect("the other side reads");
    // After Init, the UDF reads without delays.
    ends.output.wait_for(1);
    ends.input
        .write_while_read(&mut messages.map(frame), SILENCE)
        .expect("the other side is alive");
}

/// Writes all pieces, and waits until the UDF has read them.
fn write_all(mut input: Input, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Input {
    let (written, all) = channel();
    std::thread::spawn(move || {
        pieces.for_each(|piece| input.write_all(&piece).expect("it is read"));
        let _ = written.send(input);
    });
    all.recv_timeout(TIMEOUT).expect("the UDF reads all pieces in time")
}

fn large_points() -> impl Iterator<Item = Ask> {
    (0..).map(|time| Ask::Point(large_point(time, 1000)))
}

fn an_abort_with_output_pending(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &[]);
    fill(&mut ends, &[], large_points().take(2000));
    is_given_up(on, program, ends, 3);
}

fn an_abort_within_a_message(on: Transport) {
    let (program, mut ends) = start(troubled(), on, &SHORT);
    let options: [(&str, &[Value]); 2] =
        [("kind", &["flood".into()]), ("amount", &[Value::Int(100_000)])];
    fill(&mut ends, &options, iter::once(Ask::Point(trouble(1))));
    let _ = ends.input.write(&frame(Ask::Point(point(2)))[..20]);
    is_given_up(on, program, ends, 1);
}

fn an_abort_while_the_input_is_full(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &SHORT);
    fill(&mut ends, &[], large_points());
    is_given_up(on, program, ends, 1);
}

fn an_abort_while_kapacitor_writes(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &SHORT);
    fill(&mut ends, &[], iter::empty());
    let mut messages = large_points().map(frame);
    let written =
        ends.input.write_while_read(&mut messages, SILENCE).expect("the other side is alive");
    let Ends { input, output } = ends;
    // Kapacitor finishes its message before it closes the input.
    let input = write_all(input, iter::once(written.1));
    is_given_up(on, program, Ends { input, output }, 1);
}

fn an_abort_within_a_large_batch(on: Transport) {
    let (program, ends) = start(troubled_batch(), on, &SHORT);
    let Ends { input, output } = ends;
    // The output of the first batch is not read, so that the second batch is not handled.
    let batch = |points| {
        iter::once(Ask::Begin(BeginBatch::default()))
            .chain(large_points().take(points))
            .chain(iter::once(Ask::End(EndBatch::default())))
    };
    let messages = iter::once(init(&[])).chain(batch(1000)).chain(batch(5000));
    let input = write_all(input, messages.map(frame));
    is_given_up(on, program, Ends { input, output }, 1);
}

fn an_abort_with_ticks(on: Transport) {
    // The UDF ticks every 50 ms.
    let (program, mut ends) = start(troubled(), on, &SHORT);
    fill(&mut ends, &[], large_points());
    is_given_up(on, program, ends, 1);
}

fn an_abort_with_emitting_threads(on: Transport) {
    let (program, mut ends) = start(troubled(), on, &SHORT);
    let options: [(&str, &[Value]); 2] =
        [("kind", &["threadFlood".into()]), ("amount", &[Value::Int(100_000)])];
    fill(&mut ends, &options, iter::once(Ask::Point(trouble(1))));
    // More than the answer to Init and the point: the thread writes, and will block.
    ends.output.wait_for(8 << 10);
    is_given_up(on, program, ends, 1);
}

fn an_abort_during_finish(on: Transport) {
    let (program, mut ends) = start(troubled(), on, &SHORT);
    let options: [(&str, &[Value]); 2] =
        [("kind", &["floodFinish".into()]), ("amount", &[Value::Int(100_000)])];
    fill(&mut ends, &options, iter::once(Ask::Point(trouble(1))));
    is_given_up(on, program, ends, 1);
}

fn an_abort_with_a_slow_handler(on: Transport) {
    let (program, mut ends) = start(troubled(), on, &SHORT);
    let options: [(&str, &[Value]); 2] =
        [("kind", &["silent".into()]), ("amount", &[Value::Int(1000)])];
    // Ten minutes of work, all of which has been read.
    fill(&mut ends, &options, (0..3600).map(|time| Ask::Point(trouble(time))).take(600));
    is_given_up(on, program, ends, 1);
}

fn an_abort_with_a_handler_that_hangs(on: Transport) {
    let args = [&SHORT[..], &["--busy-budget", "300ms"]].concat();
    let (mut program, ends) = start(troubled(), on, &args);
    let mut connection = Connection::new(ends);
    crate::subject::init(&mut connection, &[("kind", &["hang".into()])]);
    connection.ask(Ask::Point(trouble(1)));
    program.wait_for_log("the handler hangs");
    // All output has been read.
    connection.end_input();
    let line = program.wait_for_log("Kapacitor closed the input");
    assert!(
        line.contains("Kapacitor closed the input, and `point` has not returned for 1s"),
        "{line}"
    );
    match on {
        Transport::Pipe => assert_eq!(program.wait().code(), Some(1)),
        Transport::Socket => serves(&program),
    }
}

fn an_abort_with_a_full_log(_: Transport) {
    let mut command = std::process::Command::new(example("mirror"));
    command.args(SHORT).stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(full_pipe());
    let mut child = command.spawn().expect("the program starts");
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut ends = Ends::pipes(
        input.expect("the pipe was not taken"),
        output.expect("the pipe was not taken"),
    );
    fill(&mut ends, &[], large_points());
    drop(ends.input);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    drop(ends.output);
}

/// Returns the writing end of a full pipe. The reading end stays open until this process exits.
fn full_pipe() -> std::process::Stdio {
    let (reader, mut writer) = std::io::pipe().expect("a descriptor is left");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("the descriptor is open");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK)
        .expect("the descriptor is open");
    while writer.write(&[b'x'; 1 << 12]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).expect("the descriptor is open");
    std::mem::forget(reader);
    writer.into()
}

fn another_hangup_timeout(on: Transport) {
    let (program, mut ends) = start(example("mirror"), on, &["--hangup-timeout", "2s"]);
    fill(&mut ends, &[], large_points());
    if let Input::Socket(_) = &ends.input {
        // Reading some output resets the timeout.
        ends.output.read_exact(&mut [0; 100]).expect("something was written");
    }
    is_given_up(on, program, ends, 2);
}
