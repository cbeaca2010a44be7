//! The descriptors and the exit status of a process.

use std::io::Write;
use std::process::{Command, Stdio};

use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::program::{Connection, Program, Transport, example, frame, init as init_request};

use crate::subject::{Subject, echo, init, point, trouble};
use crate::{BOTH, PIPE, cases};

cases! {
    an_orderly_end, BOTH, "The exit status is 0 after the end of the input, and after a stop by a signal.";
    an_end_with_an_error, PIPE, "The exit status is 1 if the connection failed; the last line of stderr has the reason.";
    a_print_before_main, PIPE, "Text that was printed to stdout before `udf_runtime::main` is named in the log: Kapacitor takes it for a message.";
    arguments_and_a_subcommand, PIPE, "Every subcommand accepts `--log`; an argument without effect there is a usage error that names it.";
    the_version, PIPE, "`--version` prints the name of the UDF and the version of its package.";
    an_argument_that_does_not_exist, PIPE, "The exit status is 2 after a usage error; stderr has the reason.";
    stdin_that_is_closed, PIPE, "A stdin that has already ended is not an error.";
    stdout_that_is_closed, PIPE, "A closed stdout ends the process with status 1, not by a signal.";
    stderr_that_is_closed, PIPE, "A UDF works without a stderr.";
    stderr_that_nobody_reads, PIPE, "A UDF goes on after the reader of stderr has disconnected.";
    a_full_stderr_at_the_end, PIPE, "All output reaches Kapacitor before the last line goes to stderr.";
}

fn an_orderly_end(on: Transport) {
    let mut udf = Subject::mirror(on);
    udf.echo(1);
    assert_eq!(udf.lives(), []);
}

fn a_print_before_main(_: Transport) {
    let path = env!("CARGO_BIN_EXE_talkative");
    // The test reads stdout only after the log line.
    let mut program = Program::spawn(Command::new(path).stdin(Stdio::piped()));
    program.wait_for_log("output was printed to stdout before the UDF was served");
    let ends = program.pipes();
    drop(ends.input);
    assert_eq!(program.wait().code(), Some(0));
}

fn arguments_and_a_subcommand(_: Transport) {
    for args in [["--log", "debug", "info"], ["info", "--log", "debug"]] {
        let output =
            Command::new(example("mirror")).args(args).output().expect("the program starts");
        assert!(output.status.success(), "{output:?}");
    }
    // The former name is still read, but no longer shown.
    for name in ["--shutdown-timeout", "--farewell"] {
        let mut command = Command::new(example("mirror"));
        let output = command.args([name, "1s", "info"]).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "error: --shutdown-timeout has no effect with `info`; remove it\n");
        assert_eq!(output.status.code(), Some(2));
    }
    let help = Command::new(example("mirror")).arg("--help").output().expect("the program starts");
    let help = String::from_utf8_lossy(&help.stdout);
    assert!(help.contains("--shutdown-timeout") && !help.contains("farewell"), "{help}");
}

fn the_version(_: Transport) {
    let output =
        Command::new(example("moving_avg")).arg("--version").output().expect("the program starts");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("moving_avg {version}\n"));
}

fn an_end_with_an_error(on: Transport) {
    let mut udf = Subject::troubled(on, "panic");
    udf.ask(Ask::Point(trouble(1)));
    let rest = udf.connection.rest();
    let Some(Answer::Error(error)) = rest.last() else { panic!("not an error: {rest:?}") };
    drop(udf.connection);
    let log = udf.program.rest_of_log();
    assert_eq!(log.last(), Some(&format!("error: {}", error.error)));
    assert_eq!(udf.program.wait().code(), Some(1));
}

fn an_argument_that_does_not_exist(_: Transport) {
    let mut command = Command::new(example("mirror"));
    let mut program = Program::spawn(command.arg("--sokcet").stdin(Stdio::piped()));
    let log = program.rest_of_log().join("\n");
    assert!(log.contains("--sokcet") && log.contains("--socket"), "{log}");
    assert_eq!(program.wait().code(), Some(2));
}

fn stdin_that_is_closed(_: Transport) {
    let mut program = Program::start("mirror", &[]);
    assert_eq!(program.wait().code(), Some(0));
    let mut program = shell("exec \"$0\" <&-");
    let log = program.rest_of_log().join("\n");
    assert!(!log.contains("panic"), "{log}");
    assert!(program.wait().code().is_some(), "a signal has ended the process");
}

/// Starts the mirror with a shell script. Its input is a pipe.
fn shell(script: &str) -> Program {
    let mut command = Command::new("sh");
    Program::spawn(command.args(["-c", script]).arg(example("mirror")).stdin(Stdio::piped()))
}

fn stdout_that_is_closed(_: Transport) {
    let mut program = Program::spawn(Command::new(example("mirror")).stdin(Stdio::piped()));
    let mut ends = program.pipes();
    drop(ends.output);
    ends.input.write_all(&frame(init_request(&[]))).expect("the other side reads");
    drop(ends.input);
    let log = program.rest_of_log().join("\n");
    assert!(log.contains("writing to Kapacitor failed"), "{log}");
    assert_eq!(program.wait().code(), Some(1));
}

/// Checks that the program serves a connection to its end.
fn serves(mut program: Program) {
    let mut connection = Connection::new(program.pipes());
    init(&mut connection, &[]);
    // The UDF logs a warning for this message.
    connection.send(&[0]).expect("the other side reads");
    echo(&mut connection, 1);
    connection.end_input();
    assert_eq!(connection.rest(), []);
    assert_eq!(program.wait().code(), Some(0));
}

fn stderr_that_is_closed(_: Transport) {
    serves(shell("exec \"$0\" 2>&-"));
}

fn stderr_that_nobody_reads(_: Transport) {
    serves(shell("exec \"$0\" 2>/dev/full"));
    // A pipe whose reader is closed before the program starts.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new("sh");
    let script = "mkfifo \"$1\"; exec 3<>\"$1\" 4>\"$1\" 3<&-; exec \"$0\" 2>&4 4>&-";
    command.args(["-c", script]).arg(example("mirror")).arg(directory.path().join("fifo"));
    serves(Program::spawn(command.stdin(Stdio::piped())));
}

fn a_full_stderr_at_the_end(_: Transport) {
    let mut program = shell("exec \"$0\" 2>/dev/full");
    let mut connection = Connection::new(program.pipes());
    init(&mut connection, &[]);
    connection.ask(Ask::Point(point(1)));
    connection.send(&[2, 0x08, 1]).expect("the other side reads");
    let rest = connection.rest();
    assert!(matches!(&rest[..], [Answer::Point(_), Answer::Error(_)]), "{rest:?}");
    drop(connection);
    assert_eq!(program.wait().code(), Some(1));
}
