//! Handlers of the author that panic, fail, hang, or use stdin and stdout.

use std::time::Duration;

use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, KeepaliveResponse};
use udf_tests::program::{Transport, frame};

use crate::subject::{Subject, point, trouble, troubled};
use crate::{BOTH, cases};

cases! {
    a_panic_in_point, BOTH, "A panic ends its connection with an error that has the panic's text; points before it are answered.";
    a_panic_of_1_mib, BOTH, "The error of a panic with a long text is truncated.";
    a_panic_without_a_text, BOTH, "A panic with a value that is not text is reported, too.";
    a_panic_in_init, BOTH, "A panic in `init` ends the connection with an error.";
    a_panic_in_a_tick, BOTH, "A panic in a tick is reported at once, without waiting for input.";
    a_panic_at_the_end_of_input, BOTH, "A panic in `finish` is reported before the connection closes.";
    a_panic_in_stop, BOTH, "A panic in `stop` has no effect on Kapacitor, which has all answers by then.";
    a_stop_that_hangs, BOTH, "The connection closes before `stop` is called. A process whose `stop` hangs exits after `--shutdown-timeout`.";
    an_error_in_point, BOTH, "An error ends its connection. Kapacitor gets its text and its causes.";
    an_error_of_1_mib, BOTH, "A long error is truncated.";
    an_error_in_init, BOTH, "The answer to the Init has the error of `init` with its causes, and the connection goes on.";
    an_error_in_init_of_1_mib, BOTH, "A long error of `init` is truncated, and is one line.";
    an_error_in_a_tick, BOTH, "An error in a tick is reported at once.";
    an_error_at_the_end_of_input, BOTH, "An error in `finish` is reported before the connection closes.";
    a_handler_that_works_for_long, BOTH, "Kapacitor gets keepalives while a handler is busy, and every point and answer when it returns.";
    many_calls_that_take_a_while, BOTH, "Kapacitor gets keepalives during many short calls that emit nothing.";
    many_calls_that_emit, BOTH, "Emitted points are written while later points are still being handled.";
    a_handler_that_hangs, BOTH, "After the budget, keepalives end; the log names the task, the node and the call that hangs.";
    a_tick_that_hangs, BOTH, "After the budget of a tick, keepalives end, and the log names the tick.";
    a_budget_that_is_not_reached, BOTH, "A handler that returns within the budget keeps its connection.";
    a_handler_that_prints, BOTH, "Printed text goes to stderr: Kapacitor gets only messages.";
    a_handler_that_reads_stdin, BOTH, "A program that the handler starts has an empty stdin, so it cannot read Kapacitor's input.";
    a_field_that_is_nan, BOTH, "An emitted point with a NaN field is dropped and counted, with a warning, since InfluxDB cannot store it.";
    a_field_that_is_infinite, BOTH, "An emitted point with an infinite field is dropped, too.";
    a_point_without_fields, BOTH, "An emitted point without a field is dropped, too.";
    points_that_do_not_fit_and_are_sent, BOTH, "With `--unfit-points send`, such points are sent.";
    points_that_do_not_fit_and_fail, BOTH, "With `--unfit-points fail`, such a point is an error.";
    a_thread_that_emits_beyond_the_end, BOTH, "A thread of the author gets an error when it emits after the end, and affects no other connection.";
    stop_is_called_once, BOTH, "`stop` is called once, for each kind of end.";
}

fn fails_in_point(on: Transport, kind: &str, with: &str) {
    let mut udf = Subject::troubled(on, kind);
    udf.echo(1);
    udf.ask(Ask::Point(point(2)));
    udf.ask(Ask::Point(trouble(3)));
    assert_eq!(udf.fails(with), [Answer::Point(point(2)), Answer::Point(trouble(3))]);
}

fn a_panic_in_point(on: Transport) {
    fails_in_point(on, "panic", "the handler panicked in point: out of luck");
}

fn a_panic_without_a_text(on: Transport) {
    fails_in_point(on, "panicOdd", "the handler panicked in point: no message");
}

fn an_error_in_point(on: Transport) {
    fails_in_point(on, "error", "the file cannot be written: no space left on device");
}

