//! The command `udf`: what it prints where, and its exit status.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use udf_tests::program::{Program, example};

const PEER: &str = env!("CARGO_BIN_EXE_faulty_peer");

/// Exit status, stdout and stderr.
fn udf(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"));
    let output = command.args(args).stdin(Stdio::null()).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("it prints text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn info_describes_a_program_and_a_daemon() {
    let mirror = example("mirror");
    let path = mirror.to_str().expect("a path of this machine");
    let (status, stdout, stderr) = udf(&["info", "--", path, "--log", "debug"]);
    assert_eq!((status, &*stderr), (0, ""), "its log is of no use when all went well");
    assert!(stdout.starts_with("mirror: reads a stream and sends a stream\n"), "{stdout}");
    assert!(
        stdout.contains(&format!("prog = \"{path}\"\n  args = [\"--log\", \"debug\"]")),
        "{stdout}"
    );
    assert!(!stdout.contains("socket ="), "whether it can be a daemon is not known: {stdout}");

    let daemon = Program::daemon("mirror", &[]);
    let path = daemon.socket().to_str().expect("a path of this machine");
    let (status, stdout, _) =
        udf(&["info", "--format", "toml", "--name", "glass", "--socket", path]);
    assert_eq!(status, 0);
    assert!(stdout.contains(&format!("[udf.functions.glass]\n  socket = \"{path}\"")), "{stdout}");
    assert!(!stdout.contains("prog"), "{stdout}");
}

#[test]
fn the_log_of_a_udf_that_says_nothing_is_shown() {
    let (status, stdout, stderr) = udf(&["info", "--", PEER, "dies_of_info"]);
    assert_eq!((status, &*stdout), (1, ""));
    let expected = "no such file: model.bin\nerror: process exited unexpectedly: exit status: 5\n";
    assert_eq!(stderr, expected);
}

#[test]
fn replay_plays_a_file_to_a_program_and_passes_its_log_on() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("points.lp");
    std::fs::write(&file, "m,h=a usage=1 1\nm,h=a usage=3 2\n").expect("a file can be written");
    let file = file.to_str().expect("a path of this machine");
    let args = ["-o", "field=usage", "-o", "size=2", "--", PEER, "logs_each_point"];
    let (status, stdout, stderr) = udf(&[&["replay", file, "--group-by", "h"], &args[..]].concat());
    assert_eq!(
        (status, &*stdout),
        (0, "m,h=a usage=1.0,seen=1i 1\nm,h=a usage=3.0,seen=2i 2\n"),
        "{stderr}"
    );
    assert_eq!(stderr, "a point of h=a\na point of h=a\n");
}

#[test]
fn check_prints_a_report_and_fails_when_a_check_does() {
    let only = ["--only", "info_answered,any_task_name", "-o", "field=x"];
    let (status, stdout, stderr) = udf(&[&["check"], &only[..], &["--", PEER, "none"]].concat());
    assert_eq!((status, &*stderr), (0, ""));
    let summary = "2 checks of faulty_peer: 2 passed, 0 warnings, 0 failed, 0 skipped";
    assert_eq!(stdout.lines().last(), Some(summary));
    assert!(!stdout.contains('\u{1b}'), "colours are for terminals");

    let (status, stdout, stderr) =
        udf(&[&["check", "--format", "json"], &only[..], &["--", PEER, "picky_about_names"]]
            .concat());
    assert_eq!((status, &*stderr), (1, "error: a check failed\n"));
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!(report["transport"], "pipe");
    assert_eq!((&report["wants"], &report["failed"]), (&"STREAM".into(), &1.into()));
    let finding = &report["checks"][1];
    assert_eq!((&finding["name"], &finding["status"]), (&"any_task_name".into(), &"fail".into()));
    assert!(finding["found"].as_str().expect("it says why").ends_with("a task must have a name"));
    assert!(report["checks"][0]["found"].is_null());
    for key in ["group", "meaning"] {
        assert!(finding[key].is_string(), "{key}");
    }
}

fn keys(value: &serde_json::Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn bench_prints_every_number() {
    let short = ["--time", "400ms", "--rounds", "1"];
    let target = ["-o", "field=x", "--", PEER, "none"];
    let (status, stdout, stderr) =
        udf(&[&["bench", "--connections", "2", "--format", "json"], &short[..], &target[..]]
            .concat());
    assert_eq!((status, &*stderr), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("it is JSON");
    let expected =
        ["batch_points", "point_bytes", "provides", "rounds", "rows", "transport", "udf", "wants"];
    assert_eq!(keys(&report), BTreeSet::from(expected));
    let expected = [
        "connections",
        "cpu_seconds_per_million_points",
        "echo_latency_us",
        "echo_points_per_second",
        "latency_of",
        "latency_us",
        "peak_memory_bytes",
        "points_per_second_in",
        "points_per_second_out",
        "ratio_to_echo",
        "writes",
    ];
    let rows = report["rows"].as_array().expect("a list");
    let loads: Vec<_> =
        rows.iter().map(|row| (row["writes"].as_str(), row["connections"].as_u64())).collect();
    let load = |writes, connections| (Some(writes), Some(connections));
    assert_eq!(
        loads,
        [load("kapacitor", 1), load("large", 1), load("kapacitor", 2), load("large", 2)]
    );
    for row in rows {
        assert_eq!(keys(row), BTreeSet::from(expected));
        assert_eq!(keys(&row["latency_us"]), BTreeSet::from(["max", "p50", "p99"]));
        assert!(row["points_per_second_in"].as_f64() > Some(0.0), "{row}");
    }

    let (status, stdout, _) = udf(&[&["bench"], &short[..], &target[..]].concat());
    assert_eq!(status, 0);
    let title = "faulty_peer over pipes: a stream of points of 250 bytes; 1 round\n";
    assert!(stdout.starts_with(title), "{stdout}");
    for head in ["of echo", "p99", "CPU s/million points"] {
        assert!(stdout.contains(head), "{stdout}");
    }
}

#[test]
fn wrong_usage_is_status_2() {
    for (args, expected) in [
        (&[][..], "requires a subcommand"),
        (&["info"], "--socket <PATH>|PROGRAM"),
        (&["info", "--socket", "/x", "--", "mirror"], "cannot be used with"),
        (&["check", "--timeout", "0s", "--", PEER], "longer than nothing"),
        (
            &["check", "--only", "all", "--", PEER],
            "error: there is no check `all`; the checks are ",
        ),
        (
            &["check", "-o", "sise=3", "--", PEER],
            "error: there is no option `sise`; did you mean `size`?",
        ),
        (&["bench", "-o", "size=x", "--", PEER], "`x` is no INT"),
        (&["bench", "--connections", "0", "--", PEER], "1..=1024"),
    ] {
        let (status, stdout, stderr) = udf(args);
        assert_eq!((status, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
}

#[test]
fn a_udf_that_is_not_there_is_status_1_in_one_line() {
    for command in ["info", "check", "bench"] {
        let (status, stdout, stderr) = udf(&[command, "--", "/no/such/udf"]);
        assert_eq!((status, &*stdout), (1, ""), "{stderr}");
        assert!(
            stderr.starts_with("error: the program `/no/such/udf` could not be started: "),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
