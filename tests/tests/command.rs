//! The command `udf`: its stdout, its stderr and its exit status.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use udf_cli::Target;
use udf_tests::process::{children, state};
use udf_tests::program::{Program, example, wait_until};

const PEER: &str = env!("CARGO_BIN_EXE_faulty_peer");

/// Runs `udf`. Returns the exit status, stdout and stderr.
fn udf(args: &[&str]) -> (i32, String, String) {
    output(Command::new(env!("CARGO_BIN_EXE_udf_command")).args(args))
}

fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
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

/// Waits until a process has started a child, and returns it.
fn child_of(pid: u32) -> u32 {
    let mut found = None;
    wait_until("there is a child", || {
        found = children(pid).first().copied();
        found.is_some()
    });
    found.expect("there is a child")
}

#[test]
fn a_udf_ends_with_the_command() {
    let points = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/cpu.lp");
    let script = ["--", "sh", "-c", "sleep 3600; exit"];
    for (args, signal) in [
        (&["info"][..], Signal::TERM),
        (&["replay", points], Signal::HUP),
        (&["play", points, "--no-open"], Signal::TERM),
        (&["play", points, "--no-open"], Signal::INT),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"))
            .args(args)
            .args(script)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command runs");
        // None of them reads its input, or answers.
        let shell = child_of(command.id());
        let sleep = child_of(shell);
        let pid = Pid::from_child(&command);
        kill_process(pid, signal).expect("the command runs");
        let status = command.wait().expect("it ends");
        assert_eq!(status.signal(), Some(signal.as_raw()), "{args:?}");
        for pid in [shell, sleep] {
            wait_until("it ends", || matches!(state(pid), None | Some('Z')));
        }
    }
}

#[test]
fn a_signal_that_a_shell_ignores_does_not_end_the_command() {
    // The command ends by the second signal.
    let udf = env!("CARGO_BIN_EXE_udf_command");
    let mut command = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" info -- sleep 3600", udf])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command runs");
    let sleep = child_of(command.id());
    let pid = Pid::from_child(&command);
    for signal in [Signal::HUP, Signal::TERM] {
        kill_process(pid, signal).expect("the command runs");
    }
    assert_eq!(command.wait().expect("it ends").signal(), Some(Signal::TERM.as_raw()));
    wait_until("it ends", || matches!(state(sleep), None | Some('Z')));
}

#[test]
fn the_log_of_a_udf_that_says_nothing_is_shown() {
    let (status, stdout, stderr) = udf(&["info", "--", PEER, "dies_of_info"]);
    assert_eq!((status, &*stdout), (1, ""));
    let expected = "no such file: model.bin\n\
                    error: process exited unexpectedly: exit status: 5; \
                    it wrote to stderr: no such file: model.bin\n";
    assert_eq!(stderr, expected);
}

#[test]
fn a_program_whose_status_the_system_does_not_tell_has_exited() {
    // A parent that ignores SIGCHLD passes this setting on to its children.
    let udf = |args: &[&str]| {
        let udf = env!("CARGO_BIN_EXE_udf_command");
        output(Command::new("env").args(["--ignore-signal=CHLD", udf]).args(args))
    };
    let (status, stdout, stderr) = udf(&["info", "--", PEER, "none"]);
    assert_eq!((status, &*stderr), (0, ""));
    assert!(stdout.starts_with("faulty_peer: reads a stream"), "{stdout}");

    let unknown =
        "exit status unknown: SIGCHLD is ignored, or other code has waited for the program";
    let (status, _, stderr) = udf(&["info", "--", PEER, "dies_of_info"]);
    let error = format!(
        "error: process exited unexpectedly: {unknown}; \
         it wrote to stderr: no such file: model.bin"
    );
    assert_eq!((status, stderr.lines().last()), (1, Some(&*error)), "{stderr}");

    let only = ["--only", "closes_at_end,exit_status,abrupt_end", "-o", "field=x"];
    let (status, stdout, stderr) = udf(&[&["check"], &only[..], &["--", PEER, "none"]].concat());
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.contains(&format!("-> {unknown}\n")), "{stdout}");
    assert!(stdout.ends_with(": 2 passed, 0 warnings, 0 failed, 1 skipped\n"), "{stdout}");
}

/// Writes a UDF that is a shell script. Returns its path.
fn script(directory: &Path, text: &str) -> String {
    let path = directory.join("my_udf.sh");
    std::fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("a path of this machine").to_owned()
}