fn cut_error(on: Transport, kind: &str) {
    let mut udf = Subject::troubled(on, kind);
    udf.ask(Ask::Point(trouble(1)));
    assert_eq!(udf.connection.answer(), Answer::Point(trouble(1)));
    match udf.connection.answer() {
        Answer::Error(error) => {
            let length = error.error.len();
            assert!((1 << 10..32 << 10).contains(&length), "{length} bytes");
            assert!(error.error.ends_with("xxx ..."));
        }
        other => panic!("not an error: {other:?}"),
    }
    assert_eq!(udf.connection.rest(), []);
    udf.ends(1);
}

fn a_panic_of_1_mib(on: Transport) {
    cut_error(on, "panicLong");
}

fn an_error_of_1_mib(on: Transport) {
    cut_error(on, "errorLong");
}

fn a_panic_in_init(on: Transport) {
    let mut udf = Subject::start(troubled(), on, &[]);
    udf.ask(udf_tests::program::init(&[("kind", &["panicInit".into()])]));
    assert_eq!(udf.fails("the handler panicked in init: no start today"), []);
}

/// Returns the text with which an Init is refused for an error of `init`.
fn refused_by_init(on: Transport, kind: &str) -> String {
    let mut udf = Subject::start(troubled(), on, &[]);
    let error = match udf.connection.init(&[("kind", &[kind.into()])]) {
        Answer::Init(init) if !init.success => init.error,
        other => panic!("not a refusal: {other:?}"),
    };
    assert_eq!(udf.init(&[]).lives(), []);
    error
}

fn an_error_in_init(on: Transport) {
    let error = refused_by_init(on, "errorInit");
    assert_eq!(error, "the file cannot be written: no space left on device");
}

fn an_error_in_init_of_1_mib(on: Transport) {
    let error = refused_by_init(on, "errorInitLong");
    assert!((1 << 10..32 << 10).contains(&error.len()), "{} bytes", error.len());
    assert!(error.starts_with("x x x") && error.ends_with(" ..."));
}

fn a_panic_in_a_tick(on: Transport) {
    let mut udf = Subject::troubled(on, "panicTick");
    udf.echo(1);
    udf.ask(Ask::Point(trouble(2)));
    assert_eq!(udf.connection.answer(), Answer::Point(trouble(2)));
    assert!(matches!(udf.connection.answer(), Answer::Error(error)
        if error.error.contains("the handler panicked in tick: out of time")));
    udf.connection.end_input();
    assert_eq!(udf.connection.rest(), []);
    udf.ends(1);
}

fn an_error_in_a_tick(on: Transport) {
    let mut udf = Subject::troubled(on, "errorTick");
    udf.ask(Ask::Point(trouble(2)));
    assert_eq!(udf.connection.answer(), Answer::Point(trouble(2)));
    assert!(
        matches!(udf.connection.answer(), Answer::Error(error) if error.error.contains("out of time"))
    );
    udf.connection.end_input();
    assert_eq!(udf.connection.rest(), []);
    udf.ends(1);
}

fn fails_in_finish(on: Transport, kind: &str, with: &str) {
    let mut udf = Subject::troubled(on, kind);
    udf.ask(Ask::Point(point(1)));
    udf.connection.end_input();
    assert_eq!(udf.fails(with), [Answer::Point(point(1))]);
}

fn a_panic_at_the_end_of_input(on: Transport) {
    fails_in_finish(on, "panicFinish", "the handler panicked in finish: no end");
}

fn an_error_at_the_end_of_input(on: Transport) {
    fails_in_finish(on, "errorFinish", "no end");
}

fn a_panic_in_stop(on: Transport) {
    let mut udf = Subject::troubled(on, "panicStop");
    udf.ask(Ask::Point(point(1)));
    udf.connection.end_input();
    assert_eq!(udf.connection.rest(), [Answer::Point(point(1))]);
    udf.program.wait_for_log("the handler panicked in stop: no stop");
    udf.ends(1);
}

