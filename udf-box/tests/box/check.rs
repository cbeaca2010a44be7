//! Each UDF passes `udf check`, and its options are sound.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use udf_cli::Target;
use udf_cli::check::{self, CheckSettings, Status};
use udf_host::replay::Replay;
use udf_runtime::EdgeType;

use crate::running::Row;
use crate::series;
use crate::server;
use crate::table::ROWS;

fn check(row: &Row, target: &Target) {
    let lines = series::usual(1, 200).join("\n");
    // All points are in one group, so that a UDF answers after a few points. Batches are short, so
    // that whole ones come before an end.
    let wants_batches = (row.description)().wants == EdgeType::Batch;
    let replay = Replay::default().every(wants_batches.then_some(20_000_000_000));
    let data = replay.read(lines.as_bytes(), 1000).expect("they are points").data;
    let settings =
        CheckSettings::default().options(row.options.iter().map(|option| server::real(option)));
    let settings = settings.within(Duration::from_secs(20)).data(data);
    let report = check::run(target, &settings, &mut |_, _| {}).expect("there is a report");
    let bad = |status| match status {
        Status::Pass | Status::Skip => false,
        // Points do not show whether such a UDF goes on.
        Status::Untested => !row.answers_ticks,
        _ => true,
    };
    let bad: Vec<_> = report.checks.iter().filter(|finding| bad(finding.status)).collect();
    assert!(bad.is_empty(), "{}: {bad:#?}", row.name);
    let least = if row.answers_ticks { 25 } else { 45 };
    assert!(report.passed > least, "{}: {} passed", row.name, report.passed);
}

/// The number of UDFs that are checked at the same time: a check mostly waits.
const AT_ONCE: usize = 6;

fn check_all(target: impl Fn(&Row) -> Target + Sync) {
    let (next, target) = (&AtomicUsize::new(0), &target);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(move || {
                while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(row, &target(row));
                }
            });
        }
    });
}

#[test]
fn every_udf_passes_the_check_as_a_program() {
    check_all(|row| {
        let program = env!("CARGO_BIN_EXE_udfs").into();
        Target::Program { program, args: vec![row.name.into()] }
    });
}

/// A daemon that serves all UDFs, until it is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // The test has succeeded, or reports another failure.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_udf_passes_the_check_in_one_daemon() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_udfs"));
    // A busy machine may take longer than a daemon usually waits for an Init.
    command
        .args(["--init-timeout", "1m"])
        .arg("--socket-dir")
        .arg(directory.path())
        .stdin(Stdio::null());
    let mut daemon = Daemon(command.stderr(Stdio::piped()).spawn().expect("the program starts"));
    let log = daemon.0.stderr.take().expect("stderr is piped");
    let mut log = BufReader::new(log).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("listens on")), "the daemon has exited");
    // The daemon must not block on its log.
    std::thread::spawn(move || log.for_each(drop));
    check_all(|row| Target::Socket(directory.path().join(row.name).with_extension("sock")));
}

#[test]
fn the_options_of_every_udf_are_sound() {
    ROWS.iter().for_each(|row| (row.check)());
}
