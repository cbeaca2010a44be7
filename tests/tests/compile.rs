//! Every mistake that an author can make at compile time: the words, on which token, and that nothing follows.
//!
//! `compile/ours` has what this project words itself, which any toolchain shows alike: not one line of it is
//! rustc's, so that a nightly can be asked as well. `compile/rustc` has what rustc words, with our help, or adds
//! to: that is compared on the toolchain of `rust-version` only, and it can change with a new public name
//! anywhere, since rustc shortens the paths of names that are unique. After a change on purpose,
//! `TRYBUILD=overwrite cargo test -p udf-tests --test compile` writes the texts anew, to be reviewed.

use std::process::Command;

#[test]
fn every_mistake_is_told_where_it_was_made() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("compile/ours/*/*.rs");
    if is_pinned_toolchain() {
        cases.compile_fail("compile/rustc/*/*.rs");
    }
}

/// Whether this is the toolchain that the workspace states.
fn is_pinned_toolchain() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc can be asked");
    let version = String::from_utf8(version.stdout).expect("its version is text");
    let pinned = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");
    version.starts_with(pinned)
}
