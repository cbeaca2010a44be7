//! The command lines of a supervised UDF, and its workers with a parent that is not a supervisor.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use udf_proto::Value;
use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::program::{Connection, Program, TIMEOUT, example, frame};

const UDF: &str = env!("CARGO_BIN_EXE_udf_command");
const WAITING: &str = env!("CARGO_BIN_EXE_waiting");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// Returns the exit status, stdout and stderr.
fn run(program: impl AsRef<Path>, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(program.as_ref()).args(args).stdin(Stdio::null()).output();
    let output = output.expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn a_program_that_cannot_run_is_found_at_the_start() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let plain = directory.path().join("plain.txt");
    std::fs::write(&plain, "").expect("a file can be written");
    let missing = directory.path().join("missing");
    let text = |path: &Path| path.to_str().expect("a path of this machine").to_owned();
    for (program, why) in [
        (text(&missing), "No such file"),
        ("no-such-program-in-path".to_owned(), "No such file"),
        (text(&plain), "Permission denied"),
        (text(directory.path()), "it is not a file"),
    ] {
        let (status, stdout, stderr) = run(UDF, &["supervise", "--", &program]);
        assert_eq!((status, &*stdout), (2, ""), "{stderr}");
        assert!(
            stderr.starts_with(&format!("error: cannot run the UDF {program}: {why}")),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (status, _, stderr) = run(UDF, &["supervise"]);
    assert!(status == 2 && stderr.contains("<PROGRAM>..."), "{stderr}");
}

#[test]
fn udf_supervise_has_the_arguments_of_a_daemon_and_of_supervision() {
    let arguments = |help: &str| -> Vec<String> {
        let words = help.lines().filter_map(|line| line.split_whitespace().next());
        words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
    };
    let (_, of_udf, _) = run(example("mirror"), &["--help"]);
    let (status, help, _) = run(UDF, &["supervise", "-h"]);
    assert_eq!(status, 0);
    let known = arguments(&help);
    let of_the_worker = ["--supervise", "--unfit-points", "--bad-snapshot"];
    for name in
        arguments(&of_udf).into_iter().filter(|name| !of_the_worker.contains(&name.as_str()))
    {
        assert!(known.contains(&name), "{name} is not in\n{help}");
    }
    for name in of_the_worker {
        assert!(!known.contains(&name.to_owned()), "{name} is in\n{help}");
    }
    assert!(!of_udf.contains("--worker"), "{of_udf}");
}

#[test]
fn arguments_without_effect_are_refused() {
    let mirror = example("mirror");
    for (args, named) in [
        ("--checkpoint-bytes 8192", "--supervise"),
        ("--replay 8192 replay points.lp", "--supervise"),
        ("--supervise --poison skip", "--poison-file"),
        ("--supervise --poison-file poison", "--poison skip"),
        ("--supervise --checkpoint-bytes 8192 --memory-limit 4096", "--memory-limit 4096"),
        ("--supervise info", "`info --supervise`"),
        ("--supervise replay points.lp", "has no effect with `replay`"),
        ("info --supervise --format json", "has no effect with --format json"),
        ("info --supervise --format tick", "has no effect with --format tick"),
        ("--supervise --systemd --socket-mode 0600", "has no effect with --systemd"),
    ] {
        let args: Vec<_> = args.split(' ').collect();
        let (status, stdout, stderr) = run(&mirror, &args);
        assert_eq!((status, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(named), "{args:?}: {stderr}");
    }
    for (args, named) in [
        ("supervise --poison skip", "--poison-file"),
        ("supervise --metrics 0", "--socket"),
        ("supervise --systemd --socket-mode 0600", "has no effect with --systemd"),
        ("info --supervise --format json", "has no effect with --format json"),
    ] {
        let mirror = mirror.to_str().expect("a path of this machine");
        let args: Vec<_> = args.split(' ').chain(["--", mirror]).collect();
        let (status, _, stderr) = run(UDF, &args);
        assert!(status == 2 && stderr.contains(named), "{args:?}: {stderr}");
    }
    let (status, _, stderr) = run(UDF, &["info", "--supervise", "--socket", "/run/udf.sock"]);
    assert!(status == 2 && stderr.contains("`udf info --supervise -- PROGRAM`"), "{stderr}");
}

#[test]
fn info_shows_the_supervised_installation() {
    let path = |path: PathBuf| path.to_str().expect("a path of this machine").to_owned();
    let (mirror, zones) = (path(example("mirror")), path(example("zones")));
    for format in ["toml", "text"] {
        let (_, section, _) = run(&mirror, &["info", "--supervise", "--format", format]);
        let prog = format!("  prog = \"{mirror}\"\n  args = [\"--supervise\"]\n");
        let daemon = format!(": {mirror} --supervise --socket /run/udfs/mirror.sock\n");
        assert!(section.contains(&prog) && section.contains(&daemon), "{section}");

        let (_, section, _) =
            run(UDF, &["info", "--supervise", "--format", format, "--", &mirror, "--log", "debug"]);
        let prog = format!(
            "  prog = \"{UDF}\"\n  args = [\"supervise\", \"--\", \"{mirror}\", \"--log\", \"debug\"]\n"
        );
        let daemon =
            format!(": {UDF} supervise --socket /run/udfs/mirror.sock -- {mirror} --log debug\n");
        assert!(section.contains(&prog) && section.contains(&daemon), "{section}");
    }
    // Of several UDFs, with the argument that they share.
    let expected = |udf: &str| {
        (
            format!("  args = [\"{udf}\", \"--supervise\", \"--zones\", \"/z.csv\"]\n"),
            format!(": {zones} {udf} --supervise --socket /run/udfs/{udf}.sock --zones /z.csv\n"),
        )
    };
    let (_, all, _) =
        run(&zones, &["info", "--supervise", "--format", "toml", "--zones", "/z.csv"]);
    let (_, one, _) =
        run(&zones, &["locate", "info", "--supervise", "--format", "toml", "--zones", "/z.csv"]);
    for (text, udf) in [(&all, "locate"), (&all, "within"), (&one, "locate")] {
        let (args, daemon) = expected(udf);
        assert!(text.contains(&args) && text.contains(&daemon), "{text}");
    }
}

/// Starts a program as a worker of this process.
fn worker(command: &mut Command) -> (Program, Connection) {
    let command = command.env("UDF_SUPERVISOR", std::process::id().to_string());
    let mut program = Program::spawn(command.stdin(Stdio::piped()));
    let connection = Connection::new(program.pipes());
    (program, connection)
}

fn point(time: i64, field: &str) -> Ask {
    let fields_double = BTreeMap::from([(field.to_owned(), 1.0)]);
    Ask::Point(Point { time, name: "m".into(), fields_double, ..Point::default() })
}

#[test]
fn a_worker_serves_its_pipes_whatever_its_front_serves() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("udf.sock");
    let mut command = Command::new(example("mirror"));
    command.args(["--worker", "--supervise", "--metrics", "0", "--log-time", "--socket"]);
    let (mut program, mut connection) = worker(command.arg(&socket));
    assert!(matches!(connection.init(&[]), Answer::Init(init) if init.success));
    // A service manager sends these to all processes of a service. The supervisor handles them.
    for signal in ["TERM", "TERM", "INT", "HUP"] {
        program.signal(signal);
    }
    connection.ask(point(1, "v"));
    assert!(matches!(connection.answer(), Answer::Point(point) if point.time == 1));
    assert!(!socket.exists(), "a worker listens");
    connection.end_input();
    assert_eq!(connection.rest(), []);
    let log = program.rest_of_log();
    // The supervisor adds the time.
    assert!(log.iter().all(|line| line.starts_with(" INFO ")), "{log:?}");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_panic_of_a_worker_is_a_crash_and_not_an_error_for_kapacitor() {
    let of_waiting = |kind: &str| vec![("thread", Value::from(kind))];
    let of_troubled = |kind: &str| vec![("kind", Value::from(kind))];
    for (program, options, field) in [
        (TROUBLED, of_troubled("panic"), "trouble"),
        (TROUBLED, of_troubled("panicInit"), "v"),
        (WAITING, of_waiting("none"), "panic"),
        (WAITING, of_waiting("panics"), "v"),
    ] {
        let options: Vec<_> =
            options.iter().map(|(name, value)| (*name, std::slice::from_ref(value))).collect();
        let input = [frame(udf_tests::program::init(&options)), frame(point(1, field))].concat();
        let is_error = |answer: &Answer| matches!(answer, Answer::Error(_));

        let (mut udf, mut connection) = worker(&mut Command::new(program));
        connection.send(&input).expect("the input is read");
        let answers = connection.rest_or_reset();
        assert!(!answers.iter().any(is_error), "{options:?}: {answers:?}");
        let log = udf.rest_of_log();
        assert!(log.iter().any(|line| line.contains("panic at ")), "{options:?}: {log:?}");
        assert_eq!(udf.wait().code(), Some(101), "{options:?}");

        // Without a supervisor, it is an error.
        let mut udf = Program::spawn(Command::new(program).stdin(Stdio::piped()));
        let mut connection = Connection::new(udf.pipes());
        connection.send(&input).expect("the input is read");
        connection.end_input();
        assert!(connection.rest().last().is_some_and(is_error), "{options:?}");
        assert_eq!(udf.wait().code(), Some(1), "{options:?}");
    }
}

#[test]
fn an_error_that_a_worker_returns_is_an_error_for_kapacitor() {
    let (mut program, mut connection) = worker(&mut Command::new(TROUBLED));
    connection.init(&[("kind", &["error".into()])]);
    connection.ask(point(1, "trouble"));
    assert!(matches!(connection.rest().last(), Some(Answer::Error(_))));
    assert_eq!(program.wait().code(), Some(1));
}

#[test]
fn a_program_that_a_worker_starts_is_no_worker() {
    let text = "UDF_SUPERVISOR=$$ sh -c '\"$0\" --worker; exit $?' \"$0\"; exit $?";
    let output = Command::new("sh").args(["-c", text]).arg(example("mirror")).output();
    let output = output.expect("a shell runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("error: this process is not the worker of a supervisor"),
        "{stderr}"
    );
}

/// Returns the workers of a supervisor.
fn workers(supervisor: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{supervisor}/task")).expect("it runs");
    let children =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    children.flat_map(|ids| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn kill(process: &str) {
    let killed = Command::new("kill").args(["-KILL", process]).status();
    assert!(killed.expect("kill runs").success());
}

#[test]
fn a_udf_of_several_supervises_itself_by_its_name_and_by_a_link() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let link = directory.path().join("locate");
    std::os::unix::fs::symlink(example("zones"), &link).expect("a link can be made");
    let zones = directory.path().join("zones.csv");
    std::fs::write(&zones, "north,0,0,10,10\n").expect("a file can be written");
    let mut by_name = Command::new(example("zones"));
    by_name.arg("locate");
    for mut command in [by_name, Command::new(link)] {
        command.args(["--supervise", "--zones"]).arg(&zones);
        let mut program = Program::spawn(command.stdin(Stdio::piped()));
        let mut connection = Connection::new(program.pipes());
        let started = connection.init(&[]);
        assert!(matches!(&started, Answer::Init(init) if init.success), "{started:?}");
        let [worker] = &workers(program.pid())[..] else { panic!("not one worker") };
        kill(worker);
        program.wait_for_log("took over");
        connection.end_input();
        assert_eq!(connection.rest(), []);
        assert_eq!(program.wait().code(), Some(0));
    }
}

/// A program that is run by a link, which leads to another version by the time of the signal.
#[test]
fn sighup_replaces_each_worker_by_the_present_program() {
    for on_socket in [false, true] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let link = directory.path().join("udf");
        std::os::unix::fs::symlink(example("mirror"), &link).expect("a link can be made");
        let mut command = Command::new(&link);
        command.arg("--supervise");
        let (mut program, mut connection) = if on_socket {
            let program = Program::listen(&mut command);
            let connection = program.connect();
            (program, connection)
        } else {
            let mut program = Program::spawn(command.stdin(Stdio::piped()));
            let connection = Connection::new(program.pipes());
            (program, connection)
        };
        connection.init(&[]);
        connection.ask(point(1, "v"));
        assert!(matches!(connection.answer(), Answer::Point(_)));
        let copy = directory.path().join("copy");
        std::fs::copy(example("mirror"), &copy).expect("a file can be copied");
        std::fs::remove_file(&link).expect("it is ours");
        std::os::unix::fs::symlink(&copy, &link).expect("a link can be made");
        program.signal("HUP");
        let line = program.wait_for_log("upgraded: worker ");
        let worker = line.split("upgraded: worker ").nth(1).and_then(|rest| rest.split(' ').next());
        let worker = worker.expect("the line names the new worker");
        let runs = std::fs::read_link(format!("/proc/{worker}/exe")).expect("it runs");
        assert_eq!(runs, std::fs::canonicalize(&copy).expect("it is there"));
        connection.ask(point(2, "v"));
        assert!(matches!(connection.answer(), Answer::Point(point) if point.time == 2));
        connection.end_input();
        assert_eq!(connection.rest(), []);
        if on_socket {
            program.signal("TERM");
        }
        assert_eq!(program.wait().code(), Some(0));
    }
}

#[test]
fn udf_supervise_replaces_a_program() {
    let mut command = Command::new(UDF);
    command.args(["supervise", "--"]).arg(example("mirror"));
    let mut program = Program::spawn(command.stdin(Stdio::piped()));
    let mut connection = Connection::new(program.pipes());
    connection.init(&[]);
    let [worker] = &workers(program.pid())[..] else { panic!("not one worker") };
    let group = std::fs::read_to_string(format!("/proc/{worker}/stat")).expect("it runs");
    let group = group.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(2));
    assert_eq!(group, Some(worker.as_str()), "a worker leads its group");
    kill(worker);
    connection.ask(point(1, "v"));
    assert!(matches!(connection.answer(), Answer::Point(_)));
    program.wait_for_log(&format!("worker {worker} died (signal: 9 (SIGKILL))"));
    program.wait_for_log("took over");
    connection.end_input();
    assert_eq!(connection.rest(), []);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_program_of_a_daemon_keeps_its_limit_of_open_files() {
    let mut command = Command::new("prlimit");
    command.args(["--nofile=300:4000", UDF, "supervise"]).stdin(Stdio::null());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("udf.sock");
    command.arg("--socket").arg(&socket).arg("--").arg(example("mirror"));
    let mut program = Program::spawn(&mut command).at(&socket);
    program.wait_for_log("listens on");
    let mut connection = program.connect();
    connection.init(&[]);
    let limit = |process: &str| {
        let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("it runs");
        let line = limits.lines().find(|line| line.starts_with("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().nth(3)).expect("it has this limit");
        soft.to_owned()
    };
    let [worker] = &workers(program.pid())[..] else { panic!("not one worker") };
    assert_eq!((limit(&program.pid().to_string()), limit(worker)), ("4000".into(), "300".into()));
    connection.end_input();
    assert_eq!(connection.rest(), []);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

/// A supervisor that is killed: its worker ends, although its input goes on.
#[test]
fn a_worker_ends_with_its_supervisor() {
    if !cfg!(target_os = "linux") {
        return;
    }
    for args in [
        vec![example("mirror").display().to_string(), "--worker".to_owned()],
        vec![UDF.to_owned(), "worker".to_owned(), "--".to_owned(), "cat".to_owned()],
    ] {
        let text = "exec 3<&0; UDF_SUPERVISOR=$$ \"$@\" <&3 3<&- & wait";
        let mut command = Command::new("sh");
        command.args(["-c", text, "sh"]).args(&args).process_group(0);
        let mut shell =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell runs");
        let mut input = shell.stdin.take().expect("it is piped");
        let mut output = shell.stdout.take().expect("it is piped");
        // The UDF answers the keepalive with the same bytes but for the number of the message, and
        // `cat` with the same bytes.
        let keepalive = frame(Ask::Keepalive(udf_proto::messages::KeepaliveRequest { time: 1 }));
        input.write_all(&keepalive).expect("it reads");
        output.read_exact(&mut vec![0; keepalive.len()]).expect("it answers");
        shell.kill().and_then(|()| shell.wait()).expect("it can be killed");
        let (sender, ended) = channel();
        thread::spawn(move || sender.send(output.read_to_end(&mut Vec::new())));
        let ended = ended.recv_timeout(TIMEOUT);
        assert!(matches!(ended, Ok(Ok(0))), "{args:?} still runs: {ended:?}");
        drop(input);
    }
}

#[test]
fn udf_worker_becomes_the_program_of_a_supervisor_alone() {
    let (status, _, stderr) = run(UDF, &["worker", "--", "true"]);
    assert_eq!(status, 1);
    assert!(
        stderr.starts_with("error: this process is not the worker of a supervisor"),
        "{stderr}"
    );

    let mirror = example("mirror");
    let mut command = Command::new(UDF);
    let (mut program, mut connection) = worker(command.args(["worker", "--"]).arg(mirror));
    connection.init(&[]);
    connection.end_input();
    assert_eq!(connection.rest(), []);
    assert_eq!(program.wait().code(), Some(0));

    let mut command = Command::new(UDF);
    let (mut program, connection) = worker(command.args(["worker", "--", "/no/such/udf"]));
    assert_eq!(connection.rest(), []);
    let log = program.rest_of_log();
    assert!(log[0].starts_with("error: cannot run /no/such/udf: No such file"), "{log:?}");
    assert_eq!(program.wait().code(), Some(1));
}