/// Returns the error of each command for this UDF: from stderr, or from the report of `check`.
fn errors(script: &str) -> Vec<String> {
    let points = format!("{script}.lp");
    std::fs::write(&points, "m usage=1 1\n").expect("a file can be written");
    let commands: [&[&str]; 4] =
        [&["info"], &["replay", &points], &["bench"], &["check", "--only", "info_answered"]];
    let errors = commands.into_iter().map(|args| {
        let (status, stdout, stderr) = udf(&[args, &["--", "/bin/sh", script]].concat());
        assert_eq!(status, 1, "{args:?}: {stderr}");
        if args[0] == "check" { stdout } else { stderr }
    });
    errors.collect()
}

#[test]
fn every_command_names_text_on_stdout() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The text looks like the start of a frame of 115 bytes, which never arrives.
    let script = script(directory.path(), "echo starting up\nexec cat >/dev/null\n");
    for said in errors(&script) {
        let expected = "printed text where only protocol frames may go: `starting up`; \
                        print to stderr, not to stdout";
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn every_command_names_the_line_of_a_panic() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let panic = "cat >&2 <<'END'\npanic: out of luck\n\ngoroutine 1 [running]:\nmain.main()\n\
                 \t/src/main.go:12 +0x2d\nEND\nexit 2\n";
    let script = script(directory.path(), panic);
    for said in errors(&script) {
        let error = said.lines().find(|line| line.contains("exit status: 2"));
        let error = error.unwrap_or_else(|| panic!("no exit status in {said}"));
        assert!(error.ends_with("; it wrote to stderr: panic: out of luck"), "{error}");
    }
}

#[test]
fn info_is_over_when_its_time_is() {
    // The program does not exit at the end of its input.
    let silent = Target::Program { program: "sleep".into(), args: vec!["600".into()] };
    let error = silent.info_within(Duration::from_millis(100)).expect_err("it says nothing");
    let error = error.to_string();
    assert!(error.contains("for 100ms") || error.contains("within 100ms"), "{error}");
}

#[test]
fn of_a_long_log_the_end_is_shown() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = "seq 30000 >&2; echo 'no such file: model.bin' >&2; exit 5";
    let (status, _, stderr) = udf(&["info", "--", "sh", &script(directory.path(), log)]);
    assert_eq!(status, 1);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines[lines.len() - 3..lines.len() - 1], ["30000", "no such file: model.bin"]);
    assert!(stderr.len() < 100_000, "{} bytes", stderr.len());
}

