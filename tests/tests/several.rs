//! Several UDFs in one program: their list, their descriptions, and one daemon for all of them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InfoRequest, Point};
use udf_tests::ends::Ends;
use udf_tests::metrics;
use udf_tests::program::{Connection, Program, example, wait_until};

/// Returns the exit status, stdout and stderr.
fn run(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(example("zones"));
    let output = command.args(args).env_remove("ZONES").stdin(Stdio::null()).output();
    let output = output.expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn printed(args: &[&str]) -> String {
    let (status, stdout, stderr) = run(args);
    assert_eq!((status, &*stderr), (0, ""), "{args:?}");
    stdout
}

#[test]
fn the_list_has_a_line_for_each_udf() {
    assert_eq!(
        printed(&["list"]),
        "locate  Adds the tag `zone` to the points that lie in a zone.\n\
         within  Passes the points of one zone, and drops the others.\n"
    );
    let json = printed(&["list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let expected = serde_json::json!([
        {
            "name": "locate", "wants": "STREAM", "provides": "STREAM",
            "help": "Adds the tag `zone` to the points that lie in a zone.",
        },
        {
            "name": "within", "wants": "STREAM", "provides": "STREAM",
            "help": "Passes the points of one zone, and drops the others.",
        },
    ]);
    assert_eq!(list, expected);
}

#[test]
fn one_udf_and_all_udfs_are_described() {
    for format in ["text", "json", "toml", "tick", "telegraf"] {
        let of = |args: &[&str]| printed(&[args, &["--format", format]].concat());
        assert_eq!(of(&["info", "within"]), of(&["within", "info"]));
        assert_eq!(of(&["info", "--all"]), of(&["info"]));
        let (all, within) = (of(&["info", "--all"]), of(&["info", "within"]));
        let first = within.lines().next().expect("a description has lines");
        assert!(all.contains(first) && all.len() > within.len(), "{all}");
    }
    let (status, _, stderr) = run(&["info", "nowhere"]);
    assert!(status == 2 && stderr.contains("possible values: locate, within"), "{stderr}");
    let (status, _, stderr) = run(&["info", "--all", "within"]);
    assert!(status == 2 && stderr.contains("cannot be used with"), "{stderr}");
}

#[test]
fn the_sections_of_a_common_daemon_name_its_sockets() {
    let toml = printed(&["info", "--all", "--format", "toml", "--socket-dir", "/run/some"]);
    let expected = ["locate", "within"].map(|name| {
        format!(
            "# Kapacitor connects to the daemon.\n[udf.functions.{name}]\n  \
             socket = \"/run/some/{name}.sock\"\n  timeout = \"10s\"\n"
        )
    });
    assert_eq!(toml, expected.join("\n"));
}

/// A daemon for both UDFs of `zones`, whose only zone includes every point of these tests.
struct Daemon {
    program: Program,
    directory: TempDir,
}

impl Daemon {
    fn start(args: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        write_zone(directory.path(), "north");
        let mut command = Command::new(example("zones"));
        command.arg("--socket-dir").arg(directory.path()).args(args).stdin(Stdio::null());
        command.arg("--zones").arg(directory.path().join("zones.csv"));
        Daemon { program: Program::spawn(&mut command), directory }
    }

    /// Waits until both sockets listen.
    fn listening(self) -> Self {
        let line = self.program.wait_for_log("listens on");
        let place = format!("zones listens on 2 sockets in {}", self.directory.path().display());
        assert!(line.ends_with(&place), "{line}");
        self
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.directory.path().join(name).with_extension("sock")
    }

    fn connect(&self, name: &str) -> Connection {
        let stream = UnixStream::connect(self.socket(name)).expect("the socket listens");
        Connection::new(Ends::socket(stream))
    }

    /// Starts a task, whose node has the name of the UDF.
    fn task(&self, name: &str, options: &[(&str, &[Value])]) -> Connection {
        let mut connection = self.connect(name);
        match connection.init(options) {
            Answer::Init(init) => assert!(init.success, "{}", init.error),
            other => panic!("not an answer to Init: {other:?}"),
        }
        connection
    }
}

fn write_zone(directory: &Path, zone: &str) {
    let new = directory.join("new");
    fs::write(&new, format!("{zone},-90,-180,90,180\n")).expect("the file can be written");
    fs::rename(&new, directory.join("zones.csv")).expect("the file can be replaced");
}

fn point(time: i64) -> Ask {
    let fields = [("lat".to_owned(), 1.0), ("lon".to_owned(), 2.0)];
    Ask::Point(Point {
        time,
        name: "car".into(),
        fields_double: BTreeMap::from(fields),
        ..Point::default()
    })
}

/// Sends a point, and returns the point that comes back.
fn answered(connection: &mut Connection, time: i64) -> Point {
    connection.ask(point(time));
    match connection.answer() {
        Answer::Point(point) if point.time == time => point,
        other => panic!("not the point: {other:?}"),
    }
}

fn zone(name: &str) -> Vec<Value> {
    vec![Value::from(name)]
}

#[test]
fn one_process_serves_each_udf_on_its_socket() {
    let daemon = Daemon::start(&["--metrics", "0"]);
    let address = daemon.program.metrics();
    let mut daemon = daemon.listening();
    let mut locate = daemon.task("locate", &[]);
    let mut within = daemon.task("within", &[("zone", &zone("north"))]);
    assert_eq!(answered(&mut locate, 1).tags["zone"], "north");
    assert!(answered(&mut within, 2).tags.is_empty());
    // A third task, of the same UDF.
    let mut elsewhere = daemon.task("within", &[("zone", &zone("south"))]);
    elsewhere.ask(point(3));
    elsewhere.end_input();
    assert_eq!(elsewhere.rest(), []);

    // The metrics of all UDFs have one place, and a counter that two UDFs name appears once.
    let metrics = metrics::wait_for(address, "udf_connections_open 2");
    for line in ["udf_connections_total 3", "zones_outside_total 0"] {
        assert_eq!(metrics.lines().filter(|found| *found == line).count(), 1, "{metrics}");
    }

    // Both share the file, which is read again once.
    write_zone(daemon.directory.path(), "south");
    daemon.program.signal("HUP");
    daemon.program.wait_for_log("SIGHUP: reloaded Zones");
    assert_eq!(answered(&mut locate, 4).tags["zone"], "south");

    // A stop ends all tasks when their points are handled, and removes all sockets.
    locate.ask(point(5));
    let Answer::Point(last) = locate.answer() else { panic!("not a point") };
    assert_eq!(last.time, 5);
    daemon.program.signal("TERM");
    daemon.program.wait_for_log("SIGTERM: finishing the received requests");
    for connection in [&locate, &within] {
        assert!(matches!(connection.rest()[..], [] | [Answer::Error(_)]));
    }
    drop((locate, within));
    assert!(daemon.program.wait().success());
    assert!(["locate", "within"].iter().all(|name| !daemon.socket(name).exists()));
}

#[test]
fn the_limit_of_connections_holds_for_all_udfs_together() {
    let daemon = Daemon::start(&["--max-connections", "1"]).listening();
    let mut locate = daemon.task("locate", &[]);
    let mut refused = daemon.connect("within");
    let _ = refused.send(&udf_tests::program::frame(Ask::Info(InfoRequest {})));
    assert!(!matches!(refused.next(), Some(Answer::Info(_))));
    daemon.program.wait_for_log("the limit of 1 open connections is reached");
    locate.end_input();
    assert_eq!(locate.rest(), []);
    drop(locate);
    wait_until("the place is free", || {
        let mut within = daemon.connect("within");
        let sent = within.send(&udf_tests::program::frame(Ask::Info(InfoRequest {})));
        sent.is_ok() && matches!(within.next(), Some(Answer::Info(_)))
    });
}

#[test]
fn a_socket_that_is_in_use_fails_the_start_and_stays() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write_zone(directory.path(), "north");
    let path = |name: &str| directory.path().join(name);
    let (zones, within) = (path("zones.csv"), path("within.sock"));
    let mut command = Command::new(example("zones"));
    let mut other = Program::listen_at(&within, command.arg("within").arg("--zones").arg(&zones));
    let text = |path: &Path| path.to_str().expect("a path of this machine").to_owned();
    let (status, _, stderr) =
        run(&["--socket-dir", &text(directory.path()), "--zones", &text(&zones)]);
    let expected = format!("error: another server is using {}", within.display());
    assert!(status == 1 && stderr.starts_with(&expected), "{stderr}");
    assert!(!path("locate.sock").exists() && within.exists());
    other.signal("TERM");
    assert!(other.wait().success());
}

#[test]
fn arguments_of_one_udf_and_of_all_are_not_mixed() {
    for (args, expected) in [
        (&["--socket-dir", "/tmp", "locate"][..], "cannot be used with '--socket-dir <DIR>'"),
        (&["--metrics", "0"], "--socket-dir <DIR>"),
        (&["--socket-dir", "/tmp"], "--zones FILE is missing"),
        (&["--socket-dir", "127.0.0.1:80"], "must be the path"),
        (&["locate", "--socket-dir", "/tmp"], "unexpected argument '--socket-dir'"),
    ] {
        let (status, stdout, stderr) = run(args);
        assert!((status, &*stdout) == (2, "") && stderr.contains(expected), "{args:?}: {stderr}");
    }
}
