//! UDFs that are programs. One of them is `cat`: it sends back its input, and data has the same
//! members in both directions.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{batch, point, quiet, signal, timed};
use udf_host::{Callbacks, Error, Init, Interface, Log, Process};

/// Returns a UDF that is a shell with this script.
fn shell(script: &str) -> Process {
    Process::new("sh").args(["-c", script]).settings(quiet())
}

/// Reads the 3 bytes of the Info request, and answers like a UDF that wants and provides a stream.
const INFO: &str = r#"head -c 3 >/dev/null; printf '\002\012\000'"#;

/// Returns whether a process exists, even as a zombie.
fn exists(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

#[test]
fn a_program_answers_and_exits() {
    let udf = shell(&format!("{INFO}; cat >/dev/null"));
    udf.open().unwrap();
    assert!(udf.info().unwrap().options.is_empty());
    let id = udf.id().unwrap();
    assert!(exists(id));
    udf.close().unwrap();
    assert!(!exists(id));
}

#[test]
fn points_and_batches_come_back_equal() {
    let udf = Process::new("cat").settings(timed(10_000));
    udf.open().unwrap();
    // An echoed Init request decodes as an Init answer without success.
    assert!(matches!(udf.init(Init::default()), Err(Error::InitRefused(_))));
    let (points, batches) = (udf.point_out().unwrap(), udf.batch_out().unwrap());
    udf.point_in().unwrap().send(point(3).as_point()).unwrap();
    assert_eq!(points.recv(), Some(point(3)));
    udf.batch_in().unwrap().send(&batch("cpu", 1_000)).unwrap();
    assert_eq!(batches.recv(), Some(batch("cpu", 1_000)));
    assert_eq!(udf.snapshot().unwrap(), b"");
    udf.close().unwrap();
}

#[test]
fn args_env_and_directory_are_those_of_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(r#"echo "$0 $1 $COLOUR" > here; {INFO}; cat >/dev/null"#);
    let udf = shell(&script).args(["zero", "one"]).env("COLOUR", "blue");
    let udf = udf.current_dir(directory.path());
    udf.open().unwrap();
    udf.info().unwrap();
    udf.close().unwrap();
    let written = std::fs::read_to_string(directory.path().join("here")).unwrap();
    assert_eq!(written, "zero one blue\n");
}

#[test]
fn a_program_that_is_not_there() {
    let udf = Process::new("/nowhere/udf");
    let error = udf.open().unwrap_err();
    assert!(error.to_string().starts_with("cannot start the program `/nowhere/udf`"));
    assert!(matches!(udf.info(), Err(Error::Spawn { .. })));
}

#[test]
fn what_is_not_open_takes_nothing_and_what_is_open_stays() {
    let udf = Process::new("cat").settings(quiet());
    assert!(matches!(udf.info(), Err(Error::NotStarted)));
    assert!(matches!(udf.close(), Err(Error::NotStarted)));
    assert!(udf.point_in().is_err());
    udf.open().unwrap();
    assert!(matches!(udf.open(), Err(Error::AlreadyStarted)));
    udf.close().unwrap();
}

#[test]
fn an_exit_in_use_is_told_with_its_status() {
    let udf = shell("head -c 3 >/dev/null; exit 3");
    udf.open().unwrap();
    let error = udf.info().unwrap_err();
    assert_eq!(error.to_string(), "process exited unexpectedly: exit status: 3");
    assert!(matches!(udf.close().unwrap_err(), Error::Exited { .. }));
}

#[test]
fn what_it_wrote_to_stderr_is_told_with_an_exit() {
    let go = "panic: out of luck\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x2d";
    let udf = shell(&format!("head -c 3 >/dev/null; echo '{go}' >&2; exit 2"));
    udf.open().unwrap();
    let expected = "process exited unexpectedly: exit status: 2; \
                    it wrote to stderr: panic: out of luck";
    assert_eq!(udf.info().unwrap_err().to_string(), expected);
}

#[test]
fn text_on_stdout_is_told() {
    let udf = shell(&format!("echo starting up; {INFO}; cat >/dev/null"));
    udf.open().unwrap();
    let error = udf.info().unwrap_err();
    assert!(matches!(&error, Error::Text(text) if text == "starting up"), "{error}");
}

#[test]
fn a_crash_within_a_message_tells_both() {
    let udf = shell("head -c 3 >/dev/null; printf '\\020\\012\\016abc'; kill -9 $$");
    udf.open().unwrap();
    let error = udf.info().unwrap_err().to_string();
    assert!(error.starts_with("process exited unexpectedly: signal: 9 (SIGKILL) ("), "{error}");
    assert!(error.contains("within a message"), "{error}");
}

#[test]
fn an_exit_at_the_end_that_is_no_success() {
    let udf = shell("cat >/dev/null; exit 4");
    udf.open().unwrap();
    let error = udf.close().unwrap_err();
    assert_eq!(error.to_string(), "process exited unexpectedly: exit status: 4");
}

#[test]
fn a_panic_of_the_log_is_an_error() {
    let callbacks = Callbacks::new().on_log(|_| panic!("this is expected"));
    // Without the kill, the program would block in its own logging if stderr were not read, or keep
    // answering.
    let udf = shell("echo up >&2; cat >/dev/null").callbacks(callbacks);
    udf.open().unwrap();
    let error = udf.info().unwrap_err();
    assert_eq!(error.to_string(), "the thread that logs the stderr of the UDF panicked");
    assert!(matches!(udf.close(), Err(Error::Panicked(_))));
}

/// Collects lines of stderr, or pieces of them, each with whether the line continues.
type Lines = Arc<Mutex<Vec<(String, bool)>>>;

fn collect() -> (Callbacks, Lines) {
    let lines = Lines::default();
    let log = lines.clone();
    let callbacks = Callbacks::new().on_log(move |line| {
        if let Log::Stderr { line, cut } = line {
            log.lock()
                .expect("no thread panics while it holds the lock")
                .push((line.to_string(), *cut));
        }
    });
    (callbacks, lines)
}

#[test]
fn lines_of_stderr_are_logged_until_the_last() {
    let (callbacks, lines) = collect();
    let udf = shell(r#"printf 'one\r\n\ntwo \377\nlast' >&2; cat >/dev/null"#).callbacks(callbacks);
    udf.open().unwrap();
    udf.close().unwrap();
    let lines = lines.lock().unwrap().clone();
    assert_eq!(lines, ["one", "", "two \u{fffd}", "last"].map(|line| (line.to_owned(), false)));
}

#[test]
fn a_line_of_any_length_comes_in_pieces() {
    let (callbacks, lines) = collect();
    // 300,001 bytes: one byte and then characters of two bytes, so that a piece could cut a
    // character.
    let long = "printf x; head -c 300000 /dev/zero | sed 's/\\x00\\x00/\u{e9}/g'; echo; echo short";
    let udf = shell(&format!("({long}) >&2; cat >/dev/null")).callbacks(callbacks);
    udf.open().unwrap();
    udf.close().unwrap();
    let lines = lines.lock().unwrap().clone();
    let (short, long) = lines.split_last().unwrap();
    assert_eq!(*short, ("short".to_owned(), false));
    assert!(long.iter().all(|(piece, _)| piece.len() <= 64 << 10));
    let (last, before) = long.split_last().unwrap();
    assert!(before.len() > 3 && before.iter().all(|(_, cut)| *cut) && !last.1);
    let whole: String = long.iter().map(|(piece, _)| piece.as_str()).collect();
    assert_eq!(whole, format!("x{}", "\u{e9}".repeat(150_000)));
}

#[test]
fn stderr_is_read_without_a_log_too() {
    // More than fits into a pipe.
    let udf = shell("head -c 1000000 /dev/zero >&2; cat >/dev/null");
    udf.open().unwrap();
    udf.close().unwrap();
}

#[test]
fn a_program_that_ignores_its_abort_is_killed() {
    let (killed, kill) = signal();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let udf = Process::new("sleep").args(["1000"]).settings(timed(50)).callbacks(callbacks);
    udf.open().unwrap();
    let id = udf.id().unwrap();
    let error = udf.info().unwrap_err();
    assert!(matches!(error, Error::KeepaliveTimedout { .. }), "{error}");
    kill.wait("the kill callback");
    assert!(matches!(udf.close().unwrap_err(), Error::KeepaliveTimedout { .. }));
    assert!(!exists(id));
}

#[test]
fn a_program_that_closes_its_side_and_stays_is_killed() {
    let settings = quiet().close_within(Duration::from_secs(1));
    let udf =
        Process::new("sh").args(["-c", "cat >/dev/null; exec sleep 1000 >&-"]).settings(settings);
    udf.open().unwrap();
    let id = udf.id().unwrap();
    let error = udf.close().unwrap_err();
    assert!(matches!(error, Error::NeverExits { .. }), "{error}");
    assert!(!exists(id));
}

#[test]
fn a_program_that_is_dropped_is_killed_and_leaves_no_zombie() {
    let udf = Process::new("sleep").args(["1000"]).settings(quiet());
    udf.open().unwrap();
    let id = udf.id().unwrap();
    drop(udf);
    assert!(!exists(id));
}

#[test]
fn an_abort_from_outside_is_the_error_of_all() {
    let udf = Arc::new(Process::new("cat").settings(timed(10_000)));
    udf.open().unwrap();
    udf.abort(Error::Aborted("the task was deleted".into()));
    assert_eq!(udf.info().unwrap_err().to_string(), "the task was deleted");
    assert_eq!(udf.close().unwrap_err().to_string(), "the task was deleted");
}

#[test]
fn two_threads_that_call_at_once_are_both_answered() {
    let udf = Arc::new(Process::new("cat").settings(quiet()));
    udf.open().unwrap();
    let callers = [(); 2].map(|()| {
        let udf = udf.clone();
        std::thread::spawn(move || (0..100).all(|_| udf.snapshot().is_ok()))
    });
    for caller in callers {
        assert!(caller.join().unwrap());
    }
    udf.close().unwrap();
}
