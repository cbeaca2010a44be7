//! Tests of the server of the page: who is admitted, and the results of runs.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use udf_tests::program::wait_until;

use crate::page::{CPU, Play, moving_avg, request, tunable, udf};

crate::tests! {
    only_the_page_itself_is_admitted,
    requests_have_limits,
    a_browser_is_started_with_an_address_that_works_once,
    the_browser_of_the_variable_is_started,
    responses_forbid_everything_from_elsewhere,
    silent_connections_do_not_keep_the_page_away,
    a_run_returns_a_picture_and_both_texts,
    texts_are_quoted_for_the_shell_and_the_script,
    each_problem_is_at_its_option,
    a_newer_request_ends_a_run_that_hangs,
    two_settings_have_the_same_axes,
    the_form_describes_the_options_and_the_input,
    batches_have_windows_and_recordings_have_their_own,
    inputs_without_points_are_shown,
    the_notes_name_what_the_page_has,
    the_last_log_lines_of_the_run_are_shown,
    a_reload_reads_the_file_again,
    the_udf_of_another_program_is_played,
    a_program_that_is_no_udf_has_the_error_of_replay,
    a_start_that_fails_says_why,
    a_file_that_cannot_be_read_ends_the_start_as_it_ends_replay,
    what_cannot_be_played_is_reported_on_the_terminal,
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it can be written");
    file
}

const POINTS: &str = "m,host=a x=1,y=-2 1000000000\nm,host=b x=3,y=-4,s=\"t\" 2000000000\n";

fn only_the_page_itself_is_admitted() {
    let play = Play::of_cpu();
    let (own, path) = (play.host(), play.path());
    let port = own.rsplit(':').next().expect("it has a port");
    let host = format!("Host: {own}");
    let body = request(&[("field", &["usage_user"]), ("size", &["5"])]).to_string();
    let post =
        |headers: &[&str], path: &str| play.ask(&format!("POST {path}"), headers, &body).status;
    let origin = format!("Origin: http://{own}");
    let json = "Content-Type: application/json";
    let run = format!("{path}run");
    assert_eq!(post(&[&host, &origin, json], &run), 200);
    assert_eq!(post(&[&host, json], &run), 200, "a program sends no origin");
    for (headers, path, expected) in [
        // A page of another site, and one whose name points to this machine.
        (&[&host, "Origin: http://evil.example", json][..], &*run, 403),
        (&[&host, "Origin: null", json], &run, 403),
        (&[&format!("Host: evil.example:{port}"), json], &run, 403),
        (&[&format!("Host: evil.example:{port}"), &origin, json], &run, 403),
        (&[json], &run, 403),
        // A page on another port of this machine.
        (&[&host, "Origin: http://127.0.0.1:1", json], &run, 403),
        // A form of another page, from a browser that sends no origin.
        (&[&host, "Content-Type: text/plain"], &run, 415),
        (&[&host], &run, 415),
        // Without the token.
        (&[&host, &origin, json], "/run", 404),
        (&[&host, &origin, json], "/00000000000000000000000000000000/run", 404),
        (&[&host, &origin, json], "/", 404),
        (&[&host, &origin, json], &path, 405),
        (&[&host, &origin, json], &format!("{path}other"), 404),
        (&[&host, &host, json], &run, 400),
    ] {
        assert_eq!(post(headers, path), expected, "{headers:?} {path}");
    }
    assert_eq!(play.get("").status, 200);
    assert_eq!(play.get("?a=b").status, 200);
    for (line, allowed) in [("PUT ", "GET"), ("DELETE form", "GET"), ("GET run", "POST")] {
        let (method, below) = line.split_once(' ').expect("a method and a path");
        let response = play.ask(&format!("{method} {path}{below}"), &[&host], "");
        assert_eq!(response.status, 405, "{line}");
        assert!(response.head.contains(&format!("\r\nAllow: {allowed}\r\n")), "{}", response.head);
        let expected = format!(
            "the method {method} is not allowed here; this address answers {allowed} requests\n"
        );
        assert_eq!(response.body, expected);
    }
    assert_eq!(play.ask("GET /", &[&host], "").status, 404);
    assert_eq!(play.ask("GET /favicon.ico", &[&host], "").status, 404);
    let local = [format!("Host: localhost:{port}"), format!("Origin: http://localhost:{port}")];
    assert_eq!(post(&[&local[0], &local[1], json], &run), 200, "a forwarded port has this name");
    // The addresses of the machine itself refuse connections.
    let addresses = Command::new("hostname").arg("-I").output().expect("hostname runs").stdout;
    for address in String::from_utf8_lossy(&addresses).split_whitespace() {
        let refused = std::net::TcpStream::connect(format!("{address}:{port}"));
        assert!(refused.is_err() || address == "127.0.0.1", "it listens on {address}");
    }
}

