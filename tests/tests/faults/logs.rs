//! The contents and the format of the log.

use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use udf_proto::messages::InitRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::ends::Ends;
use udf_tests::metrics::wait_for;
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, example};

use crate::metrics::measured;
use crate::subject::{Subject, init, point, trouble, troubled};
use crate::{BOTH, PIPE, SOCKET, cases};

cases! {
    a_log_line_of_1_mib, BOTH, "Every line stays under 64 KiB: Kapacitor stops reading at a longer one.";
    a_log_line_with_lines, BOTH, "Every event is one line without colours.";
    a_panic_of_several_lines, BOTH, "A panic is one line, too.";
    a_task_in_every_line, BOTH, "After Init, every line of a connection names the task and the node.";
    a_task_in_warnings_alone, BOTH, "Lines name the task and the node also at level `warn`, and in a tick.";
    no_time_when_spawned, PIPE, "A spawned UDF logs no time, since Kapacitor adds its own; with `--log-time` it does.";
    a_backtrace, BOTH, "With RUST_BACKTRACE, the backtrace of a panic follows it, one line for each frame.";
    no_colours, BOTH, "Lines have no colours if stderr is not a terminal.";
    a_repeated_warning, BOTH, "A warning that concerns many points is not logged for each of them.";
    a_repeated_warning_of_a_thread, BOTH, "A warning that concerns many points of a remote emitter is not logged for each of them.";
    lines_of_one_kind, SOCKET, "Of the lines of one kind, 100 are logged in ten seconds; the others are counted, also in the metrics.";
    a_task_with_a_name_of_a_megabyte, BOTH, "A long name of a task is cut in the log, and its control characters are escaped.";
    a_value_that_logs, BOTH, "A value can log while it is formatted for a line.";
    levels, BOTH, "The level can be set by argument and by environment; the argument wins.";
    a_level_that_does_not_exist, PIPE, "An unknown level is a usage error; the message names the level.";
}

fn log_of(on: Transport, kind: &str) -> Vec<String> {
    let mut udf = Subject::troubled(on, kind);
    udf.ask(Ask::Point(trouble(1)));
    udf.ask(Ask::Point(point(2)));
    udf.finishes_with_log().1
}

fn a_log_line_of_1_mib(on: Transport) {
    for kind in ["logLong", "panicLong", "errorLong"] {
        let log = log_of(on, kind);
        assert!(log.iter().any(|line| line.len() > 10_000), "{kind}: {log:?}");
        for line in &log {
            assert!(line.len() < 64 << 10, "{kind}: {} bytes", line.len());
        }
    }
}

/// Checks that every line is an event, or the last message of the process.
fn one_line_each(on: Transport, kind: &str) {
    let log = log_of(on, kind);
    assert!(log.iter().any(|line| line.contains("two") && line.contains("three")), "{log:?}");
    for line in log {
        assert!(!line.contains(char::is_control), "{line:?}");
        let event = [" INFO ", " WARN ", "ERROR "].iter().any(|level| line.contains(level));
        assert!(event || line.starts_with("error: "), "{line:?}");
    }
}

fn a_log_line_with_lines(on: Transport) {
    one_line_each(on, "logLines");
}

fn a_panic_of_several_lines(on: Transport) {
    one_line_each(on, "panicLines");
}

fn a_task_in_every_line(on: Transport) {
    let log = log_of(on, "logLines");
    let lines: Vec<_> = log.iter().filter(|line| line.contains("connection")).collect();
    assert!(lines.iter().any(|line| line.contains("stop was called")), "{log:?}");
    for line in lines {
        assert!(line.contains("task=\"task\"") && line.contains("node=\"node\""), "{line}");
    }
}

fn a_task_in_warnings_alone(on: Transport) {
    let (program, mut connection) = quiet(on, &["--log", "warn"], "UDF_LOG=off");
    init(&mut connection, &[("kind", &["logTick".into()])]);
    connection.ask(Ask::Point(trouble(1)));
    let ticks = program.wait_for_log("it ticks");
    let handles = log_at(on, &["--log", "warn"], "off").concat();
    for line in [ticks, handles] {
        assert!(line.contains("task=\"task\"") && line.contains("node=\"node\""), "{line}");
    }
}

