//! Several UDFs in a program, and things that the tasks of a process share.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use udf_proto::Value;
use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::metrics::{scrape, wait_for};
use udf_tests::program::{Connection, Program, Transport, example};

use crate::subject::{init, point, secretive};
use crate::{BOTH, PIPE, SOCKET, cases};

cases! {
    a_program_without_the_name_of_a_udf, PIPE, "A program of several UDFs lists them on stderr, and exits with status 2. Stdout, which Kapacitor reads, stays empty.";
    a_misspelt_name_of_a_udf, PIPE, "The error suggests the UDF; exit status 2.";
    a_link_with_the_name_of_a_udf, BOTH, "A link to a program of several UDFs starts the UDF of that name, with the same arguments. The name of another UDF as the first argument comes first.";
    a_missing_argument_of_the_process, BOTH, "An argument that a shared thing needs is missing: the error names it and its variable, no socket is created; exit status 2.";
    a_shared_thing_that_cannot_be_opened, SOCKET, "A daemon reports the error in one line, and exits with status 1 before it creates the socket.";
    a_shared_thing_that_cannot_be_opened_for_a_task, PIPE, "A spawned UDF answers Info, and refuses the task with the error; exit status 1.";
    a_reload_under_load, BOTH, "Points that arrive during reloads are all answered, in order, each with the old or the new data.";
    a_reload_that_fails, BOTH, "An error of a reload is logged, the old data stays in use, and a later reload succeeds.";
    a_reload_that_hangs, BOTH, "A reload that does not return delays no point. Signals that arrive meanwhile cause one more reload.";
    a_reload_before_a_task, PIPE, "A SIGHUP before Init does not end a spawned UDF that shares something.";
    secrets, BOTH, "No output and no error of a UDF shows the value of a secret, of the process or of a task: help, `info`, the log at every level, refusals.";
    secrets_that_are_wrong, PIPE, "An error about a secret names it, and hides its value also in the words of the author.";
    metrics_of_the_author, SOCKET, "Counters of the author are metrics with help and type, present with 0 from the start.";
}

/// A file of zones for the example `zones`.
struct ZonesFile {
    directory: TempDir,
    path: PathBuf,
}

impl ZonesFile {
    /// Writes a file with one zone, which includes every point of these tests.
    fn new(zone: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = ZonesFile { path: directory.path().join("zones.csv"), directory };
        file.write(&format!("{zone},-90,-180,90,180\n"));
        file
    }

    /// Replaces the file at once, as an editor does.
    fn write(&self, text: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, text).expect("the file can be written");
        fs::rename(&new, &self.path).expect("the file can be replaced");
    }
}

