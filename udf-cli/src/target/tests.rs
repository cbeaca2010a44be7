//! The names of UDFs, and how they are installed.

use super::*;

/// A file, as seen from where the tests run.
const SCRIPT: &str = "src/target.rs";

fn target(words: &[&str]) -> Target {
    Target::of_words(words.iter().map(Into::into))
}

#[test]
fn a_supervised_udf_has_the_name_of_its_program() {
    for (words, name) in [
        (&["udf", "supervise", "--", "./rate"][..], "rate"),
        (&["/usr/bin/udf", "supervise", "--restarts", "9", "--", "rate", "--size", "3"], "rate"),
        (&["udf", "supervise", "--", "python3", "-u", SCRIPT], "target"),
        (&["udf", "supervise", "--", "udf_rate"], "udf_rate"),
        (&["udf", "supervise"], "udf"),
        (&["rate", "supervise", "--", "other"], "rate"),
        (&["rate", "--supervise"], "rate"),
    ] {
        assert_eq!(target(words).name(), name, "{words:?}");
    }
}

#[test]
fn a_supervised_udf_is_installed_with_its_full_path() {
    let Install { args, .. } =
        target(&["udf", "supervise", "--", "./udf-python", SCRIPT]).install();
    let full = whole(Path::new("./udf-python")).display().to_string();
    assert_eq!(args, ["supervise", "--", &full, SCRIPT]);
    let Install { args, .. } = target(&["udf", "supervise", "--", "/bin/sh", SCRIPT]).install();
    let full = whole(Path::new(SCRIPT)).display().to_string();
    assert_eq!(args, ["supervise", "--", "/bin/sh", &full]);
}
