//! `udf check` as a library: the examples pass, and every fault of a UDF is reported by the check
//! for it.

mod faults;
mod reports;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use udf_cli::Target;
use udf_cli::check::{self, CheckSettings, Report, Status};
use udf_host::replay::{Data, Replay};
use udf_tests::program::{Program, example};
use udf_text::line_protocol::Grouping;

/// The timeout for UDFs that do not hang, even on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// Runs `check` for all items at once: a report mostly waits.
fn at_once<T: Sync>(all: &[T], check: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        let check = &check;
        let threads: Vec<_> = all.iter().map(|one| scope.spawn(move || check(one))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a check has failed"));
    });
}

fn peer(args: &[&str]) -> Target {
    Target::Program {
        program: env!("CARGO_BIN_EXE_faulty_peer").into(),
        args: args.iter().map(Into::into).collect(),
    }
}

fn settings(options: &[&str], within: Duration, only: &[&str]) -> CheckSettings {
    CheckSettings::default()
        .options(options.iter().copied())
        .within(within)
        .only(only.iter().copied())
}

fn checked(target: &Target, settings: &CheckSettings) -> Report {
    check::run(target, settings, &mut |_, _| {}).expect("there is a report")
}

#[track_caller]
fn assert_all_pass(report: &Report) {
    let bad = |status| status != Status::Pass && status != Status::Skip;
    let bad: Vec<_> = report.checks.iter().filter(|finding| bad(finding.status)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(report.passed > 45, "{} passed", report.passed);
}

/// The user's own points. Sample points would show nothing about `mirror`, which sends them back
/// unchanged, as a UDF does that skips points.
fn own_points() -> Data {
    let host = |number: usize| ["a", "b", "c"][number % 3];
    let lines = (0..60).map(|number| {
        // Peaks, for a UDF that looks for outliers.
        let usage = if number % 20 == 10 { 100 } else { number % 7 };
        format!("cpu,host={} usage={usage}.5 {}\n", host(number), number + 1)
    });
    let replay = Replay::default().grouping(Grouping::by_all_tags());
    replay.read(lines.collect::<String>().as_bytes(), 100).expect("they are points").data
}

const EXAMPLES: [(&str, &[&str]); 4] = [
    ("mirror", &[]),
    ("moving_avg", &["field=usage", "size=10"]),
    ("outliers", &["field=usage"]),
    ("rate", &["field=usage"]),
];

#[test]
fn every_example_passes_as_a_program() {
    at_once(&EXAMPLES, |(name, options)| {
        let report = checked(
            &Target::program(example(name)),
            &settings(options, LONG, &[]).data(own_points()),
        );
        assert_all_pass(&report);
        assert_eq!(report.finding("others_unharmed").unwrap().status, Status::Skip);
    });
}

#[test]
fn every_example_passes_as_a_daemon() {
    at_once(&EXAMPLES, |(name, options)| {
        let daemon = Program::daemon(name, &[]);
        let target = Target::Socket(daemon.socket().to_owned());
        let report = checked(&target, &settings(options, LONG, &[]).data(own_points()));
        assert_all_pass(&report);
        assert_eq!(report.finding("exit_status").unwrap().status, Status::Skip);
    });
}

/// A faulty peer that listens on a socket.
struct Daemon {
    child: Child,
    directory: TempDir,
}

impl Daemon {
    fn start(args: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_faulty_peer"));
        command.args(args).arg("--socket").arg(directory.path().join("s"));
        let child = command.stderr(Stdio::null()).spawn().expect("the peer starts");
        let daemon = Daemon { child, directory };
        let started = Instant::now();
        while std::os::unix::net::UnixStream::connect(daemon.path()).is_err() {
            assert!(started.elapsed() < LONG, "the daemon does not listen");
            std::thread::yield_now();
        }
        daemon
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The peer may have exited already, as a part of its fault.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const OPTIONS: [&str; 2] = ["field=usage", "size=3"];

#[test]
fn a_peer_without_a_fault_passes() {
    at_once(&[&["none"][..], &["none", "--batch"]], |args| {
        assert_all_pass(&checked(&peer(args), &settings(&OPTIONS, LONG, &[])));
    });
    at_once(&[&["none"][..], &["none", "--batch"]], |args| {
        let daemon = Daemon::start(args);
        let target = Target::Socket(daemon.path());
        assert_all_pass(&checked(&target, &settings(&OPTIONS, LONG, &[])));
    });
}

#[test]
fn a_udf_that_hangs_everywhere_does_not_hang_the_report() {
    let started = Instant::now();
    for fault in ["no_info", "deaf", "never_closes"] {
        let report = checked(&peer(&[fault]), &settings(&OPTIONS, Duration::from_millis(100), &[]));
        assert_eq!(report.checks.len(), check::names().count());
        assert!(report.failed > 0, "{fault}");
    }
    assert!(started.elapsed() < 3 * LONG, "{:?}", started.elapsed());
}

#[test]
fn what_is_wrong_on_the_way_to_a_report_is_an_error() {
    let error = |target: &Target, settings: &CheckSettings| {
        check::run(target, settings, &mut |_, _| {}).expect_err("there is no report").to_string()
    };
    let target = peer(&["none"]);
    let text = error(&target, &settings(&["sise=3"], LONG, &[]));
    assert_eq!(text, "there is no option `sise`; did you mean `size`?");
    let text = error(&target, &settings(&[], LONG, &["info"]));
    assert!(text.starts_with("there is no check `info`; the checks are info_answered, "), "{text}");
    let text = error(&Target::program("/no/such/program"), &settings(&[], LONG, &[]));
    assert!(text.contains("cannot start the program `/no/such/program`"), "{text}");
    let text = error(&Target::Socket("/no/such/socket".into()), &settings(&[], LONG, &[]));
    assert!(text.starts_with("cannot connect to the socket `/no/such/socket`"), "{text}");
}

const REPORT: &str = "\
start
  pass  info_answered      Kapacitor does not start until every configured UDF has answered Info

options
  FAIL  any_task_name      a task may have any name
                           -> it refused a task with an empty name: a task must have a name

end
  skip  exit_status        any status but 0 turns the end of a task into a failure
                           -> it is a daemon; this check is for programs that Kapacitor spawns

5 checks of s: 3 passed, 0 warnings, 1 failed, 1 skipped
";

#[test]
fn a_report_reads_like_this() {
    let daemon = Daemon::start(&["picky_about_names"]);
    let only = ["exit_status", "any_task_name", "info_answered", "abrupt_end", "refusal_explained"];
    let report = checked(&Target::Socket(daemon.path()), &settings(&OPTIONS, LONG, &only));
    let text = report.to_text(false);
    let shown: String = text
        .lines()
        .filter(|line| !line.contains("abrupt_end") && !line.contains("refusal_explained"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(shown, REPORT);
    assert!(report.to_text(true).contains("\u{1b}["), "it has colours on a terminal");
}
