//! State between two runs, in a file.

use std::fs;

use rustix::process::Signal;
use tempfile::TempDir;
use udf_tests::cases::PIPE;
use udf_tests::program::Transport;

use crate::cases;
use crate::double::{Asked, Stopped, Telegraf, wait_until};
use crate::pipes::Level;
use crate::udfs::{
    Words, assert_lines, averages, has_python, metrics, moving_avg, of_example, plain, sums,
};

cases! {
    a_stop_and_a_start, PIPE, "With `--state-file`, the output after a stop and a start is the one without a stop.";
    a_stop_and_a_start_of_any_program, PIPE, "The same holds for `udf telegraf` with a UDF in Python.";
    a_reload_with_state, PIPE, "The same holds for reloads, while metrics arrive.";
    a_kill_after_a_signal, PIPE, "SIGTERM saves the state at once: a kill behind it loses only what came after the signal.";
    no_state_file, PIPE, "Without `--state-file`, each run begins without state.";
    two_instances, PIPE, "A second instance runs without the state file. Its warning names `skip_processors_after_aggregators`.";
    a_state_file_that_is_damaged, PIPE, "A file that is cut, changed or another file is refused with one error, and stays as it is.";
    a_state_file_that_does_not_fit, PIPE, "The state of another UDF or of another grouping is refused with an error that names both.";
    a_state_file_that_is_set_aside, PIPE, "With `--bad-snapshot fresh`, such a file is moved to `PATH.unusable`, a warning says so, and the UDF begins without state.";
    a_state_file_that_is_too_old, PIPE, "With `--state-max-age`, the UDF begins without a state that is older, and a warning says so.";
    a_disk_that_is_full, PIPE, "If the state cannot be saved, an error says so, no metric is lost, and the old file stays.";
    a_directory_that_is_missing, PIPE, "A state file in a directory that does not exist is refused at the start, with what to do.";
    a_udf_without_state, PIPE, "A UDF without snapshots runs with `--state-file`, and the log says that there is nothing to save.";
}

/// A directory with a state file.
struct Kept(TempDir);

