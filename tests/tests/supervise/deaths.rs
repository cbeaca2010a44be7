//! Every way in which a worker can die, or break the protocol.

use rustix::process::Signal;
use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::cases::BOTH;
use udf_tests::program::{Transport, frame, init};

use crate::cases;
use crate::front::{Front, Mark, Udf, has_python, kill, plain, program, send};
use crate::kapacitor::decode;
use crate::plan::{
    assert_same, batch, begin, direct, end, init_of, large, points, snapshot, trouble,
};

cases! {
    an_exception, BOTH, "A worker that an exception ends is replaced; the log has the exit status and the last line on stderr.";
    an_exit_with_status_0, BOTH, "A worker that exits with status 0 while its input goes on is replaced, too.";
    an_exit_with_status_0_behind_the_last_input, BOTH, "A worker that exits with status 0 when Kapacitor has ended the input is replaced if it has not handled all of it: no output is missing.";
    a_death, BOTH, "A death is logged with its reason at once, while the next worker still starts.";
    an_abort, BOTH, "A worker that aborts is replaced; the log names the signal.";
    an_allocation_without_end, BOTH, "A worker that runs out of memory is replaced.";
    a_closed_output, BOTH, "A worker that closes its output and lives on is killed and replaced.";
    a_child_that_lives_on, BOTH, "A worker that dies and leaves a child with its output behind is replaced, and the child is killed.";
    text_in_the_output, BOTH, "Text that a worker prints to its output does not reach Kapacitor: the worker is replaced.";
    an_empty_response, BOTH, "A response with nothing set, which would crash Kapacitor, does not pass: the worker is replaced.";
    a_response_of_a_kind_that_is_not_known, BOTH, "A response of an unknown kind does not pass either.";
    an_end_without_a_begin_from_a_worker, BOTH, "An End without a Begin, which would crash Kapacitor, does not pass: the worker is replaced.";
    a_begin_within_a_batch_from_a_worker, BOTH, "A Begin within an emitted batch does not pass: the worker is replaced.";
    an_answer_that_nobody_asked_for, BOTH, "An answer to a request that was not sent does not pass, and the log reports it.";
    two_answers_to_one_request, BOTH, "The second answer to a snapshot request is no answer to a later request that the worker has not got: it is dropped, and a kill loses nothing.";
    an_answer_of_another_kind, BOTH, "An answer of another kind, which would hang the request in Kapacitor, does not pass: the worker is replaced.";
    a_response_that_is_cut, BOTH, "A response that ends within a message does not pass, not even a part of it.";
    a_response_of_1_gib, BOTH, "A length over the limit does not pass, and costs no memory.";
    an_error_of_the_author, BOTH, "An error that the UDF reports reaches Kapacitor, and ends the connection, as without a front.";
    an_error_that_restarts, BOTH, "With `--on-error restart`, the worker is replaced instead.";
    a_panic_of_a_supervised_udf, BOTH, "A panic in a handler is a crash: the worker is replaced, and Kapacitor gets no error.";
    a_panic_in_init_of_a_supervised_udf, BOTH, "A panic in `init` that each worker repeats reaches Kapacitor as an error.";
    refused_options, BOTH, "A refused Init reaches Kapacitor, and is no crash.";
}

fn requests() -> Vec<u8> {
    let init = frame(init_of(&plain(&[])));
    let odd = frame(Ask::Point(trouble(10)));
    [init, points(0..10), snapshot(), points(20..30), odd, points(31..40), snapshot()].concat()
}

/// Plays points to a UDF that misbehaves once. The output must be that of a UDF that does not.
/// Returns the line of the log about the death.
fn is_replaced(at: &str, action: &str, on: Transport) -> Option<String> {
    is_replaced_with(&["--at", at, "--do", action], &[], on)
}

fn is_replaced_with(args: &[&str], flags: &[&str], on: Transport) -> Option<String> {
    if !has_python() {
        return None;
    }
    let mark = Mark::new();
    let args = [&["--times", "1", "--dir", mark.path()], args].concat();
    let mut front = Front::start(&plain(&args), on, flags);
    front.kapacitor.send(&requests());
    let mut log = front.program.log_until("took over after");
    assert_same(&front.finish(), &direct(&plain(&[]), &requests()));
    mark.wait_until_nothing_is_left();
    log.retain(|line| line.contains("WARN") && !line.contains("took over after"));
    assert_eq!(log.len(), 1, "{log:#?}");
    log.pop()
}

