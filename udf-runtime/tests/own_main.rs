//! A UDF without the kit's command line, served by its own `main`.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use udf_host::{Init, Interface, Process, Socket};
use udf_proto::{OptionCall, PointBuf, Value};
use udf_runtime::testing;

/// Builds the example as an author would, except for the features, which would rebuild all crates.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--offline", "--example", "own_main"]);
    build
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("--target-dir")
        .arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    profile.join("examples/own_main")
}

fn point() -> PointBuf {
    testing::point("m", |point| point.field("v", 21).time(7))
}

fn doubles(udf: &dyn Interface) {
    udf.open().unwrap();
    let call = OptionCall { name: "field".into(), values: vec![Value::String("v".into())] };
    udf.init(Init { options: vec![call], ..Init::default() }).unwrap();
    udf.point_in().unwrap().send(point().as_point()).unwrap();
    let doubled = udf.point_out().unwrap().recv().unwrap();
    assert_eq!(doubled.as_point().number("double"), Ok(42.0));
    udf.close().unwrap();
}

#[test]
fn it_is_served_on_stdin_and_stdout() {
    doubles(&Process::new(example()));
}

#[test]
fn it_is_served_on_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let mut daemon = Command::new(example()).arg(&path).spawn().unwrap();
    doubles(&Socket::new(&path).connect_within(Duration::from_secs(30)));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
