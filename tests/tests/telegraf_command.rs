//! The command lines of a UDF that serves Telegraf, its log, and its section of telegraf.conf.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use udf_host::telegraf::LOG_READ_WITHIN;
use udf_tests::program::example;

const UDF: &str = env!("CARGO_BIN_EXE_udf_command");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// Returns the exit status, stdout and stderr of a program with this stdin.
fn run(program: impl AsRef<Path>, args: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(program.as_ref());
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    // A program with invalid arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn text(path: PathBuf) -> String {
    path.to_str().expect("a path of this machine").to_owned()
}

/// Returns the words of a command that serves Telegraf with `moving_avg`, in each of its forms.
fn forms() -> [Vec<String>; 4] {
    let udf = text(example("moving_avg"));
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    [
        words(&[&udf, "telegraf"]),
        words(&[&udf, "telegraf", "--supervise"]),
        words(&[UDF, "telegraf", "--", &udf]),
        words(&[UDF, "telegraf", "--supervise", "--", &udf]),
    ]
}

/// Runs a form with arguments, which come before `--`.
fn serve(form: &[String], args: &[&str], input: &str) -> (i32, String, String) {
    let (own, behind) = match form.iter().position(|word| word == "--") {
        Some(place) => form.split_at(place),
        None => (form, &[][..]),
    };
    let words = own[1..].iter().map(String::as_str).chain(args.iter().copied());
    let words: Vec<_> = words.chain(behind.iter().map(String::as_str)).collect();
    run(&form[0], &words, input)
}

#[test]
fn every_form_serves_telegraf_until_the_end_of_stdin() {
    let args = ["-o", "field=usage_user", "-o", "size=10", "--group-by", "host"];
    let input = "cpu,host=a usage_user=1 1\n\
                 cpu,host=b usage_user=7 1\n\
                 no line\n\
                 cpu,host=a usage_user=3 2\n\
                 cpu,host=a usage_user=5\n";
    for form in forms() {
        let (status, stdout, stderr) = serve(&form, &args, input);
        assert_eq!(status, 0, "{form:?}: {stderr}");
        let (known, now) = stdout.split_at(stdout.len().min(66));
        let expected = "cpu,host=a avg=1.0 1\ncpu,host=b avg=7.0 1\ncpu,host=a avg=2.0 2\ncpu";
        assert_eq!(known, expected, "{form:?}");
        assert!(now.starts_with(",host=a avg=3.0 1"), "{form:?}: the clock tells the time: {now}");
        for line in stderr.lines() {
            assert!(["I! ", "W! "].iter().any(|level| line.starts_with(level)), "{form:?}: {line}");
        }
        let skipped = "W! skipped a line of stdin: line 3: ";
        assert!(stderr.lines().any(|line| line.starts_with(skipped)), "{form:?}: {stderr}");
    }
}