#[track_caller]
fn has(line: Option<&str>, parts: &[&str]) {
    if let Some(line) = line {
        parts.iter().for_each(|part| assert!(line.contains(part), "`{part}` is not in `{line}`"));
    }
}

fn an_exception(on: Transport) {
    let line = is_replaced("point", "throw", on);
    has(line.as_deref(), &["exit status: 1", "RuntimeError: out of luck"]);
    let line = is_replaced("init", "fail", on);
    has(line.as_deref(), &["exit status: 3", "an error of the author"]);
}

fn an_exit_with_status_0(on: Transport) {
    has(is_replaced("point", "quit", on).as_deref(), &["exit status: 0"]);
}

fn an_exit_with_status_0_behind_the_last_input(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", "point", "--do", "stop_and_quit", "--times", "1", "--dir", mark.path()];
    let odd = frame(Ask::Point(trouble(10)));
    let requests = [frame(init_of(&plain(&[]))), points(0..10), odd, points(11..20)].concat();
    let mut front = Front::start(&plain(&args), on, &[]);
    front.kapacitor.send(&requests);
    front.kapacitor.end_input();
    let worker = front.stopped_worker();
    // The front has no other reason for this than the end of the input.
    front.kapacitor.keepalive();
    send(worker, Signal::CONT);
    assert_same(&front.finish(), &direct(&plain(&[]), &requests));
}

fn a_death(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    // The next worker stops before it takes over.
    let args = ["--at", "restore", "--times", "1", "--dir", mark.path()];
    let requests = [frame(init_of(&plain(&[]))), points(0..10), snapshot()].concat();
    let mut front = Front::start(&plain(&args), on, &[]);
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(12);
    let worker = front.worker();
    kill(worker);
    let next = front.stopped_worker();
    let line = front.program.wait_for_log("WARN");
    has(Some(&line), &[&format!("worker {worker} died"), "SIGKILL"]);
    send(next, Signal::CONT);
    front.program.wait_for_log(&format!("worker {next} took over after"));
    found.extend(front.finish());
    assert_same(&found, &direct(&plain(&[]), &requests));
}

fn an_abort(on: Transport) {
    has(is_replaced("point", "abort", on).as_deref(), &["SIGABRT"]);
}

fn an_allocation_without_end(on: Transport) {
    has(is_replaced("point", "allocate", on).as_deref(), &["MemoryError"]);
}

fn a_closed_output(on: Transport) {
    is_replaced("point", "close", on);
}

fn a_child_that_lives_on(on: Transport) {
    has(is_replaced("point", "die_before_child", on).as_deref(), &["SIGKILL"]);
}

fn text_in_the_output(on: Transport) {
    is_replaced("point", "garbage", on);
    is_replaced("init", "garbage", on);
}

fn an_empty_response(on: Transport) {
    is_replaced("point", "empty", on);
}

fn a_response_of_a_kind_that_is_not_known(on: Transport) {
    is_replaced("point", "unknown", on);
}

fn an_end_without_a_begin_from_a_worker(on: Transport) {
    is_replaced("point", "unbalanced", on);
    misbehaves_in_a_batch("begin", "unbalanced", on);
}

fn a_begin_within_a_batch_from_a_worker(on: Transport) {
    misbehaves_in_a_batch("after_begin", "begin_twice", on);
}

fn misbehaves_in_a_batch(at: &str, action: &str, on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--batch", "--at", at, "--do", action, "--times", "1", "--dir", mark.path()];
    let odd = [begin(2, true), end(2, true)].concat();
    let requests = [frame(init_of(&plain(&[]))), batch(1), odd, batch(3)].concat();
    let mut front = Front::start(&plain(&args), on, &[]);
    front.kapacitor.send(&requests);
    front.program.wait_for_log("took over after");
    assert_same(&front.finish(), &direct(&plain(&["--batch"]), &requests));
}