fn zones(args: &[&str]) -> Command {
    let mut command = Command::new(example("zones"));
    command.args(args).env_remove("ZONES");
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn a_program_without_the_name_of_a_udf(_: Transport) {
    let (status, stdout, stderr) = output(&mut zones(&[]));
    assert_eq!((status, &*stdout), (Some(2), ""));
    for line in [
        "error: name the UDF to start, as in `zones locate`, or start all of them with `zones --socket-dir DIR`",
        "locate  Adds the tag `zone` to the points that lie in a zone.",
        "within  Passes the points of one zone, and drops the others.",
    ] {
        assert!(stderr.lines().any(|found| found == line), "`{line}` is not in {stderr}");
    }
}

fn a_misspelt_name_of_a_udf(_: Transport) {
    let (status, stdout, stderr) = output(&mut zones(&["lokate", "info"]));
    assert_eq!((status, &*stdout), (Some(2), ""));
    assert!(stderr.contains("unrecognized subcommand 'lokate'"), "{stderr}");
    assert!(stderr.contains("a similar subcommand exists: 'locate'"), "{stderr}");
}

/// Starts a command on a transport, and connects to it.
fn start(mut command: Command, on: Transport) -> (Program, Connection) {
    match on {
        Transport::Pipe => {
            let mut program = Program::spawn(command.stdin(Stdio::piped()));
            let connection = Connection::new(program.pipes());
            (program, connection)
        }
        Transport::Socket => {
            let program = Program::listen(&mut command);
            let connection = program.connect();
            (program, connection)
        }
    }
}

/// Starts `locate` of the example `zones`, with a task.
fn locate(file: &ZonesFile, on: Transport) -> (Program, Connection) {
    let mut command = zones(&["locate", "--zones"]);
    command.arg(&file.path);
    let (program, mut connection) = start(command, on);
    init(&mut connection, &[]);
    (program, connection)
}

fn place(time: i64) -> Ask {
    let mut point = point(time);
    point.fields_double.extend([("lat".to_owned(), 1.0), ("lon".to_owned(), 2.0)]);
    Ask::Point(point)
}

/// Returns the time and the zone of the next point.
fn located(connection: &Connection) -> (i64, String) {
    match connection.answer() {
        Answer::Point(Point { time, mut tags, .. }) => {
            (time, tags.remove("zone").unwrap_or_default())
        }
        other => panic!("not a point: {other:?}"),
    }
}

/// Sends a point, and returns its zone.
fn zone(connection: &mut Connection, time: i64) -> String {
    connection.ask(place(time));
    let (came, zone) = located(connection);
    assert_eq!(came, time);
    zone
}

/// Ends the connection, which must not fail.
fn end(mut program: Program, mut connection: Connection, on: Transport) {
    connection.end_input();
    assert_eq!(connection.rest(), []);
    drop(connection);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    assert_eq!(program.wait().code(), Some(0));
}

fn a_link_with_the_name_of_a_udf(on: Transport) {
    let file = ZonesFile::new("all");
    let link = file.directory.path().join("locate");
    symlink(example("zones"), &link).expect("a link can be created");
    let linked = |args: &[&str]| {
        let mut command = Command::new(&link);
        command.args(args).arg("--zones").arg(&file.path);
        command
    };
    let (program, mut connection) = start(linked(&[]), on);
    init(&mut connection, &[]);
    assert_eq!(zone(&mut connection, 1), "all");
    end(program, connection, on);
    let (program, mut connection) = start(linked(&["within"]), on);
    init(&mut connection, &[("zone", &["all".into()])]);
    assert_eq!(zone(&mut connection, 1), "");
    end(program, connection, on);
    // The link leads to the program, so that kapacitor.conf names the UDF.
    let (status, stdout, _) = output(&mut linked(&["info", "--format", "toml"]));
    assert_eq!(status, Some(0));
    let args = format!("  args = [\"locate\", \"--zones\", \"{}\"]\n", file.path.display());
    assert!(stdout.contains(&args), "{stdout}");
}

/// Returns the arguments that start a UDF on a transport, without its connection.
fn on_transport(command: &mut Command, on: Transport, socket: &Path) {
    if on == Transport::Socket {
        command.arg("--socket").arg(socket);
    }
}

fn a_missing_argument_of_the_process(on: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("udf.sock");
    let mut command = zones(&["locate"]);
    on_transport(&mut command, on, &socket);
    let (status, stdout, stderr) = output(&mut command);
    assert_eq!((status, &*stdout), (Some(2), ""));
    let text = "error: --zones FILE is missing; add it, or set the environment variable ZONES\n";
    assert_eq!(stderr, text);
    assert!(!socket.exists());
}

fn a_shared_thing_that_cannot_be_opened(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("udf.sock");
    let mut command = zones(&["locate", "--zones", "/no/zones.csv"]);
    on_transport(&mut command, Transport::Socket, &socket);
    let (status, stdout, stderr) = output(&mut command);
    assert_eq!((status, &*stdout), (Some(1), ""));
    let text = "cannot open Zones: /no/zones.csv: No such file or directory (os error 2)";
    assert_eq!(stderr, format!("error: {text}\n"));
    assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 0);
    // A description needs nothing but the program.
    let (status, stdout, stderr) = output(&mut zones(&["locate", "info", "--zones", "/no/file"]));
    assert_eq!((status, &*stderr), (Some(0), ""));
    assert!(stdout.contains("locate: reads a stream"), "{stdout}");
}

fn a_shared_thing_that_cannot_be_opened_for_a_task(on: Transport) {
    let command = || zones(&["locate", "--zones", "/no/zones.csv"]);
    let (program, mut connection) = start(command(), on);
    connection.ask(Ask::Info(Default::default()));
    assert!(matches!(connection.answer(), Answer::Info(_)));
    end(program, connection, on);
    let (mut program, mut connection) = start(command(), on);
    match connection.init(&[]) {
        Answer::Init(init) => {
            let text = "cannot open Zones: /no/zones.csv: No such file or directory (os error 2)";
            assert_eq!((init.success, &*init.error), (false, text));
        }
        other => panic!("not an answer to Init: {other:?}"),
    }
    connection.end_input();
    connection.rest();
    drop(connection);
    program.wait();
}

