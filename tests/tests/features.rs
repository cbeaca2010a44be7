//! The features of the runtime: an author compiles no crate of a part that is left out.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates behind `udf_runtime` with these features.
fn crates(features: &str) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--offline", "-p", "kapacitor-udf-runtime", "-e", "normal"]);
    tree.args(["--prefix", "none", "--no-default-features", "--features", features]);
    let output = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes text");
    let name = |line: &str| line.split(' ').next().map(str::to_owned);
    text.lines().filter_map(name).filter(|name| !name.is_empty()).collect()
}

/// Crates of the command line, of signals, of systemd and of the log.
const OF_MAIN: [&str; 4] = ["clap", "listenfd", "signal-hook", "tracing-subscriber"];
const OF_TESTING: [&str; 1] = ["kapacitor-udf-host"];
/// Crates of pictures.
const OF_PLOT: [&str; 5] =
    ["httparse", "kapacitor-udf-play", "kapacitor-udf-plot", "plotters-svg", "tz-rs"];

#[test]
fn no_crate_of_a_feature_is_compiled_without_it() {
    let (none, testing, main) = (crates(""), crates("testing"), crates("main"));
    let plot = crates("plot");
    for name in OF_PLOT {
        assert!(!main.contains(name), "without `plot`, {name} is in {main:?}");
        assert!(plot.contains(name), "with `plot`, {name} is missing in {plot:?}");
    }
    for name in OF_MAIN {
        assert!(!none.contains(name), "without features, {name} is in {none:?}");
        assert!(!testing.contains(name), "with `testing`, {name} is in {testing:?}");
    }
    for name in OF_TESTING {
        assert!(!none.contains(name), "without features, {name} is in {none:?}");
        assert!(testing.contains(name) && main.contains(name));
    }
    assert!(main.contains("clap") && none.contains("kapacitor-udf-text"));
    assert!(none.is_subset(&testing) && testing.is_subset(&main));
    assert_eq!(
        crates("default"),
        plot,
        "`plot` includes `main`, and `testing` adds no crate to it"
    );
}