#[test]
fn info_names_the_script_and_where_both_are() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = script(
        directory.path(),
        "head -c 3 >/dev/null; printf '\\002\\012\\000'; cat >/dev/null\n",
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"));
    command.args(["info", "--", "sh", "my_udf.sh", "my_udf.sh"]);
    let output = command.current_dir(directory.path()).stdin(Stdio::null()).output();
    let output = output.expect("the command runs");
    let stdout = String::from_utf8(output.stdout).expect("the output is UTF-8");
    assert!(
        stdout.starts_with("my_udf: reads a stream and sends a stream\n"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let section =
        stdout.split_once("[udf.functions.my_udf]\n  prog = \"").expect("the output contains it").1;
    let (shell, rest) = section.split_once('"').expect("it is quoted");
    assert!(shell.starts_with('/') && shell.ends_with("/sh"), "{shell}");
    let args = format!("\n  args = [\"{script}\", \"my_udf.sh\"]\n");
    assert!(rest.starts_with(&args), "{rest}");
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
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("valid JSON");
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

#[test]
fn check_sends_the_points_of_a_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("points.lp");
    let path = file.to_str().expect("a path of this machine");
    let write = |lines: &str| std::fs::write(&file, lines).expect("a file can be written");
    let check = |args: &[&str]| {
        let only = ["check", "--only", "data_handled", "-o", "field=x"];
        udf(&[&only[..], args, &["--", PEER, "wants_temperature"]].concat())
    };
    write("room,name=attic temperature=19.5 1\nroom,name=hall temperature=21 2\n");
    let (status, stdout, stderr) = check(&["--points", path, "--group-by", "name"]);
    assert_eq!((status, &*stderr), (0, ""));
    assert!(stdout.ends_with("1 passed, 0 warnings, 0 failed, 0 skipped\n"), "{stdout}");
    let (status, stdout, _) = check(&[]);
    assert_eq!(status, 0, "a warning is no failure");
    assert!(stdout.contains("pass points that the UDF answers with --points FILE"), "{stdout}");

    // Read as nanoseconds, these times are in the year 1970.
    write("room,name=attic temperature=19.5 1700000000\n");
    let (_, _, stderr) = check(&["--points", path]);
    let note = "note: all times were read as nanoseconds and are in January 1970; \
                they look like seconds: use --precision s\n";
    assert_eq!(stderr, note);
    let (status, _, stderr) = check(&["--points", path, "--precision", "s"]);
    assert_eq!((status, &*stderr), (0, ""));

    write("room temperature=19.5 1\nroom temperature\n");
    let (status, _, stderr) = check(&["--points", path]);
    assert_eq!(status, 1);
    assert!(stderr.starts_with(&format!("error: cannot read `{path}`: line 2: ")), "{stderr}");
    write("# none\n");
    let (status, _, stderr) = check(&["--points", path]);
    assert_eq!(status, 1);
    assert_eq!(stderr, format!("error: cannot read `{path}`: there are no points in it\n"));
}

#[test]
fn check_reads_what_replay_reads() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).expect("a file can be written");
        file.to_str().expect("a path of this machine").to_owned()
    };
    let lines =
        write("points.lp", "room,name=attic temperature=19 1\nroom,name=hall temperature=21 2\n");
    // A recording of points: the source, and then the line.
    let recorded = "sensors\nautogen\nroom,name=attic temperature=19 1\n";
    let stream = write("points.srpl", recorded);
    let batches = write(
        "batches.brpl",
        r#"{"name":"room","tags":{"name":"attic"},"points":[{"fields":{"temperature":19},"time":"1970-01-01T00:00:01Z","tags":{"name":"attic"}}],"tmax":"1970-01-01T00:00:02Z"}"#,
    );
    let check = |args: &[&str], peer: &[&str]| {
        let only = ["check", "--only", "data_handled", "-o", "field=x", "--points"];
        udf(&[&only[..], args, &["--", PEER, "wants_temperature"], peer].concat())
    };
    for (args, peer) in [
        (&[&*lines, "--by-name"][..], &[][..]),
        (&[&lines, "--every", "1s"], &["--batch"]),
        (&[&stream], &[]),
        (&[&batches], &["--batch"]),
    ] {
        let (status, stdout, stderr) = check(args, peer);
        assert_eq!((status, &*stderr), (0, ""), "{args:?}");
        assert!(stdout.contains(": 1 passed, 0 warnings, 0 failed, "), "{args:?}: {stdout}");
    }
    let (_, _, stderr) = check(&[&lines, "--group-by", "nmae"], &[]);
    let note = "note: the points were grouped by the tag `nmae`, but no point has it; did you mean `name`?\n";
    assert_eq!(stderr, note);
    for (args, expected) in [
        (
            &[&*lines, "--every", "1s"][..],
            "--every is for UDFs that want batches, and this UDF wants a stream",
        ),
        (&[&batches], "the points are a recording of batches, and this UDF wants a stream"),
        (
            &[&batches, "--group-by", "name"],
            "groups of their own; leave --group-by and --by-name out",
        ),
        (&[&batches, "--every", "1s"], "windows of their own; leave --every out"),
    ] {
        let (status, stdout, stderr) = check(args, &[]);
        assert_eq!((status, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{args:?}: {stderr}");
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
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("valid JSON");
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

    let folder = tempfile::tempdir().expect("a temporary directory");
    let picture = folder.path().join("bench.svg");
    let plot = ["bench", "--plot", picture.to_str().expect("a path of this machine")];
    let (status, stdout, _) = udf(&[&plot[..], &short[..], &target[..]].concat());
    assert_eq!(status, 0);
    let picture = fs::read_to_string(picture).expect("it was drawn");
    for text in ["faulty_peer over pipes", "large writes, 1 connection", "Round trips of a point"] {
        assert!(picture.contains(text), "{text}: {picture}");
    }
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
        (&["check", "--timeout", "0s", "--", PEER], "must be greater than zero"),
        (&["check", "--group-by", "host", "--", PEER], "--points <FILE>"),
        (&["check", "--precision", "s", "--", PEER], "--points <FILE>"),
        (&["check", "--every", "10s", "--", PEER], "--points <FILE>"),
        (
            &["check", "--only", "all", "--", PEER],
            "error: there is no check `all`; the checks are ",
        ),
        (
            &["check", "-o", "sise=3", "--", PEER],
            "error: there is no option `sise`; did you mean `size`?",
        ),
        (&["bench", "-o", "size=x", "--", PEER], "`x` is not a valid INT"),
        (&["bench", "--connections", "0", "--", PEER], "1..=1024"),
        (&["bench", "--plot", "bench.png", "--", PEER], "the name must end in `.svg`"),
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
        assert!(stderr.starts_with("error: cannot start the program `/no/such/udf`: "), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