fn an_answer_that_nobody_asked_for(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&["--at", "point", "--do", "unasked"]);
    let odd = frame(Ask::Point(trouble(10)));
    let requests = [frame(init_of(&udf)), points(0..10), odd, points(11..20)].concat();
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&requests);
    front.program.wait_for_log("a request that it did not get");
    assert_same(&front.finish(), &direct(&plain(&[]), &requests));
}

fn two_answers_to_one_request(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", "snapshot", "--do", "unasked", "--times", "1", "--dir", mark.path()];
    let backlog = (10..60).flat_map(|time| frame(Ask::Point(large(time, 50_000))));
    let init = frame(init_of(&plain(&[])));
    let requests = [init, points(0..10), snapshot(), backlog.collect(), snapshot()].concat();
    let more = points(60..70);
    let flags = ["--checkpoint-every", "1h"];
    let mut front = Front::start(&plain(&args), on, &flags);
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(63);
    kill(front.worker());
    front.kapacitor.send(&more);
    found.extend(front.finish());
    let mut expected = direct(&plain(&[]), &[requests, more].concat());
    let Answer::Snapshot(first) = decode(&found.remove(11)) else { panic!("not a snapshot") };
    assert_eq!(first.snapshot, b"unasked");
    expected.remove(11);
    assert_same(&found, &expected);
}

fn an_answer_of_another_kind(on: Transport) {
    is_replaced("snapshot", "wrong_kind", on);
    is_replaced("init", "wrong_kind", on);
}

fn a_response_that_is_cut(on: Transport) {
    is_replaced("point", "cut", on);
}

fn a_response_of_1_gib(on: Transport) {
    is_replaced("point", "long", on);
}

fn an_error_of_the_author(on: Transport) {
    if !has_python() {
        return;
    }
    let mut front = Front::start(&plain(&["--at", "point", "--do", "error"]), on, &[]);
    front.kapacitor.send(&requests());
    let (found, error) = front.kapacitor.rest_and_error();
    assert_eq!(error, "the author gives up");
    let expected = direct(&plain(&[]), &requests());
    assert_same(&found, &expected[..found.len()]);
    assert_eq!(found.len(), 22);
    let log = front.ends(1).join("\n");
    assert!(!log.contains("died"), "{log}");
}

fn an_error_that_restarts(on: Transport) {
    let args = ["--at", "point", "--do", "error"];
    let line = is_replaced_with(&args, &["--on-error", "restart"], on);
    has(line.as_deref(), &["the author gives up"]);
}

/// Returns the UDF of the fault tests that misbehaves in this way.
fn troubled(kind: &str) -> (Udf, Vec<u8>) {
    let kind: [Value; 1] = [kind.into()];
    (program(env!("CARGO_BIN_EXE_troubled"), &[]), frame(init(&[("kind", &kind)])))
}

fn a_panic_of_a_supervised_udf(on: Transport) {
    // Each worker panics at the point with `trouble`. That the point is skipped shows a crash.
    let directory = Mark::new();
    let file = directory.file("poison");
    let (udf, init) = troubled("panic");
    let flags = ["--restarts", "20", "--poison", "skip", "--poison-file", &file];
    let mut front = Front::start(&udf, on, &flags);
    let odd = frame(Ask::Point(trouble(9)));
    front.kapacitor.send(&[init.clone(), points(0..9), odd, points(10..20)].concat());
    let line = front.program.wait_for_log("skipped");
    has(Some(&line), &["out of luck"]);
    let found = front.finish();
    assert_same(&found, &direct(&udf, &[init, points(0..9), points(10..20)].concat()));
}

fn a_panic_in_init_of_a_supervised_udf(on: Transport) {
    let (udf, init) = troubled("panicInit");
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&init);
    let (found, error) = front.kapacitor.rest_and_error();
    assert_eq!(found.len(), 0);
    assert!(error.contains("no start today"), "{error}");
    front.ends(1);
}

fn refused_options(on: Transport) {
    let (udf, _) = troubled("none");
    let refused = frame(init(&[("no_such_option", &[])]));
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&refused);
    let found = front.finish();
    assert_same(&found, &direct(&udf, &refused));
}