#[test]
fn invalid_options_are_one_line_that_names_them_all() {
    let [kit, supervised, udf, _] = forms();
    for (form, args, expected) in [
        (
            &kit,
            "-o sise=3 -o feld=x",
            "there is no option `sise`; did you mean `size`?; there is no option `feld`; did you mean `field`?",
        ),
        (&supervised, "-o sise=3", "there is no option `sise`; did you mean `size`?"),
        (
            &udf,
            "-o size=0",
            "the UDF refused its options: UDF moving_avg: 2 problems with its options: (1) `.field` is missing; \
             write `.field('value')`; (2) `.size(0)`: the argument must be at least 1; write `.size(1)`",
        ),
        (
            &kit,
            "--size 10",
            "unexpected argument '--size' found; tip: an option of the UDF is given as -o size=VALUE",
        ),
        (
            &kit,
            "--grop-by x",
            "unexpected argument '--grop-by' found; tip: a similar argument exists: '--group-by'",
        ),
        (
            &kit,
            "--grace 5s",
            "the following required arguments were not provided: --every <DURATION>",
        ),
        (&kit, "--restarts 3", "the following required arguments were not provided: --supervise"),
        (
            &supervised,
            "--poison skip",
            "--poison skip needs --poison-file, so that no input is lost; add --poison-file PATH",
        ),
        (
            &kit,
            "--every 5s -o field=x -o size=1",
            "the UDF wants a stream, which is not cut into batches; leave --every out",
        ),
    ] {
        let args: Vec<_> = args.split(' ').collect();
        let (status, stdout, stderr) = serve(form, &args, "m v=1\n");
        assert_eq!((status, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert_eq!(stderr, format!("E! {expected}\n"), "{args:?}");
    }
    let (moving_avg, zones, outliers) =
        (example("moving_avg"), example("zones"), example("outliers"));
    for (program, args, expected) in [
        (
            UDF,
            "telegraf",
            "the following required arguments were not provided: <--socket <PATH>|PROGRAM>",
        ),
        (
            UDF,
            "telegraf -- /no/program",
            "cannot run the UDF /no/program: No such file or directory (os error 2)",
        ),
        (
            UDF,
            "telegraf --supervise --socket /no/udf.sock",
            "--supervise needs the program of the UDF, because a supervisor starts it; write \
             `udf telegraf --supervise -- PROGRAM`",
        ),
        (
            &text(moving_avg),
            "--supervise telegraf",
            "--supervise has no effect before `telegraf`; write `telegraf --supervise`",
        ),
        (
            &text(outliers),
            "telegraf -o field=x",
            "the UDF wants batches: set --every, the length of the windows that become batches",
        ),
        (
            &text(zones.clone()),
            "locate telegraf",
            "--zones FILE is missing; add it, or set the environment variable ZONES",
        ),
        (
            &text(zones),
            "locate telegraf --size 1",
            "unexpected argument '--size' found; tip: an option of the UDF is given as -o size=VALUE",
        ),
    ] {
        let (status, stdout, stderr) = run(program, &args.split(' ').collect::<Vec<_>>(), "");
        assert_eq!((status, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert_eq!(stderr, format!("E! {expected}\n"), "{args:?}");
    }
}

#[test]
fn lines_of_the_program_have_a_level() {
    let script = "echo 'E! full' >&2; echo 'WARNING:root: slow' >&2; echo plain >&2; exec \"$0\" --log debug";
    let udf = text(example("moving_avg"));
    for supervise in [&[][..], &["--supervise"]] {
        let args = ["-o", "field=v", "-o", "size=1", "--", "sh", "-c", script, &udf];
        let args = [&["telegraf"], supervise, &args].concat();
        let (status, stdout, stderr) = run(UDF, &args, "m v=1 1\n");
        assert_eq!((status, &*stdout), (0, "m avg=1.0 1\n"), "{stderr}");
        for expected in ["E! full", "W! root: slow", "I! plain"] {
            assert!(stderr.lines().any(|line| line == expected), "no {expected} in {stderr}");
        }
        let debug = |line: &str| line.starts_with("D! connection{task=\"telegraf\"");
        assert!(stderr.lines().any(debug), "{stderr}");
    }
}

#[test]
fn a_udf_that_fails_ends_the_program_with_its_error() {
    let forms = [
        vec![TROUBLED.to_owned(), "telegraf".to_owned()],
        [UDF, "telegraf", "--", TROUBLED].map(str::to_owned).to_vec(),
    ];
    for form in &forms {
        let (status, _, stderr) = serve(form, &["-o", "kind=error"], "m trouble=1 1\n");
        assert_eq!(status, 1, "{stderr}");
        let last = "E! the UDF failed: the file cannot be written: no space left on device";
        assert_eq!(stderr.lines().last(), Some(last), "{form:?}: {stderr}");
        assert!(stderr.lines().all(|line| line.as_bytes()[1..].starts_with(b"! ")), "{stderr}");
    }
}

#[test]
fn a_program_waits_until_its_last_words_are_read() {
    let [kit, _, udf, _] = forms();
    let failing = [TROUBLED, "telegraf", "-o", "kind=error"].map(str::to_owned).to_vec();
    let invalid = |form: &[String]| [&form[..2], &["--no-such-argument".to_owned()]].concat();
    for (words, status) in [(failing, 1), (invalid(&kit), 2), (invalid(&udf), 2)] {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let begun = Instant::now();
        let mut child = command.spawn().expect("the command runs");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        let _ = stdin.write_all(b"m trouble=1 1\n");
        drop(stdin);
        let stderr = child.stderr.take().expect("it is a pipe");
        assert_eq!(child.wait().expect("it ends").code(), Some(status), "{words:?}");
        assert!(begun.elapsed() >= LOG_READ_WITHIN, "{words:?}: nobody has read the log");
        let text = std::io::read_to_string(stderr).expect("it is text");
        assert!(text.contains("E! "), "{words:?}: {text}");
    }
}

/// Returns the section without the lines that only explain.
fn section(program: &str, args: &[&str]) -> String {
    let args = [&["info", "--format", "telegraf"], args].concat();
    let (status, stdout, stderr) = run(program, &args, "");
    assert_eq!((status, &*stderr), (0, ""));
    let shown = |line: &&str| !line.trim_start().starts_with('#') && !line.is_empty();
    stdout.lines().filter(shown).map(|line| format!("{line}\n")).collect()
}

#[test]
fn info_prints_the_section_of_telegraf_conf() {
    let [udf, outliers, zones] =
        ["moving_avg", "outliers", "zones"].map(|name| text(example(name)));
    let of = |command: &str, name: &str| {
        format!(
            "[[processors.execd]]\n  namepass = [\"cpu\"]\n  command = [\n{command}    \
             \"--state-file\", \"/var/lib/telegraf/{name}.state\"\n  ]\n  restart_delay = \"1s\"\n"
        )
    };
    let options = "    \"-o\", \"field=value\", \"-o\", \"size=10\", \"--group-by\", \"*\",\n";
    let kit = of(&format!("    \"{udf}\", \"telegraf\",\n{options}"), "moving_avg");
    assert_eq!(section(&udf, &[]), kit);
    let supervised =
        of(&format!("    \"{udf}\", \"telegraf\", \"--supervise\",\n{options}"), "moving_avg");
    assert_eq!(section(&udf, &["--supervise"]), supervised);
    assert!(
        section(&outliers, &[]).contains("\"--every\", \"60s\", \"--grace\", \"5s\","),
        "a UDF that wants batches needs windows"
    );
    // Of several UDFs, with the argument that they share.
    let all = section(&zones, &["--zones", "/z.csv"]);
    for name in ["locate", "within"] {
        let command =
            format!("    \"{zones}\", \"{name}\", \"telegraf\", \"--zones\", \"/z.csv\",\n");
        assert!(all.contains(&command), "{all}");
    }
    for (args, before, behind) in [
        (
            &["--", &*udf, "--log", "debug"][..],
            "\"telegraf\"",
            format!("\"--\", \"{udf}\", \"--log\", \"debug\""),
        ),
        (
            &["--supervise", "--", &udf],
            "\"telegraf\", \"--supervise\"",
            format!("\"--\", \"{udf}\""),
        ),
    ] {
        let shown = section(UDF, args);
        assert!(shown.contains(&format!("    \"{UDF}\", {before},\n")), "{shown}");
        assert!(shown.contains(&format!(".state\",\n    {behind}\n  ]\n")), "{shown}");
    }
}

#[test]
fn the_section_of_info_serves_telegraf() {
    let udf = text(example("moving_avg"));
    for (shown, field) in [(section(&udf, &[]), "avg"), (section(UDF, &["--", &udf]), "text")] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (_, words) = shown.split_once("command = ").expect("it has a command");
        let (words, _) = words.split_once("  restart_delay").expect("the command ends");
        // An array of strings is the same in JSON.
        let words: Vec<String> = serde_json::from_str(words).expect("it is an array");
        let words: Vec<_> = words
            .iter()
            .map(|word| word.replace("/var/lib/telegraf", &text(directory.path().to_owned())))
            .collect();
        let args: Vec<_> = words[1..].iter().map(String::as_str).collect();
        let (status, stdout, stderr) = run(&words[0], &args, "cpu,a=b value=3,text=3 1\n");
        let expected = format!("cpu,a=b {field}=3.0 1\n");
        assert_eq!((status, stdout), (0, expected), "{stderr}");
    }
}

#[test]
fn the_help_names_the_arguments_of_telegraf() {
    let moving_avg = example("moving_avg");
    let of_kit = run(&moving_avg, &["telegraf", "--help"], "");
    let of_udf = run(UDF, &["telegraf", "--help"], "");
    for (status, stdout, stderr) in [of_kit, of_udf] {
        assert_eq!((status, &*stderr), (0, ""));
        for argument in
            ["--option", "--group-by", "--every", "--grace", "--keep-original", "--supervise"]
        {
            assert!(stdout.contains(argument), "{stdout}");
        }
        assert!(!stdout.contains("--state-dir"), "the state file takes its place: {stdout}");
    }
}
