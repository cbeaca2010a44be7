//! The files that `udf` generates for its package: man pages and completions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const SUBCOMMANDS: [&str; 11] = [
    "bench",
    "check",
    "completions",
    "info",
    "man",
    "nats",
    "new",
    "play",
    "replay",
    "supervise",
    "telegraf",
];

const OF_NATS: [&str; 4] = ["run", "setup", "split", "status"];

/// Runs `udf`. Returns the exit status, stdout and stderr.
fn udf(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"));
    let output = command.args(args).stdin(Stdio::null()).output().expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn man(directory: &Path) -> (i32, String, String) {
    udf(&["man", directory.to_str().expect("a path of this machine")])
}

#[test]
fn man_writes_a_page_for_each_subcommand() {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let directory = parent.path().join("share/man/man1");
    for _ in 0..2 {
        assert_eq!(
            man(&directory),
            (0, String::new(), String::new()),
            "files are created or overwritten"
        );
    }
    let files = fs::read_dir(&directory).expect("it was created");
    let files: BTreeSet<_> = files.map(|file| file.expect("it is listed").file_name()).collect();
    let mut expected: BTreeSet<_> =
        SUBCOMMANDS.iter().map(|name| format!("udf-{name}.1").into()).collect();
    expected.extend(OF_NATS.map(|name| format!("udf-nats-{name}.1").into()));
    expected.insert("udf.1".into());
    assert_eq!(files, expected);

    let page = |name: &str| fs::read_to_string(directory.join(name)).expect("it was written");
    let main = page("udf.1");
    for name in SUBCOMMANDS {
        assert!(main.contains(&format!("udf\\-{name}(1)")), "{name} is not in udf.1:\n{main}");
    }
    let replay = page("udf-replay.1");
    for part in [".TH udf-replay 1", "\\fBudf replay\\fR [OPTIONS] FILE", "\\-\\-group\\-by"] {
        assert!(replay.contains(part), "no {part} in:\n{replay}");
    }
}

#[test]
fn man_names_the_directory_that_it_cannot_write_to() {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let file = parent.path().join("file");
    fs::write(&file, "").expect("a file can be written");
    let (status, stdout, stderr) = man(&file);
    assert_eq!((status, &*stdout), (1, ""));
    let expected = format!("error: cannot write man pages to {}: File exists", file.display());
    assert!(stderr.starts_with(&expected), "{stderr}");
}

#[test]
fn completions_name_every_subcommand() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (status, script, stderr) = udf(&["completions", shell]);
        assert_eq!((status, &*stderr), (0, ""), "{shell}");
        for word in SUBCOMMANDS.iter().copied().chain(["group-by"]) {
            assert!(script.contains(word), "no {word} for {shell}:\n{script}");
        }
    }
    let (status, stdout, stderr) = udf(&["completions", "ksh"]);
    assert_eq!((status, &*stdout), (2, ""));
    assert!(stderr.contains("[possible values: bash, elvish, fish, powershell, zsh]"), "{stderr}");
}

/// Calls the completion script as bash does.
#[test]
fn bash_completes_names_of_subcommands_and_options() {
    let asked = r#"
        source <("$0" completions bash)
        complete_at() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _udf udf "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[@]}"; }
        complete_at udf ch
        complete_at udf check --f
        complete_at udf completions z
        complete_at udf new rate --wants b
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", asked, env!("CARGO_BIN_EXE_udf_command")]);
    let Ok(output) = bash.stdin(Stdio::null()).output() else {
        eprintln!("SKIPPED: bash does not run here");
        return;
    };
    let stdout = String::from_utf8(output.stdout).expect("the output is UTF-8");
    assert_eq!(
        stdout,
        "check\n--format\nzsh\nbatch\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