fn a_stop_that_hangs(on: Transport) {
    let args = ["--shutdown-timeout", "1s", "--hangup-timeout", "1s"];
    let mut udf = Subject::troubled_with(on, "hangStop", 0, &args);
    udf.ask(Ask::Point(point(1)));
    udf.connection.end_input();
    assert_eq!(udf.connection.rest(), [Answer::Point(point(1))]);
    if on == Transport::Pipe {
        udf.program.wait_for_log("Kapacitor closed the input, and `stop` has not returned for 1s");
        assert_eq!(udf.program.wait().code(), Some(1));
    }
}

fn a_handler_that_works_for_long(on: Transport) {
    let mut udf = Subject::troubled_with(on, "work", 600, &[]);
    udf.ask(Ask::Point(trouble(1)));
    udf.ask(Ask::Point(point(2)));
    udf.ask(Ask::Keepalive(KeepaliveRequest { time: -5 }));
    udf.connection.wait_for_keepalive();
    udf.connection.wait_for_keepalive();
    assert_eq!(udf.connection.answer(), Answer::Point(trouble(1)));
    assert_eq!(udf.connection.answer(), Answer::Point(point(2)));
    assert_eq!(udf.connection.answer(), Answer::Keepalive(KeepaliveResponse { time: -5 }));
    assert_eq!(udf.lives(), []);
}

/// Sends points with the field `trouble` in one write, so that they are read at once.
fn backlog(udf: &mut Subject, points: i64) {
    let points = (1..=points).flat_map(|time| frame(Ask::Point(trouble(time))));
    udf.send(&points.collect::<Vec<_>>());
}

fn many_calls_that_take_a_while(on: Transport) {
    let mut udf = Subject::troubled_with(on, "silent", 30, &[]);
    backlog(&mut udf, 50);
    udf.ask(Ask::Keepalive(KeepaliveRequest { time: -5 }));
    // The echo comes after all points.
    assert_eq!(udf.connection.answer(), Answer::Keepalive(KeepaliveResponse { time: -5 }));
    assert!(udf.connection.has_keepalive_within(Duration::ZERO), "no keepalive for 1.5 s");
    assert_eq!(udf.lives(), []);
}

fn many_calls_that_emit(on: Transport) {
    let mut udf = Subject::troubled_with(on, "stuck", 100, &[]);
    backlog(&mut udf, 101);
    // The handler never returns from the last point but one.
    assert_eq!(udf.connection.answer(), Answer::Point(trouble(1)));
}

/// Checks a handler that hangs in `call`: keepalives are sent, then the log reports the handler,
/// and then the keepalives stop.
fn hangs(on: Transport, kind: &str, call: &str) {
    let mut udf = Subject::troubled_with(on, kind, 0, &["--busy-budget", "300ms"]);
    udf.echo(1);
    udf.ask(Ask::Point(trouble(2)));
    let line = udf.program.wait_for_log("the handler hangs");
    for part in ["ERROR", call, "task=\"task\"", "node=\"node\"", "call "] {
        assert!(line.contains(part), "`{part}` is not in `{line}`");
    }
    udf.connection.wait_for_keepalive();
    // Earlier keepalives have arrived. After a while, no more follow.
    let more = (0..50).all(|_| udf.connection.has_keepalive_within(Duration::from_millis(400)));
    assert!(!more, "Kapacitor keeps hearing from a handler that hangs");
}

fn a_handler_that_hangs(on: Transport) {
    hangs(on, "hang", "`point`");
}

fn a_tick_that_hangs(on: Transport) {
    hangs(on, "hangTick", "`tick`");
}

fn a_budget_that_is_not_reached(on: Transport) {
    let mut udf = Subject::troubled_with(on, "work", 200, &["--busy-budget", "10s"]);
    for time in 1..4 {
        udf.ask(Ask::Point(trouble(time)));
    }
    udf.connection.end_input();
    assert_eq!(udf.connection.rest().len(), 3);
    udf.program.signal("TERM");
    let log = udf.program.rest_of_log().join("\n");
    assert!(!log.contains("hangs") && !log.contains("given up"), "{log}");
}