fn requests_have_limits() {
    let play = Play::of_cpu();
    let (host, path) = (format!("Host: {}", play.host()), play.path());
    let status = |request: String| play.send(request.as_bytes()).status;
    let post = format!("POST {path}run HTTP/1.1\r\n{host}\r\nContent-Type: application/json\r\n");
    assert_eq!(status(format!("{post}Content-Length: 1048577\r\n\r\n")), 413);
    assert_eq!(status(format!("{post}Content-Length: 99999999999999999999\r\n\r\n")), 400);
    assert_eq!(status(format!("{post}Content-Length: -1\r\n\r\n")), 400);
    assert_eq!(status(format!("{post}\r\n")), 411);
    assert_eq!(status(format!("{post}Transfer-Encoding: chunked\r\n\r\n")), 501);
    assert_eq!(status(format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}")), 400);
    assert_eq!(status(format!("{post}X: {}", "x".repeat(20_000))), 431);
    let headers: String = (0..100).map(|number| format!("X{number}: x\r\n")).collect();
    assert_eq!(status(format!("{post}{headers}\r\n")), 431);
    assert_eq!(status("\0\r\n\r\n".to_owned()), 400);
    assert_eq!(status(format!("{post}Content-Length: 2\r\n\r\n{{}}")), 400, "no values");
    let mut extra = request(&[]);
    extra["surprise"] = json!(1);
    assert_eq!(play.post(&extra).status, 400);
    extra = request(&[]);
    extra["width"] = json!(-1);
    assert_eq!(play.post(&extra).status, 400);
    extra["width"] = json!(4_000_000_000_u32);
    assert_eq!(play.post(&extra).status, 200, "the width has a limit");
}

/// Creates a program in a directory. It writes its last argument to the file that it returns.
fn browser(directory: &Path, name: &str) -> PathBuf {
    let (program, opened) = (directory.join(name), directory.join("opened"));
    let part = opened.with_extension("part");
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\necho \"$last\" > {part:?} && mv {part:?} {opened:?}\n"
    );
    fs::write(&program, script).expect("it can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    opened
}

/// Returns `play`, which opens the programs of this directory, and no others.
fn opening(directory: &Path) -> Command {
    let path = std::env::var("PATH").expect("there is a PATH");
    let mut command = moving_avg(&["play", CPU]);
    command.env("PATH", format!("{}:{path}", directory.display()));
    command.env_remove("BROWSER").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command
}

fn a_browser_is_started_with_an_address_that_works_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let opened = browser(directory.path(), "xdg-open");
    let mut command = opening(directory.path());
    command.env("DISPLAY", ":0");
    let play = Play::start(command);
    wait_until("a browser is started", || opened.exists());
    let address = fs::read_to_string(&opened).expect("it is text");
    let token = play.path();
    assert!(!address.contains(token.trim_matches('/')), "other users can read {address}");
    let below = address.trim_end().strip_prefix(&format!("http://{}", play.host()));
    let line = format!("GET {}", below.expect("the address of this page"));
    let host = format!("Host: {}", play.host());
    assert_eq!(play.ask(&line, &["Host: evil.example"], "").status, 403);
    let response = play.ask(&line, &[&host], "");
    assert_eq!(response.status, 303);
    assert!(response.head.contains(&format!("\r\nLocation: {token}\r\n")), "{}", response.head);
    assert_eq!(play.ask(&line, &[&host], "").status, 404, "the address works once");
    assert_eq!(play.ask("GET /open/", &[&host], "").status, 404);
}