fn no_time_when_spawned(_: Transport) {
    for (args, time) in [(&[][..], false), (&["--log-time"], true)] {
        for line in log_at(Transport::Pipe, args, "info") {
            assert_eq!(line.starts_with("20"), time, "{line}");
        }
    }
}

fn a_backtrace(on: Transport) {
    let (mut program, mut connection) = quiet(on, &[], "RUST_BACKTRACE=1");
    init(&mut connection, &[("kind", &["panic".into()])]);
    connection.ask(Ask::Point(trouble(1)));
    connection.end_input();
    connection.rest();
    drop(connection);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    let log = program.rest_of_log();
    let panic = log.iter().position(|line| line.contains("out of luck")).expect("it is told");
    // A frame names the line of the author's code.
    let is_frame = |line: &String| line.contains(" at ") && line.contains("bin/troubled.rs:");
    let frame = log.iter().rposition(is_frame).expect("it has frames");
    assert!(panic < frame, "{log:?}");
    program.wait();
}

fn no_colours(on: Transport) {
    let mut udf = Subject::start(example("mirror"), on, &["--log", "trace"]).init(&[]);
    udf.echo(1);
    udf.connection.end_input();
    udf.connection.rest();
    drop(udf.connection);
    if on == Transport::Socket {
        udf.program.signal("TERM");
    }
    for line in udf.program.rest_of_log() {
        assert!(!line.contains('\x1b'), "{line:?}");
    }
}

fn a_repeated_warning(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    let mut unusable = point(1);
    unusable.fields_double.clear();
    for _ in 0..1000 {
        udf.ask(Ask::Point(unusable.clone()));
    }
    udf.ask(Ask::Point(point(1)));
    assert!(matches!(udf.connection.answer(), Answer::Point(_)));
    let (rest, log) = udf.finishes_with_log();
    assert_eq!(rest, []);
    let warnings = log.iter().filter(|line| line.contains("no field")).count();
    assert!((1..10).contains(&warnings), "{warnings} warnings of 1000 points");
    // Each warning counts the suppressed ones before it. The end of the log counts the rest.
    let more = |line: &String| {
        let (count, _) = line.split_once(" more since the last warning")?;
        count.rsplit([' ', '(']).next()?.parse::<usize>().ok()
    };
    let told: usize = log.iter().filter_map(more).sum();
    assert_eq!(warnings + told, 1000, "{log:?}");
}

fn a_repeated_warning_of_a_thread(on: Transport) {
    let mut udf = Subject::troubled_with(on, "nanRemote", 1000, &[]);
    udf.ask(Ask::Point(trouble(1)));
    let (rest, log) = udf.finishes_with_log();
    assert_eq!(rest, [Answer::Point(trouble(1))]);
    let warnings = log.iter().filter(|line| line.contains("a point was not sent")).count();
    assert!((1..10).contains(&warnings), "{warnings} warnings of 1000 points");
    assert!(log.iter().any(|line| line.contains("points_dropped=1000 ")), "{log:?}");
}

/// Starts a misbehaving UDF with this variable, without waiting for its log, and connects.
fn quiet(on: Transport, args: &[&str], variable: &str) -> (Program, Connection) {
    let mut command = Command::new("env");
    command.arg(variable).arg(troubled()).args(args);
    if on == Transport::Pipe {
        let mut program = Program::spawn(command.stdin(Stdio::piped()));
        let ends = program.pipes();
        return (program, Connection::new(ends));
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("s");
    command.arg("--socket").arg(&path).stdin(Stdio::null());
    let program = Program::spawn(&mut command).within(directory, &path);
    let begun = Instant::now();
    let stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(error) => {
                assert!(begun.elapsed() < TIMEOUT, "the daemon does not listen: {error}")
            }
        }
        std::thread::yield_now();
    };
    (program, Connection::new(Ends::socket(stream)))
}