fn a_handler_that_prints(on: Transport) {
    let mut udf = Subject::troubled(on, "print");
    udf.ask(Ask::Point(trouble(1)));
    udf.ask(Ask::Point(point(2)));
    assert_eq!(udf.connection.answer(), Answer::Point(trouble(1)));
    assert_eq!(udf.connection.answer(), Answer::Point(point(2)));
    if on == Transport::Pipe {
        udf.program.wait_for_log("printed to stdout");
    } else {
        udf.program.wait_for_log("printed to stderr");
    }
    assert_eq!(udf.lives(), []);
}

fn a_handler_that_reads_stdin(on: Transport) {
    let mut udf = Subject::troubled(on, "cat");
    for time in 1..4 {
        udf.ask(Ask::Point(trouble(time)));
        assert_eq!(udf.connection.answer(), Answer::Point(trouble(time)));
    }
    assert_eq!(udf.lives(), []);
}

/// Sends three points. The second one makes the handler emit an invalid point.
fn unfit(on: Transport, kind: &str, policy: &str) -> Subject {
    let mut udf = Subject::troubled_with(on, kind, 0, &["--unfit-points", policy]);
    for point in [point(1), trouble(2), point(3)] {
        // The connection may have failed before the third point.
        let _ = udf.connection.send(&frame(Ask::Point(point)));
    }
    udf
}

fn dropped(on: Transport, kind: &str, with: &str) {
    let mut udf = unfit(on, kind, "drop");
    let line = udf.program.wait_for_log("a point was not sent");
    assert!(line.contains("WARN") && line.contains(with), "{line}");
    udf.connection.end_input();
    let rest = [point(1), trouble(2), point(3)].map(Answer::Point);
    assert_eq!(udf.connection.rest(), rest);
    let line = udf.program.wait_for_log("the connection has ended");
    assert!(line.contains("points_in=3 points_out=3 points_dropped=1 "), "{line}");
    udf.ends(0);
}

fn a_field_that_is_nan(on: Transport) {
    dropped(
        on,
        "nan",
        "a point was not sent: its field `usage` is NaN (measurement `cpu`, group `host=a`)",
    );
}

fn a_field_that_is_infinite(on: Transport) {
    dropped(
        on,
        "infinite",
        "a point was not sent: its field `usage` is infinite (measurement `cpu`, group `host=a`)",
    );
}

fn a_point_without_fields(on: Transport) {
    dropped(on, "empty", "a point was not sent: it has no field (measurement `empty`)");
}

fn points_that_do_not_fit_and_are_sent(on: Transport) {
    let rest = unfit(on, "nan", "send").lives();
    assert_eq!(rest.len(), 4);
    assert!(matches!(&rest[2], Answer::Point(point) if point.fields_double["usage"].is_nan()));
}

fn points_that_do_not_fit_and_fail(on: Transport) {
    let rest = [point(1), trouble(2)].map(Answer::Point);
    assert_eq!(
        unfit(on, "infinite", "fail").fails(
            "a point cannot be sent: its field `usage` is infinite (measurement `cpu`, group `host=a`)"
        ),
        rest
    );
}

fn a_thread_that_emits_beyond_the_end(on: Transport) {
    let mut udf = Subject::troubled(on, "thread");
    udf.ask(Ask::Point(trouble(1)));
    // The points that the handler has returned, and those of the thread.
    for _ in 0..100 {
        assert_eq!(udf.connection.answer(), Answer::Point(trouble(1)));
    }
    udf.connection.end_input();
    assert!(udf.connection.rest().iter().all(|answer| *answer == Answer::Point(trouble(1))));
    if on == Transport::Socket {
        udf.program.wait_for_log("the thread was told: the connection to Kapacitor has ended");
    }
    udf.ends(0);
}

fn stop_is_called_once(on: Transport) {
    for kind in ["none", "panic", "error", "panicFinish", "panicStop"] {
        let mut udf = Subject::troubled(on, kind);
        udf.ask(Ask::Point(trouble(1)));
        udf.connection.end_input();
        udf.connection.rest();
        let mut program = udf.program;
        drop(udf.connection);
        if on == Transport::Socket {
            program.signal("TERM");
        }
        let log = program.rest_of_log();
        let stops = log.iter().filter(|line| line.contains("stop was called")).count();
        assert_eq!(stops, 1, "{kind}: {log:?}");
        program.wait();
    }
}