impl Kept {
    fn new() -> Self {
        Kept(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self) -> String {
        self.0.path().join("udf.state").to_str().expect("the path is text").to_owned()
    }

    /// Returns the command with the state file.
    fn command(&self, udf: impl Fn(&[&str]) -> Words, flags: &[&str]) -> Words {
        udf(&[&["--state-file", &self.path()], flags].concat())
    }

    /// Runs `moving_avg` with metrics of these times.
    fn average(&self, times: std::ops::Range<i64>, flags: &[&str]) -> Stopped {
        let telegraf = Telegraf::start(&self.command(moving_avg, flags));
        // The program may refuse to run.
        for metric in metrics(times) {
            telegraf.write(metric);
        }
        telegraf.stop()
    }

    /// Checks that the program refuses to run. Returns its error.
    #[track_caller]
    fn refuses(&self, command: &Words) -> String {
        let before = fs::read(self.path()).ok();
        let telegraf = Telegraf::start(command);
        let status = telegraf.wait_for_exit(1);
        let stopped = telegraf.stop();
        assert!(stopped.output.is_empty());
        assert!(matches!(status.code(), Some(1 | 2)), "{status}: {:#?}", stopped.log);
        assert_eq!(fs::read(self.path()).ok(), before);
        let [error] = stopped.log_of(Level::Error)[..] else { panic!("{:#?}", stopped.log) };
        assert!(error.contains(&self.path()), "{error}");
        error.to_owned()
    }
}

fn a_stop_and_a_start(_: Transport) {
    for flags in [&[][..], &["--supervise"]] {
        let kept = Kept::new();
        let mut lines = Vec::new();
        for part in 0..3 {
            let stopped = kept.average(500 * part..500 * part + 500, flags);
            lines.extend(stopped.lines().into_iter().map(str::to_owned));
        }
        assert_lines(&lines, &averages(0..1500));
    }
}

fn a_stop_and_a_start_of_any_program(_: Transport) {
    if !has_python() {
        return;
    }
    for flags in [&[][..], &["--supervise"]] {
        let kept = Kept::new();
        let mut lines = Vec::new();
        for part in 0..3 {
            let telegraf = Telegraf::start(&kept.command(|flags| plain(flags, &[]), flags));
            telegraf.write_all(metrics(300 * part..300 * part + 300));
            let stopped = telegraf.stop();
            // Without the totals at the end.
            lines.extend(stopped.lines()[..300].iter().map(|line| (*line).to_owned()));
        }
        assert_lines(&lines, &sums(0..900));
    }
}

fn a_reload_with_state(_: Transport) {
    let kept = Kept::new();
    let mut telegraf = Telegraf::start(&kept.command(moving_avg, &[]));
    for part in 0..5 {
        telegraf.write_all(metrics(200 * part..200 * part + 200));
        telegraf = telegraf.reload();
    }
    assert_lines(&telegraf.stop().lines(), &averages(0..1000));
}

fn a_kill_after_a_signal(_: Transport) {
    for signal in [Signal::INT, Signal::TERM] {
        let kept = Kept::new();
        let telegraf = Telegraf::start(&kept.command(moving_avg, &[]));
        telegraf.write_all(metrics(0..100));
        telegraf.wait_for_lines(100);
        telegraf.signal_group(signal);
        wait_until("the state is saved", || fs::exists(kept.path()).unwrap_or(false));
        telegraf.signal_group(Signal::KILL);
        telegraf.wait_for_exit(1);
        telegraf.stop();
        assert_lines(&kept.average(100..200, &[]).lines(), &averages(0..200)[100..]);
    }
}

fn no_state_file(_: Transport) {
    for _ in 0..2 {
        let telegraf = Telegraf::start(&moving_avg(&[]));
        telegraf.write_all(metrics(0..100));
        assert_lines(&telegraf.stop().lines(), &averages(0..100));
    }
}

fn two_instances(_: Transport) {
    let kept = Kept::new();
    kept.average(0..100, &[]).lines();
    // Telegraf starts both in the same moment. Here, the first one has the file for sure.
    let command = kept.command(moving_avg, &[]);
    let first = Telegraf::start(&command);
    first.wait_for_log(Level::Info, "restored the state");
    let second = Telegraf::start(&command);
    let warning = second.wait_for_log(Level::Warn, "skip_processors_after_aggregators = true");
    assert!(warning.contains(&kept.path()), "{warning}");
    second.write_all(metrics(0..50));
    first.write_all(metrics(100..200));
    assert_lines(&first.stop().lines(), &averages(0..200)[100..]);
    second.write_all(metrics(50..100));
    let stopped = second.stop();
    assert_lines(&stopped.lines(), &averages(0..100));
    assert_eq!(stopped.log_of(Level::Warn).len(), 1, "{:#?}", stopped.log);
    assert_lines(&kept.average(200..300, &[]).lines(), &averages(0..300)[200..]);
}

/// Damages a state file.
fn damage(path: &str, how: usize) {
    let mut bytes = fs::read(path).expect("the file is there");
    let half = bytes.len() / 2;
    match how {
        0 => bytes.truncate(half),
        1 => bytes[half] ^= 4,
        2 => bytes = b"[agent]\n  interval = \"10s\"\n".to_vec(),
        _ => bytes.clear(),
    }
    fs::write(path, bytes).expect("the file is writable");
}

fn a_state_file_that_is_damaged(_: Transport) {
    for how in 0..4 {
        let kept = Kept::new();
        kept.average(0..100, &[]).lines();
        damage(&kept.path(), how);
        let error = kept.refuses(&kept.command(moving_avg, &[]));
        assert!(error.contains("cut or damaged") || error.contains("not a state file"), "{error}");
    }
}

fn a_state_file_that_does_not_fit(_: Transport) {
    let kept = Kept::new();
    kept.average(0..100, &[]).lines();
    let error = kept.refuses(&kept.command(
        |flags| {
            let options = ["-o", "field=value", "-o", "size=10", "--group-by", "*"];
            of_example("moving_avg", &[&options, flags].concat())
        },
        &[],
    ));
    assert!(error.contains("by host;") && error.contains("by all tags"), "{error}");
    let error = kept.refuses(&kept.command(
        |flags| {
            let options = ["-o", "field=value", "--group-by", "host"];
            of_example("rate", &[&options, flags].concat())
        },
        &[],
    ));
    assert!(error.contains("moving_avg") && error.contains("rate"), "{error}");
}

/// Checks that the UDF begins without state. Returns the warning.
#[track_caller]
fn begins_without(kept: &Kept, flags: &[&str]) -> String {
    let before = fs::read(kept.path()).expect("the file is there");
    let stopped = kept.average(0..100, flags);
    assert_lines(&stopped.lines(), &averages(0..100));
    let aside = fs::read(kept.path() + ".unusable").expect("the file was moved aside");
    assert!(aside == before, "another file was moved aside");
    let [warning] = stopped.log_of(Level::Warn)[..] else { panic!("{:#?}", stopped.log) };
    assert!(warning.contains(".unusable"), "{warning}");
    assert_lines(&kept.average(100..200, &[]).lines(), &averages(0..200)[100..]);
    warning.to_owned()
}

fn a_state_file_that_is_set_aside(_: Transport) {
    for how in 0..4 {
        let kept = Kept::new();
        kept.average(500..600, &[]).lines();
        damage(&kept.path(), how);
        begins_without(&kept, &["--bad-snapshot", "fresh"]);
    }
}

fn a_state_file_that_is_too_old(_: Transport) {
    let kept = Kept::new();
    kept.average(500..600, &[]).lines();
    let warning = begins_without(&kept, &["--state-max-age", "1u"]);
    assert!(warning.contains("ago"), "{warning}");
    let kept = Kept::new();
    kept.average(0..100, &[]).lines();
    let stopped = kept.average(100..200, &["--state-max-age", "1h"]);
    assert_lines(&stopped.lines(), &averages(0..200)[100..]);
}

/// Returns the command with the limit that no file grows: each write fails.
fn without_a_disk(command: &Words) -> Words {
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    ["sh", "-c", script].map(str::to_owned).into_iter().chain(command.iter().cloned()).collect()
}

fn a_disk_that_is_full(_: Transport) {
    let kept = Kept::new();
    kept.average(0..100, &[]).lines();
    let before = fs::read(kept.path()).expect("the file is there");
    let telegraf = Telegraf::start(&without_a_disk(&kept.command(moving_avg, &[])));
    telegraf.write_all(metrics(100..200));
    let stopped = telegraf.stop();
    assert_eq!(stopped.after, Asked::EndOfInput);
    assert_lines(&stopped.all_lines(), &averages(0..200)[100..]);
    let errors = stopped.log_of(Level::Error);
    assert!(errors.len() == 1 && errors[0].contains(&kept.path()), "{:#?}", stopped.log);
    assert!(fs::read(kept.path()).expect("the file is there") == before, "the file has changed");
}

fn a_directory_that_is_missing(_: Transport) {
    let kept = Kept::new();
    fs::remove_dir(kept.0.path()).expect("the directory is empty");
    let error = kept.refuses(&kept.command(moving_avg, &[]));
    assert!(error.contains("install -d"), "{error}");
}

fn a_udf_without_state(_: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    let telegraf = Telegraf::start(&kept.command(|flags| plain(flags, &["--forget"]), &[]));
    telegraf.write_all(metrics(0..100));
    let stopped = telegraf.stop();
    assert_lines(&stopped.lines()[..100], &sums(0..100));
    assert!(!fs::exists(kept.path()).unwrap_or(true));
    let log = stopped.log_of(Level::Info);
    assert!(log.iter().any(|line| line.contains("has no state")), "{log:#?}");
}