fn the_browser_of_the_variable_is_started() {
    for (browsers, expected) in [
        ("own-browser", "http://127.0.0.1:"),
        (":/no/such/browser:own-browser --new:xdg-open", "http://127.0.0.1:"),
        ("own-browser %s", "http://127.0.0.1:"),
        ("own-browser --app=%s", "--app=http://127.0.0.1:"),
    ] {
        for has_desktop in [false, true] {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let opened = browser(directory.path(), "own-browser");
            let mut command = opening(directory.path());
            command.env("BROWSER", browsers);
            if has_desktop {
                command.env("DISPLAY", ":0");
            }
            let _play = Play::start(command);
            wait_until("a browser is started", || opened.exists());
            let address = fs::read_to_string(&opened).expect("it is text");
            assert!(address.starts_with(expected) && address.contains("/open/"), "{address}");
        }
    }
}

fn responses_forbid_everything_from_elsewhere() {
    let play = Play::of_cpu();
    let page = play.get("");
    for part in [
        "Content-Security-Policy: default-src 'none'; script-src 'nonce-",
        "frame-ancestors 'none'",
        "form-action 'none'",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
    ] {
        assert!(page.head.contains(part), "no {part} in {}", page.head);
    }
    let nonce = |head: &str| head.split("'nonce-").nth(1).map(|rest| rest[..32].to_owned());
    assert_ne!(nonce(&page.head), nonce(&play.get("").head), "each page has its own nonce");
    for outside in ["http://", "https://", "src=\"//", "@import", "url("] {
        assert!(!page.body.contains(outside), "the page has {outside}");
    }
    let hostile = "<script>alert(1)</script>&\"";
    let text = "m,host=<b> <script>alert(1)</script>&\"=1 1\n";
    let file = file(text);
    let play = Play::of_tunable(file.path(), &[]);
    let svg = play.run(&[("field", &[hostile])])["svg"].to_string();
    assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script"), "{svg}");
}

fn silent_connections_do_not_keep_the_page_away() {
    let play = Play::of_cpu();
    let silent: Vec<_> = (0..200).map(|_| play.connect()).collect();
    // Those over the limit are closed.
    let closed = silent.last().expect("there are some");
    assert!(matches!((&mut &*closed).read(&mut [0]), Ok(0) | Err(_)));
    drop(silent);
    let is_served = || std::panic::catch_unwind(|| play.get("").status).is_ok();
    wait_until("the page is served again", is_served);
}

/// Runs a command line in a directory.
fn in_shell(command: &str, directory: &Path) -> Output {
    Command::new("sh").args(["-c", command]).current_dir(directory).output().expect("sh runs")
}

fn a_run_returns_a_picture_and_both_texts() {
    let play = Play::of_cpu();
    let mut values = request(&[("field", &["usage_user"]), ("size", &["5"])]);
    values["one"]["group_by"] = json!(["cpu"]);
    let shown = play.post(&values).json()["results"][0].take();
    let svg = shown["svg"].as_str().expect("there is a picture");
    assert!(svg.starts_with("<svg") && svg.contains("size=5") && svg.contains("cpu=cpu1"));
    assert_eq!((&shown["points_in"], &shown["points_out"]), (&json!(4200), &json!(4200)));
    assert_eq!(shown["problems"], json!([]));
    let expected =
        "    |groupBy('cpu')\n    @moving_avg()\n        .field('usage_user')\n        .size(5)\n";
    assert_eq!(shown["tickscript"], json!(expected));
    let command = shown["command"].as_str().expect("there is a command line");
    let (program, arguments) = command.split_once(" replay ").expect("it replays");
    assert!(program.ends_with("/moving_avg"), "{program}");
    let expected = "-o field=usage_user -o size=5 --group-by cpu --plot moving_avg.svg --utc";
    assert_eq!(arguments, format!("{CPU} {expected}"));
    // The command does what the page shows.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lines = in_shell(command, directory.path());
    assert_eq!(String::from_utf8_lossy(&lines.stdout).lines().count(), 4200, "{lines:?}");
    let drawn = fs::read_to_string(directory.path().join("moving_avg.svg"));
    let drawn = drawn.expect("there is a picture");
    for part in ["moving_avg field=usage_user size=5", "cpu=cpu1", ", UTC\n"] {
        assert!(drawn.contains(part) && svg.contains(part), "{part}: {drawn}");
    }
}

