//! The guide for authors builds the example `rate`. The code and the messages in the guide are
//! those of the example.

use udf_tests::program::example;

const GUIDE: &str = include_str!("../../docs/authoring.md");
const EXAMPLE: &str = include_str!("../../examples/rate.rs");

#[test]
fn the_udf_of_the_guide_is_the_example() {
    let (udf, tests) = EXAMPLE.split_at(EXAMPLE.find("#[cfg(test)]").expect("it has tests"));
    assert!(GUIDE.contains(&format!("```rust,no_run\n{}\n```", udf.trim_end())), "the UDF differs");
    assert!(GUIDE.contains(&format!("```rust\n{}\n```", tests.trim_end())), "its tests differ");
}

/// Returns the output of a command in the guide: the lines up to the end of the block.
fn shown(command: &str) -> String {
    let (_, behind) = GUIDE.split_once(&format!("$ {command}\n")).expect("the guide contains it");
    let (shown, _) = behind.split_once("```").expect("the block ends");
    shown.to_owned()
}

/// Runs `rate` next to the file from the guide. Returns its stdout and stderr.
fn rate(args: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_, behind) = GUIDE.split_once("```text\nnet,").expect("the guide has a file");
    let (lines, _) = behind.split_once("```").expect("the block ends");
    std::fs::write(directory.path().join("net.lp"), format!("net,{lines}")).expect("it is written");
    let mut command = std::process::Command::new(example("rate"));
    let output = command.args(args).current_dir(directory.path()).env_remove("UDF_LOG").output();
    let output = output.expect("the command runs");
    String::from_utf8([output.stdout, output.stderr].concat()).expect("the output is UTF-8")
}

#[test]
fn the_commands_of_the_guide_print_what_it_shows() {
    let replay = "replay net.lp -o field=bytes --group-by host";
    let args: Vec<_> = replay.split(' ').collect();
    assert_eq!(rate(&args), shown(&format!("cargo run --quiet -- {replay}")));
    for arguments in ["replay net.lp -o feild=bytes", "info"] {
        let args: Vec<_> = arguments.split(' ').collect();
        let printed = rate(&args);
        let shown = shown(&format!("rate {arguments}"));
        assert!(printed.starts_with(&shown), "{arguments} prints:\n{printed}");
    }
    let printed = rate(&["replay", "net.lp", "-o", "field=byte"]);
    let shown = shown("rate replay net.lp -o field=byte");
    let untimed = |text: &str| -> Vec<String> {
        let line = |line: &str| line.find("WARN").map_or(line, |at| &line[at..]).to_owned();
        text.lines().map(line).collect()
    };
    assert_eq!(untimed(&printed), untimed(&shown));
}
