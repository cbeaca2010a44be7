//! `info` and `replay` as programs: their stdout, their stderr, and their exit status.
//!
//! Run directly, this program runs the tests. As its own child, it is the program of a UDF with
//! these two subcommands.

#![allow(clippy::unwrap_used)]

mod peer;

use std::io::{Read, Write};
use std::process::{Command, ExitCode, Output, Stdio};

use peer::{Does, Peer};
use udf_host::command::{self, Failure};
use udf_host::replay;
use udf_proto::EdgeType;
use udf_text::describe::{Description, Install};

/// Tells the child how its UDF behaves.
const CHILD: &str = "UDF_HOST_TEST_CHILD";

fn main() -> ExitCode {
    match std::env::var(CHILD).as_deref() {
        Ok("batch") => return child(Peer::new(EdgeType::Batch, Does::Echo)),
        Ok("silent") => return child(Peer::new(EdgeType::Stream, Does::Repeat(0))),
        Ok("fail") => return child(Peer::new(EdgeType::Stream, Does::FailAt(2))),
        Ok(_) => return child(Peer::new(EdgeType::Stream, Does::Echo)),
        Err(_) => {}
    }
    let tests: &[(&str, fn())] = &[
        ("info_has_five_formats", info_has_five_formats),
        ("a_file_is_replayed_to_stdout", a_file_is_replayed_to_stdout),
        ("stdin_is_replayed_in_batches", stdin_is_replayed_in_batches),
        (
            "a_recording_of_batches_is_replayed_as_it_is",
            a_recording_of_batches_is_replayed_as_it_is,
        ),
        ("the_precision_is_an_argument", the_precision_is_an_argument),
        ("what_may_not_have_been_meant_is_noted", what_may_not_have_been_meant_is_noted),
        ("wrong_usage_is_status_2", wrong_usage_is_status_2),
        ("a_failure_is_status_1_and_one_line", a_failure_is_status_1_and_one_line),
        ("help_is_status_0", help_is_status_0),
        ("output_that_is_closed_early_is_no_failure", output_that_is_closed_early_is_no_failure),
    ];
    let filter: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|part| name.contains(part));
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn child(peer: Peer) -> ExitCode {
    let connect = || peer.connect();
    let program = clap::Command::new("echo")
        .subcommand_required(true)
        .subcommands([command::info_command(), command::replay_command()]);
    let parsed = command::parse(program, std::env::args_os());
    command::exit(parsed.and_then(|matches| match matches.subcommand() {
        Some(("info", matches)) => {
            let info = replay::ask(&connect).map_err(Failure::failed)?;
            let description = Description::from_info("echo", &info);
            let install = Install { program: "/bin/echo".into(), ..Install::default() };
            command::info(matches, &description, &install)
        }
        Some((_, matches)) => command::replay(matches, "child", &[], &connect),
        None => unreachable!("a subcommand is required"),
    }))
}

fn command(does: &str, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(CHILD, does).args(args).stdin(Stdio::null());
    command
}

fn run(does: &str, args: &[&str]) -> (i32, String, String) {
    finished(command(does, args).output().unwrap())
}

fn finished(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn info_has_five_formats() {
    let shown = |args: &[&str]| {
        let (status, stdout, stderr) = run("stream", args);
        assert_eq!((status, &*stderr), (0, ""));
        stdout
    };
    let text = shown(&["info"]);
    assert!(text.starts_with("echo: reads a stream and sends a stream\n"), "{text}");
    let [json, toml, tick, telegraf] =
        ["json", "toml", "tick", "telegraf"].map(|format| shown(&["info", "--format", format]));
    assert!(text.contains(&toml) && text.contains(&tick), "all that is to be pasted is in it");
    assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["name"] == "echo");
    assert!(toml.contains("prog = \"/bin/echo\""), "{toml}");
    assert!(tick.contains("@echo()"), "{tick}");
    assert!(telegraf.contains("    \"/bin/echo\", \"telegraf\",\n"), "{telegraf}");
    assert!(text.ends_with("\nFor telegraf.conf: --format telegraf\n"), "{text}");
}