fn a_reload_under_load(on: Transport) {
    let file = ZonesFile::new("first");
    let (program, mut connection) = locate(&file, on);
    let (mut time, mut seen) = (0, Vec::new());
    for version in ["second", "third", "fourth"] {
        file.write(&format!("{version},-90,-180,90,180\n"));
        program.signal("HUP");
        // Points are under way until one of them has the new zone.
        while seen.last().is_none_or(|last| last != version) {
            for _ in 0..50 {
                connection.ask(place(time));
                time += 1;
            }
            for at in time - 50..time {
                let (came, zone) = located(&connection);
                assert_eq!(came, at);
                if seen.last() != Some(&zone) {
                    seen.push(zone);
                }
            }
        }
        program.wait_for_log("SIGHUP: reloaded Zones in");
    }
    assert_eq!(seen.iter().filter(|zone| *zone != "first").count(), 3, "{seen:?}");
    end(program, connection, on);
}

fn a_reload_that_fails(on: Transport) {
    let file = ZonesFile::new("old");
    let (program, mut connection) = locate(&file, on);
    file.write("new,x\n");
    program.signal("HUP");
    let line = program.wait_for_log("SIGHUP");
    assert!(line.contains("ERROR") && line.contains("cannot reload Zones, after "), "{line}");
    let why =
        format!("; the old data stays in use: {}, line 1: not a zone: new,x", file.path.display());
    assert!(line.ends_with(&why), "{line}");
    assert_eq!(zone(&mut connection, 1), "old");
    file.write("new,-90,-180,90,180\n");
    program.signal("HUP");
    program.wait_for_log("SIGHUP: reloaded Zones in");
    assert_eq!(zone(&mut connection, 2), "new");
    end(program, connection, on);
}

fn a_reload_that_hangs(on: Transport) {
    let file = ZonesFile::new("old");
    let (program, mut connection) = locate(&file, on);
    // A reader of a FIFO waits for a writer.
    let fifo = file.directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
    assert!(made.success());
    fs::rename(&fifo, &file.path).expect("the file can be replaced");
    program.signal("HUP");
    // The open succeeds when the reload has opened the other end.
    let mut writer = fs::OpenOptions::new().write(true).open(&file.path).expect("it can be opened");
    for time in 0..20 {
        program.signal("HUP");
        assert_eq!(zone(&mut connection, time), "old");
    }
    file.write("second,-90,-180,90,180\n");
    std::io::Write::write_all(&mut writer, b"first,-90,-180,90,180\n").expect("it is read");
    drop(writer);
    program.wait_for_log("SIGHUP: reloaded Zones in");
    program.wait_for_log("SIGHUP: reloaded Zones in");
    assert_eq!(zone(&mut connection, 20), "second");
    connection.end_input();
    connection.rest();
    drop(connection);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    let log = program.rest_of_log();
    assert!(!log.iter().any(|line| line.contains("SIGHUP")), "more than one more: {log:?}");
}

fn a_reload_before_a_task(on: Transport) {
    let file = ZonesFile::new("all");
    let mut command = zones(&["locate", "--zones"]);
    command.arg(&file.path);
    let (program, mut connection) = start(command, on);
    // The process handles signals when it answers.
    connection.ask(Ask::Info(Default::default()));
    assert!(matches!(connection.answer(), Answer::Info(_)));
    program.signal("HUP");
    init(&mut connection, &[]);
    assert_eq!(zone(&mut connection, 1), "all");
    end(program, connection, on);
}

/// The values of the secrets of the program `secretive`.
const SECRETS: [&str; 5] = ["of-service", "of-task", "of-other", "default-secret", "48151623"];

fn keeps_secrets(text: &str) {
    for secret in SECRETS.into_iter().chain(["1357924"]) {
        assert!(!text.contains(secret), "`{secret}` is in {text}");
    }
}

fn of_secrets(args: &[&str]) -> Command {
    let mut command = Command::new(secretive());
    command.args(args).env("SERVICE_TOKEN", "of-service").env("TASK_TOKEN", "of-task");
    command
}

