//! Every error of an author at compile time: its text, its place, and that no other error follows.
//!
//! The errors in `compile/ours` contain only texts of this project. They are the same on every
//! toolchain, including nightly. The errors in `compile/rustc` contain texts of rustc, with or
//! without our help. They are compared only on the toolchain of `rust-version`. A new public name
//! anywhere can change them, because rustc shortens the paths of unique names. After an intended
//! change, run `TRYBUILD=overwrite cargo test -p udf-tests --test compile` and review the new
//! texts.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::process::Command;

#[test]
fn every_mistake_is_told_where_it_was_made() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("compile/ours/*/*.rs");
    if is_pinned_toolchain() {
        cases.compile_fail("compile/rustc/*/*.rs");
    }
}

/// Returns whether this is the toolchain of the workspace.
fn is_pinned_toolchain() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc can be asked");
    let version = String::from_utf8(version.stdout).expect("its version is text");
    let pinned = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");
    version.starts_with(pinned)
}

/// Other toolchains may have other texts of rustc.
#[test]
fn what_any_toolchain_must_show_has_no_line_of_rustc() {
    let mut seen = 0;
    for theme in fs::read_dir("compile/ours").unwrap() {
        for file in fs::read_dir(theme.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "stderr") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let is_rustc_s = |line: &str| {
                ["error[", "warning", "note", "help", "= note", "= help"]
                    .iter()
                    .any(|begin| line.trim_start_matches([' ', '|']).starts_with(begin))
            };
            assert!(
                !text.lines().any(is_rustc_s),
                "{} has words of rustc:\n{text}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} texts were found");
}