fn a_file_is_replayed_to_stdout() {
    let text = "m,h=a x=1i 1\nm,h=b x=2i 2\n";
    let file = file(text);
    let path = file.path().to_str().unwrap();
    let (status, stdout, stderr) =
        run("stream", &["replay", path, "-o", "field=x", "-o", "size=3", "--group-by", "h"]);
    assert_eq!((status, &*stdout, &*stderr), (0, text, ""), "no progress bar is in a pipe");
}

fn stdin_is_replayed_in_batches() {
    let mut command = command("batch", &["replay", "-", "--every", "1m", "--group-by", "*"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"m,h=b x=1i 5\nm,h=a x=2i 7\nm,h=a x=3i 6\n").unwrap();
    drop(stdin);
    let (status, stdout, stderr) = finished(child.wait_with_output().unwrap());
    assert_eq!((status, &*stderr), (0, ""));
    let batches = [
        "# batch m,h=a 60000000000\nm,h=a x=3i 6\nm,h=a x=2i 7\n",
        "# batch m,h=b 60000000000\nm,h=b x=1i 5\n",
    ];
    assert_eq!(stdout, batches.concat());
}

fn what_may_not_have_been_meant_is_noted() {
    let noted = |does: &str, text: &str, args: &[&str]| {
        let file = file(text);
        let (status, _, stderr) =
            run(does, &[&["replay", file.path().to_str().unwrap()], args].concat());
        assert_eq!(status, 0, "{stderr}");
        stderr
    };
    assert_eq!(
        noted("stream", "# none\n", &["--group-by", "h"]),
        "note: there are no points in the input\n"
    );
    let points = "m,host=a,cpu=1 x=1i 1\nm,host=b x=2i 2\n";
    assert_eq!(noted("stream", points, &["--group-by", "cpu,host"]), "", "some point has each");
    assert_eq!(noted("stream", points, &["--group-by", "*"]), "");
    assert_eq!(
        noted("stream", points, &["--group-by", "hosst,rack"]),
        "note: the points were grouped by the tag `hosst`, but no point has it; did you mean `host`?\n\
         note: the points were grouped by the tag `rack`, but no point has it; \
         the points have the tags `cpu`, `host`\n"
    );
    assert_eq!(
        noted("batch", "m x=1i 1\n", &["--group-by", "h"]),
        "note: the points were grouped by the tag `h`, but no point has it; the points have no tags\n"
    );
    let none = "note: 2 points were played, and nothing came back\n";
    assert_eq!(noted("silent", points, &[]), none);
}

fn wrong_usage_is_status_2() {
    let file = file("m x=1 1\n");
    let path = file.path().to_str().unwrap();
    let recording = recording();
    let batches = recording.path().to_str().unwrap();
    for (args, expected) in [
        (&[][..], "requires a subcommand"),
        (&["reply"], "similar subcommand exists: 'replay'"),
        (&["replay"], "<FILE>"),
        (&["replay", path, "--grop-by", "x"], "similar argument exists: '--group-by'"),
        (
            &["replay", path, "-o", "sise=3"],
            "error: there is no option `sise`; did you mean `size`?",
        ),
        (&["replay", path, "-o", "size=x"], "`x` is not a valid INT"),
        (&["replay", path, "--size=3"], "tip: an option of the UDF is given as -o size=VALUE"),
        (&["replay", path, "--every", "10"], "the unit is missing"),
        (&["replay", path, "--every", "0s"], "must be greater than zero"),
        (&["replay", path, "--every", "1s"], "error: --every is for UDFs that want batches"),
        (&["replay", path, "--precision", "d"], "must be ns, u, ms, s, m or h"),
        (
            &["replay", batches, "--group-by", "x"],
            "error: the input is a recording of batches, and the UDF wants a stream",
        ),
        (&["info", "--format", "xml"], "[possible values: text, json, toml, tick, telegraf]"),
    ] {
        let (status, stdout, stderr) = run("stream", args);
        assert_eq!((status, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
}

/// A recording of one batch.
fn recording() -> tempfile::NamedTempFile {
    file("{\"name\":\"m\",\"points\":[{\"fields\":{\"x\":1},\"time\":\"2015-10-30T17:14:12Z\"}]}\n")
}

fn a_recording_of_batches_is_replayed_as_it_is() {
    let file = recording();
    let path = file.path().to_str().unwrap();
    let (status, stdout, stderr) = run("batch", &["replay", path]);
    let batch = "# batch m 1446225252000000000\nm x=1.0 1446225252000000000\n";
    assert_eq!((status, &*stdout, &*stderr), (0, batch, ""));
    for (args, expected) in [
        (&["--group-by", "x"][..], "have groups of their own; leave --group-by and --by-name out"),
        (&["--by-name"], "have groups of their own; leave --group-by and --by-name out"),
        (&["--every", "10s"], "have windows of their own; leave --every out"),
        (&["--precision", "s"], "have times of their own; leave --precision out"),
    ] {
        let (status, stdout, stderr) = run("batch", &[&["replay", path], args].concat());
        assert_eq!((status, &*stdout), (2, ""), "{stderr}");
        assert_eq!(
            stderr,
            format!("error: the input is a recording of batches, which {expected}\n")
        );
    }
}

fn the_precision_is_an_argument() {
    let file = file("m x=1i 1439856000\nm x=2i 1439856010\n");
    let path = file.path().to_str().unwrap();
    let (status, stdout, stderr) = run("stream", &["replay", path, "--precision", "s"]);
    let expected = "m x=1i 1439856000000000000\nm x=2i 1439856010000000000\n";
    assert_eq!((status, &*stdout, &*stderr), (0, expected, ""));
    let (status, stdout, stderr) = run("stream", &["replay", path]);
    assert_eq!((status, &*stdout), (0, "m x=1i 1439856000\nm x=2i 1439856010\n"));
    assert_eq!(
        stderr,
        "note: all times were read as nanoseconds and are in January 1970; they look like seconds: \
         use --precision s\n"
    );
    // An explicit unit suppresses the note.
    assert_eq!(run("stream", &["replay", path, "--precision", "ns"]).2, "");
}

fn a_failure_is_status_1_and_one_line() {
    let (status, stdout, stderr) = run("stream", &["replay", "/no/such/file.lp"]);
    assert_eq!((status, &*stdout), (1, ""));
    assert_eq!(
        stderr,
        "error: cannot read `/no/such/file.lp`: No such file or directory (os error 2)\n"
    );

    let (status, stdout, stderr) = run("stream", &["replay", "/"]);
    assert_eq!((status, &*stdout, stderr.lines().count()), (1, "", 1));
    assert!(stderr.starts_with("error: cannot read `/`: is a directory"), "{stderr}");

    let bad = file("m x=1i 1\nm x= 2\n");
    let (status, stdout, stderr) = run("stream", &["replay", bad.path().to_str().unwrap()]);
    assert_eq!((status, &*stdout), (1, "m x=1i 1\n"));
    assert_eq!(stderr, "error: line 2: the field `x` has no value; leave it out\n");

    let good = file("m x=1i 1\nm x=2i 2\n");
    let (status, stdout, stderr) = run("fail", &["replay", good.path().to_str().unwrap()]);
    assert_eq!((status, &*stdout), (1, "m x=1i 1\n"));
    assert!(stderr.contains("the moon is full"), "{stderr}");
}

fn help_is_status_0() {
    let (status, stdout, stderr) = run("stream", &["replay", "--help"]);
    assert_eq!((status, &*stderr), (0, ""));
    assert!(stdout.contains("--group-by <TAGS>"), "{stdout}");
    for said in ["influx_inspect export", ".srpl, .brpl", "gzip", "A line without a time gets"] {
        assert!(stdout.contains(said), "{stdout}");
    }
}

fn output_that_is_closed_early_is_no_failure() {
    let many = file(&"m x=1i 1\n".repeat(50_000));
    let mut command = command("stream", &["replay", many.path().to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 9]).unwrap();
    drop(stdout);
    let (status, _, stderr) = finished(child.wait_with_output().unwrap());
    assert_eq!((status, &*stderr), (0, ""));
}