fn secrets(on: Transport) {
    for args in [
        &["--help"][..],
        &["info"],
        &["info", "--format", "json"],
        &["info", "--format", "toml"],
        &["info", "--format", "tick"],
        &["info", "--format", "telegraf"],
        &["replay", "--help"],
    ] {
        let (status, stdout, stderr) = output(&mut of_secrets(args));
        assert_eq!((status, &*stderr), (Some(0), ""), "{args:?}");
        keeps_secrets(&stdout);
    }
    let (_, toml, _) = output(&mut of_secrets(&["info", "--format", "toml"]));
    let line = "  # It needs SERVICE_TOKEN in [udf.functions.secretive.env], or in the environment of Kapacitor.";
    assert!(toml.lines().any(|found| found == line), "{toml}");
    let (program, mut connection) = start(of_secrets(&["--log", "trace"]), on);
    init(&mut connection, &[("other", &["of-other".into()]), ("number", &[Value::Int(1_357_924)])]);
    connection.ask(Ask::Point(point(1)));
    match connection.answer() {
        Answer::Point(point) => assert_eq!(point.fields_int["length"], 7 + 8 + 7 + 10),
        other => panic!("not a point: {other:?}"),
    }
    connection.end_input();
    connection.rest();
    drop(connection);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    let log = program.rest_of_log();
    log.iter().for_each(|line| keeps_secrets(line));
    if on == Transport::Pipe {
        let opening = log.iter().any(|line| line.contains("\"SERVICE_TOKEN\": Some(\"***\")"));
        assert!(opening, "{log:?}");
    }
}

fn secrets_that_are_wrong(on: Transport) {
    let (status, _, stderr) =
        output(of_secrets(&["--socket", "/no/udf.sock"]).env("SERVICE_TOKEN", "wrong-of-service"));
    assert_eq!(status, Some(2));
    keeps_secrets(&stderr);
    let text = "error: the environment variable SERVICE_TOKEN: `***` is wrong";
    assert!(stderr.lines().any(|line| line == text), "{stderr}");
    let (status, _, stderr) =
        output(of_secrets(&["--socket", "/no/udf.sock"]).env_remove("SERVICE_TOKEN"));
    let text =
        "error: the environment variable SERVICE_TOKEN is not set: The token of the service\n";
    assert_eq!((status, &*stderr), (Some(2), text));
    for (options, env, text) in [
        (&[("token", "wrong-of-task")][..], "of-task", "`.token(***)`: `***` is wrong"),
        (
            &[],
            "wrong-of-task",
            "`.token(***)` of the environment variable `TASK_TOKEN`: `***` is wrong",
        ),
        (
            &[("number", "of-other")],
            "of-task",
            "`.number(***)`: the argument must be INT, not STRING",
        ),
        (
            &[("other", "of-other"), ("other", "of-other")],
            "of-task",
            "`.other` can be called only once; keep one of `.other(***)`, `.other(***)`",
        ),
        (
            &[("tokne", "of-other")],
            "of-task",
            "`.tokne(***)`: there is no option `tokne`; did you mean `.token(STRING)`?",
        ),
    ] {
        let mut command = of_secrets(&["--log", "trace"]);
        command.env("TASK_TOKEN", env);
        let (program, mut connection) = start(command, on);
        let values: Vec<_> =
            options.iter().map(|(name, value)| (*name, [(*value).into()])).collect();
        let calls: Vec<_> = values.iter().map(|(name, value)| (*name, &value[..])).collect();
        match connection.init(&calls) {
            Answer::Init(init) => {
                assert_eq!(init.error, format!("UDF secretive: {text}"));
                assert!(!init.success);
            }
            other => panic!("not an answer to Init: {other:?}"),
        }
        connection.end_input();
        connection.rest();
        drop(connection);
        program.rest_of_log().iter().for_each(|line| keeps_secrets(line));
    }
}

fn metrics_of_the_author(on: Transport) {
    let file = ZonesFile::new("all");
    file.write("none,0,0,0,0\n");
    let mut command = zones(&["locate", "--metrics", "0", "--zones"]);
    let path = file.directory.path().join("udf.sock");
    command.arg(&file.path).arg("--socket").arg(&path).stdin(Stdio::null());
    let program = Program::spawn(&mut command).at(&path);
    let address = program.metrics();
    program.wait_for_log("listens on");
    let said = scrape(address);
    let series = "# HELP zones_outside_total Points that lie in no zone.\n\
                  # TYPE zones_outside_total counter\n\
                  zones_outside_total 0\n";
    assert!(said.contains(series), "{said}");
    let mut connection = program.connect();
    init(&mut connection, &[]);
    assert_eq!(zone(&mut connection, 1), "");
    assert_eq!(zone(&mut connection, 2), "");
    wait_for(address, "zones_outside_total 2");
    end(program, connection, on);
}