fn texts_are_quoted_for_the_shell_and_the_script() {
    let file = file(POINTS);
    let play = Play::of_tunable(file.path(), &["--precision", "ns", "--database", "it's"]);
    let shown = play.run(&[
        ("field", &["x"]),
        ("absolute", &[]),
        ("note", &["a, 'b'\nc\\"]),
        ("also", &["y"]),
        ("also", &["s"]),
        ("shift", &["90s"]),
        ("mode", &["half"]),
    ]);
    assert_eq!(shown["problems"], json!([]));
    let expected = "    @tunable()\n        .field('x')\n        .absolute()\n        \
                    .note('''a, 'b'\nc\\''')\n        .also('y')\n        .also('s')\n        \
                    .shift(90s)\n        .mode('half')\n";
    assert_eq!(shown["tickscript"], json!(expected));
    let command = shown["command"].as_str().expect("there is a command line");
    let expected = r" --precision ns --database 'it'\''s' --plot tunable.svg";
    assert!(command.ends_with(expected), "{command}");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let replayed = in_shell(command, directory.path());
    let lines = "m,host=a scaled=1.5 91000000000\n";
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), lines, "{replayed:?}");
}

fn each_problem_is_at_its_option() {
    let file = file(POINTS);
    let play = Play::of_tunable(file.path(), &[]);
    let problems = |options: &[(&str, &[&str])]| {
        let shown = play.run(options);
        assert!(shown["svg"].is_null());
        let problems = shown["problems"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        problems.map(|problem| [text(&problem["option"]), text(&problem["text"])]).collect()
    };
    let check = |options: &[(&str, &[&str])], expected: &[[&str; 2]]| {
        let problems: Vec<[String; 2]> = problems(options);
        assert_eq!(problems, expected);
    };
    check(
        &[("times", &["0"]), ("share", &["0.1"])],
        &[
            ["field", "`.field` is missing; write `.field('value')`"],
            ["times", "`.times(0)`: the argument must be from 1 to 1000; write `.times(1)`"],
            ["share", "`.share(0.1)`: the argument must be at least 0.5; write `.share(0.5)`"],
        ],
    );
    check(
        &[("field", &["x"]), ("times", &["many"]), ("shift", &["10"])],
        &[
            ["times", "option `times`: `many` is not a valid INT: write a whole number, like 10"],
            [
                "shift",
                "option `shift`: `10` is not a valid DURATION: the unit is missing; write 10s or 5m, for example, with one of ns, u, ms, s, m, h, d and w",
            ],
        ],
    );
    check(
        &[("field", &["x"]), ("absolute", &[]), ("limits", &["1", "2"])],
        &[[
            "absolute",
            "`.absolute()` and `.limits(1.0, 2.0)` exclude each other; keep one of them",
        ]],
    );
    let mut values = request(&[("field", &["x"])]);
    values["one"]["every"] = json!("soon");
    let shown = play.post(&values).json();
    assert!(shown["results"][0]["every_problem"].is_string(), "{shown}");
}

fn a_newer_request_ends_a_run_that_hangs() {
    let (file, directory) = (file(POINTS), tempfile::tempdir().expect("a temporary directory"));
    let hangs = directory.path().join("hangs");
    let path = hangs.to_str().expect("it is text");
    for play in [
        Play::of_tunable(file.path(), &[]),
        Play::start(udf(&[
            "play",
            file.path().to_str().expect("it is text"),
            "--no-open",
            "--",
            env!("CARGO_BIN_EXE_tunable"),
        ])),
    ] {
        let _ = fs::remove_file(&hangs);
        let values = request(&[("field", &["x"]), ("hang", &[path])]);
        thread::scope(|scope| {
            let old = scope.spawn(|| play.post(&values).status);
            wait_until("the UDF gets a point", || hangs.exists());
            let shown = play.run(&[("field", &["x"])]);
            assert_eq!(shown["points_out"], json!(2));
            assert_eq!(old.join().expect("it ends"), 409);
        });
    }
}

fn two_settings_have_the_same_axes() {
    let file = file(POINTS);
    let play = Play::of_tunable(file.path(), &[]);
    let mut values = request(&[("field", &["x"])]);
    values["other"] = request(&[("field", &["x"]), ("times", &["2"])])["one"].take();
    let results = play.post(&values).json()["results"].take();
    let labels = |at: usize| {
        let svg = results[at]["svg"].as_str().expect("there is a picture").to_owned();
        let texts = svg.split("<text").skip(1).filter_map(|text| {
            let text = text.split_once('>')?.1.split('<').next()?.trim().to_owned();
            text.parse::<f64>().ok().map(|_| text)
        });
        texts.collect::<Vec<_>>()
    };
    assert!(!labels(0).is_empty());
    assert_eq!(labels(0), labels(1));
    values["other"]["options"] = json!([]);
    let results = play.post(&values).json()["results"].take();
    assert!(results[0]["svg"].is_string() && results[1]["svg"].is_null(), "one has an error");
}

fn the_form_describes_the_options_and_the_input() {
    let file = file(POINTS);
    let start = ["-o", "field=x", "-o", "also=y", "-o", "limits=1,2", "--group-by", "host"];
    let play = Play::of_tunable(file.path(), &start);
    let form = play.get("form").json();
    assert_eq!(form["udf"]["name"], json!("tunable"));
    assert_eq!(form["udf"]["options"].as_array().map(Vec::len), Some(10));
    assert_eq!(form["input"]["fields"], json!(["s", "x", "y"]));
    assert_eq!(form["input"]["tags"], json!(["host"]));
    assert_eq!(form["input"]["liveliest"], json!("x"));
    assert_eq!(
        form["start"],
        json!({
            "options": [
                { "name": "field", "args": ["x"] },
                { "name": "also", "args": ["y"] },
                { "name": "limits", "args": ["1.0", "2.0"] },
            ],
            "group_by": ["host"],
            "by_name": false,
            "every": null,
        })
    );
}

fn batches_have_windows_and_recordings_have_their_own() {
    let outliers = udf_tests::program::example("outliers");
    let page = |file: &NamedTempFile, args: &[&str]| {
        let mut command = Command::new(&outliers);
        command.args(["play", file.path().to_str().expect("it is text"), "--no-open"]).args(args);
        Play::start(command)
    };
    let points = file(POINTS);
    let play = page(&points, &["--every", "1s"]);
    assert_eq!(play.get("form").json()["start"]["every"], json!("1s"));
    let mut values = request(&[("field", &["x"])]);
    values["one"]["every"] = json!("10s");
    values["one"]["by_name"] = json!(true);
    let shown = play.post(&values).json()["results"][0].take();
    let windows = "    |groupBy()\n        .byMeasurement()\n    |window()\n        .period(10s)\n        \
                   .every(10s)\n        .align()\n    @outliers()\n        .field('x')\n";
    assert_eq!((&shown["problems"], &shown["tickscript"]), (&json!([]), &json!(windows)));
    let command = shown["command"].as_str().expect("there is a command line");
    assert!(
        command.ends_with(" -o field=x --by-name --every 10s --plot outliers.svg"),
        "{command}"
    );

    let batch = r#"{"name":"m","tags":{"host":"a"},"points":[{"fields":{"x":1},"time":"2026-01-01T00:00:00Z","tags":{"host":"a"}}],"tmax":"2026-01-01T00:00:01Z"}"#;
    let recording = file(batch);
    let play = page(&recording, &[]);
    let form = play.get("form").json();
    assert_eq!(form["input"]["is_recording"], json!(true), "{form}");
    assert_eq!(form["input"]["fields"], json!(["x"]));
    assert_eq!(play.run(&[("field", &["x"])])["points_in"], json!(1));
}

fn inputs_without_points_are_shown() {
    for (text, note) in [
        ("", "there are no points in the input"),
        ("# only a comment\n", "there are no points in the input"),
        ("m x=1 1\n", ""),
        ("m x=1e308 1\nm x=-1e308 2\nm x=1 0\n", ""),
    ] {
        let file = file(text);
        let play = Play::of_tunable(file.path(), &[]);
        let shown = play.run(&[("field", &["x"])]);
        assert_eq!(shown["problems"], json!([]), "{text}");
        assert!(shown["svg"].is_string(), "{text}");
        if !note.is_empty() {
            assert_eq!(shown["notes"], json!([note]), "{text}");
        }
    }
    let file = file("m x=1 1\nm x=oops 2\n");
    let play = Play::of_tunable(file.path(), &[]);
    let form = play.get("form").json();
    let problem = form["input"]["problem"].as_str().expect("there is a problem");
    assert!(problem.contains("line 2"), "{problem}");
    let shown = play.run(&[("field", &["x"])]);
    assert!(shown["problems"][0]["option"].is_null());
    assert!(shown["problems"][0]["text"].as_str().is_some_and(|text| text.contains("line 2")));
}

fn the_notes_name_what_the_page_has() {
    let groups: String =
        (0..9).map(|host| format!("m,host=h{host} x={host} 1700000000\n")).collect();
    let shared: String = (0..40).map(|x| format!("m,host=h{x} x={x} 1000\n")).collect();
    let fields: Vec<String> = (0..9).map(|field| format!("f{field}={field}")).collect();
    let fields = format!("m {} 1700000000000000000\n", fields.join(","));
    let mut notes = Vec::new();
    for (text, tags, field) in
        [(groups, &["host"][..], "x"), (shared, &[], "x"), (fields, &[], "none")]
    {
        let file = file(&text);
        let play = Play::of_tunable(file.path(), &[]);
        let mut values = request(&[("field", &[field])]);
        values["one"]["group_by"] = json!(tags);
        let shown = play.post(&values).json()["results"][0].take();
        assert!(shown["svg"].is_string(), "{shown}");
        let of_run = shown["notes"].as_array().expect("a list").iter();
        notes.extend(of_run.filter_map(Value::as_str).map(str::to_owned));
    }
    for part in [
        "the first 6 by name, of 9 groups",
        "several points of a group have the same time: group by more tags to separate them",
        "4 of 9 input fields",
        "all times were read as nanoseconds and are in January 1970; if they have another unit, \
         start `play` again with --precision s",
    ] {
        assert!(notes.iter().any(|note| note == part), "{part}: {notes:?}");
    }
}

fn the_last_log_lines_of_the_run_are_shown() {
    let file = file(POINTS);
    let path = file.path().to_str().expect("it is text");
    let tunable = env!("CARGO_BIN_EXE_tunable");
    for play in [
        Play::of_tunable(file.path(), &[]),
        Play::start(udf(&["play", path, "--no-open", "--", tunable])),
    ] {
        let lines_of = |field: &str| {
            let log = play.post(&request(&[("field", &[field])])).json()["log"].take();
            let log = log.as_array().expect("a list").iter().filter_map(Value::as_str);
            log.map(str::to_owned).collect::<Vec<_>>()
        };
        let has_field = |line: &String| line.contains("`none`");
        assert!(!lines_of("x").iter().any(has_field));
        let lines = lines_of("none");
        assert!((1..=20).contains(&lines.len()) && lines.iter().any(has_field), "{lines:?}");
        assert!(!lines_of("x").iter().any(has_field), "each run begins with none");
    }
}

fn a_reload_reads_the_file_again() {
    let mut file = file(POINTS);
    let play = Play::of_tunable(file.path(), &[]);
    file.write_all(b"m,rack=1 z=1 3000000000\n").expect("it can be written");
    assert_eq!(play.run(&[("field", &["x"])])["points_in"], json!(2));
    let form = play.get("form").json();
    assert_eq!(form["input"]["tags"], json!(["host", "rack"]));
    assert_eq!(play.run(&[("field", &["x"])])["points_in"], json!(3));
    drop(file);
    let form = play.get("form").json();
    assert_eq!(form["input"]["tags"], json!(["host", "rack"]), "the content stays");
    let problem = form["input"]["problem"].as_str().expect("there is a problem");
    assert!(problem.starts_with("cannot read `"), "{problem}");
}

fn the_udf_of_another_program_is_played() {
    let tunable = env!("CARGO_BIN_EXE_tunable");
    let mut command = udf(&["play", "-", "--no-open", "-o", "times=3", "--", tunable]);
    let file = file(POINTS);
    command.stdin(fs::File::open(file.path()).expect("it is there"));
    let play = Play::start(command);
    let form = play.get("form").json();
    assert_eq!(form["udf"]["complete"], json!(false));
    assert_eq!(form["start"]["options"], json!([{ "name": "times", "args": ["3"] }]));
    for _ in 0..2 {
        let shown = play.run(&[("field", &["x"])]);
        assert_eq!((&shown["problems"], &shown["points_out"]), (&json!([]), &json!(2)));
        let command = format!("udf replay - -o field=x --plot tunable.svg -- {tunable}");
        assert_eq!(shown["command"], json!(command));
    }
    let shown = play.run(&[("field", &["x"]), ("times", &["0"])]);
    assert_eq!(shown["problems"][0]["option"], json!("times"));
}

fn a_program_that_is_no_udf_has_the_error_of_replay() {
    let file = file(POINTS);
    let path = file.path().to_str().expect("it is text");
    // It returns each request as its response.
    let play = Play::start(udf(&["play", path, "--no-open", "--", "cat"]));
    let shown = play.run(&[]);
    let replayed = udf(&["replay", path, "--", "cat"]).output().expect("udf runs");
    let text = shown["problems"][0]["text"].as_str().expect("there is an error");
    assert_eq!(format!("error: {text}\n"), String::from_utf8_lossy(&replayed.stderr));
}

fn a_start_that_fails_says_why() {
    let file = file(POINTS);
    let path = file.path().to_str().expect("it is text");
    let failed = |args: &[&str]| {
        let output: Output = tunable(&[&["play", "--no-open"], args].concat())
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        assert!(output.stdout.is_empty());
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let (status, stderr) = failed(&["/no/such/file"]);
    assert_eq!(status, Some(1));
    assert!(stderr.starts_with("error: cannot read `/no/such/file`: "), "{stderr}");
    let (status, stderr) = failed(&["/"]);
    assert!(status == Some(1) && stderr.starts_with("error: cannot read `/`: "), "{stderr}");
    let (status, stderr) = failed(&[path, "-o", "feild=x"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("there is no option `feild`; did you mean `field`?"), "{stderr}");
    let (status, stderr) = failed(&[path, "--times", "3"]);
    assert!(status == Some(2) && stderr.contains("-o times=VALUE"), "{stderr}");
    let (status, stderr) = failed(&[path, "--every", "10s"]);
    let expected =
        "error: --every is for UDFs that want batches, and this UDF wants a stream\n".to_owned();
    assert_eq!((status, stderr), (Some(2), expected));
    let play = Play::of_tunable(file.path(), &[]);
    let port = play.host().rsplit(':').next().expect("it has a port").to_owned();
    let (status, stderr) = failed(&[path, "--port", &port]);
    assert_eq!(status, Some(1));
    let expected = format!("error: cannot listen on port {port} of 127.0.0.1: ");
    assert!(stderr.starts_with(&expected), "{stderr}");
}

fn a_file_that_cannot_be_read_ends_the_start_as_it_ends_replay() {
    let batch = r#"{"name":"m","points":[{"fields":{"x":1},"time":"2026-01-01T00:00:00Z"}],"tmax":"2026-01-01T00:00:01Z"}"#;
    let outliers = udf_tests::program::example("outliers");
    let tunable = Path::new(env!("CARGO_BIN_EXE_tunable"));
    for (program, text, arguments, status) in [
        (tunable, "garbage\n", &[][..], 1),
        (tunable, "garbage\nm x=1 1\n", &[], 1),
        (tunable, "\u{1f}\u{8b}", &[], 1),
        (tunable, "BZh", &[], 1),
        (tunable, batch, &[], 2),
        (&outliers, batch, &["--every", "10s"], 2),
        (&outliers, batch, &["--group-by", "host"], 2),
        (&outliers, "{\"name\":", &[], 1),
    ] {
        let file = file(text);
        let run = |subcommand: &str, more: &[&str]| {
            let output = Command::new(program)
                .args([subcommand, file.path().to_str().expect("it is text"), "-o", "field=x"])
                .args(arguments)
                .args(more)
                .output()
                .expect("the program starts");
            (output.status.code(), String::from_utf8(output.stderr).expect("text"))
        };
        let played = run("play", &["--no-open"]);
        assert_eq!(played, run("replay", &[]), "{text} {arguments:?}");
        assert!(played.0 == Some(status) && played.1.starts_with("error: "), "{played:?}");
    }
}

fn what_cannot_be_played_is_reported_on_the_terminal() {
    for (text, expected) in [
        ("m x=1 1700000000000000000\nm x=oops 2\n", "error: line 2: "),
        ("# only a comment\n", "note: there are no points in the input\n"),
        ("m x=1 1700000000\n", "note: all times were read as nanoseconds and are in January 1970"),
    ] {
        let (file, stderr) = (file(text), NamedTempFile::new().expect("a temporary file"));
        let command = tunable(&["play", file.path().to_str().expect("text"), "--no-open"]);
        // It prints this before its address.
        let _play = Play::start_with(command, stderr.reopen().expect("it is there").into());
        let stderr = fs::read_to_string(stderr.path()).expect("it is text");
        assert!(stderr.starts_with(expected), "{stderr}");
    }
}
