//! The files of `docs/deploy`: the documents show them as they are, and systemd accepts its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use udf_tests::program::example;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The document with each block behind a link to a file, and a colon, replaced by that file.
fn with_files(text: &str) -> String {
    let mut lines = text.lines();
    let (mut made, mut named) = (String::new(), None);
    while let Some(line) = lines.next() {
        made += line;
        made.push('\n');
        if let Some(name) = named.take_if(|_| line.starts_with("```")) {
            let file = fs::read_to_string(docs().join("deploy").join(name));
            made += &file.unwrap_or_else(|error| panic!("{name}: {error}"));
            let end = lines.by_ref().find(|line| line.starts_with("```"));
            made += end.expect("the block ends");
            made.push('\n');
        }
        let link = line.strip_suffix(':').and_then(|line| line.split_once("](deploy/"));
        named = link.and_then(|(_, rest)| rest.split(')').next()).or(named);
    }
    made
}

#[test]
fn the_documents_show_the_files_as_they_are() {
    let path = docs().join("operations.md");
    let found = fs::read_to_string(&path).expect("it is there");
    let current = with_files(&found);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).expect("it is writable");
    } else {
        assert!(
            found == current,
            "docs/operations.md does not show the files of docs/deploy; renew it with\n  \
             UPDATE=1 cargo test -p udf-tests --test deploy"
        );
    }
}

/// The version of systemd that the units were written for, and rated by.
const VERSION: &str = "systemd 252";

/// Runs `systemd-analyze` on the units, with a program that exists; none where this systemd is not installed.
fn analyze(args: &[&str]) -> Option<Output> {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if !version.as_ref().is_ok_and(|output| output.stdout.starts_with(VERSION.as_bytes())) {
        eprintln!("SKIPPED: there is no {VERSION} here: {version:?}");
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in ["moving_avg.service", "moving_avg.socket"] {
        let text = fs::read_to_string(docs().join("deploy").join(name)).expect("it is there");
        let program = example("moving_avg").display().to_string();
        let text = text.replace("/usr/local/bin/moving_avg", &program);
        fs::write(directory.path().join(name), text).expect("it is ours");
    }
    let mut command = Command::new("systemd-analyze");
    Some(command.args(args).current_dir(directory.path()).output().expect("it runs"))
}

#[test]
fn systemd_accepts_the_units() {
    for unit in ["moving_avg.service", "moving_avg.socket"] {
        let Some(output) = analyze(&["verify", "--man=no", unit]) else { return };
        let text = String::from_utf8_lossy(&output.stderr);
        // It looks at every unit that they need, also at those of the machine.
        let ours: Vec<_> = text.lines().filter(|line| line.contains("moving_avg")).collect();
        assert!(ours.is_empty(), "{text}");
    }
}

#[test]
fn the_unit_is_as_little_exposed_as_the_document_says() {
    let document = fs::read_to_string(docs().join("operations.md")).expect("it is there");
    let (_, rest) = document.split_once("rates the exposure of this unit at ").expect("it says");
    let (score, _) = rest.split_once(" of 10").expect("it says");
    let threshold = score.replace('.', "");
    let args = ["security", "--offline=true", "--no-pager", "--threshold", &threshold];
    let Some(output) = analyze(&[&args[..], &["moving_avg.service"]].concat()) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("moving_avg.service: {score} ")), "{text}");
}