/// Returns the log of a connection of a misbehaving UDF that logs a warning.
fn log_at(on: Transport, args: &[&str], level: &str) -> Vec<String> {
    let (program, mut connection) = quiet(on, args, &format!("UDF_LOG={level}"));
    init(&mut connection, &[("kind", &["logLines".into()])]);
    connection.ask(Ask::Point(trouble(1)));
    connection.end_input();
    connection.rest();
    drop(connection);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    program.rest_of_log()
}

fn lines_of_one_kind(_: Transport) {
    const TIMES: usize = 250;
    let (mut program, address, _directory) = measured(&[]);
    for _ in 0..TIMES {
        let mut connection = program.connect();
        connection.send(&[2, 0x08, 1]).expect("the other side reads");
        connection.rest_or_reset();
    }
    // Connections are accepted in order, and logged when they have ended.
    let said = wait_for(address, "udf_errors_total{task=\"\",node=\"\"} 250");
    program.signal("TERM");
    let log = program.rest_of_log();
    let failed = log.iter().filter(|line| line.contains("}: the connection has failed")).count();
    let told = |line: &String| {
        let (_, rest) = line.split_once("ERROR held back ")?;
        let (count, rest) = rest.split_once(" more lines like `the connection has failed: ")?;
        assert!(rest.ends_with("`: at most 100 of a kind are logged in 10s"), "{line}");
        count.parse::<usize>().ok()
    };
    let held_back: usize = log.iter().filter_map(told).sum();
    // The lines may be in several windows.
    assert!((100..TIMES).contains(&failed), "{failed}: {log:?}");
    assert_eq!(failed + held_back, TIMES, "{log:?}");
    let is_counted = |line: &str| {
        let count = line.strip_prefix("udf_log_lines_held_back_total ");
        count.is_some_and(|count| count.parse::<usize>().is_ok_and(|count| count > 0))
    };
    assert!(said.lines().any(is_counted), "{said}");
    assert!(said.contains("\nudf_log_lines_dropped_total 0\n"), "{said}");
    program.wait();
}

fn a_task_with_a_name_of_a_megabyte(on: Transport) {
    let mut udf = Subject::start(troubled(), on, &[]);
    let name = format!("one\ntwo\x1b[0m{}", "x".repeat(1_000_000));
    udf.ask(Ask::Init(InitRequest { task_id: name, node_id: "node".into(), options: Vec::new() }));
    assert!(matches!(udf.connection.answer(), Answer::Init(init) if init.success));
    let (_, log) = udf.finishes_with_log();
    let line = log.iter().find(|line| line.contains("stop was called")).expect("it is logged");
    assert!(line.len() < 2 << 10, "{} bytes", line.len());
    assert!(
        line.contains("task=\"one\\ntwo") && line.contains("x...\" node=\"node\"}: "),
        "{line}"
    );
    assert!(log.iter().all(|line| !line.contains(char::is_control)), "{log:?}");
}

fn a_value_that_logs(on: Transport) {
    let log = log_of(on, "logShown").join("\n");
    assert!(log.contains("}:shown{twice=true}: I am shown\n"), "{log}");
    assert!(log.contains("}: logged value=Talkative\n"), "{log}");
}

fn levels(on: Transport) {
    assert_eq!(log_at(on, &[], "off"), [""; 0]);
    let warnings = log_at(on, &[], "warn");
    assert!(matches!(&warnings[..], [warning] if warning.contains(" WARN ")), "{warnings:?}");
    let all = log_at(on, &["--log", "info"], "off");
    assert!(all.iter().any(|line| line.contains(" INFO ")), "{all:?}");
}

fn a_level_that_does_not_exist(_: Transport) {
    let mut command = Command::new(example("mirror"));
    let mut program = Program::spawn(command.args(["--log", "loud"]).stdin(Stdio::piped()));
    assert_eq!(
        program.rest_of_log(),
        ["error: --log is `loud`, but must be error, warn, info, debug, trace or off"]
    );
    assert_eq!(program.wait().code(), Some(2));
}
