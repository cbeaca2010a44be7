//! Runs each target for a second: its seeds, past findings, and mutants.

use std::path::PathBuf;
use std::time::Duration;

use udf_fuzz::targets::TARGETS;
use udf_fuzz::{Settings, run};

/// Always uses the same seed, so that failures repeat.
fn short(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the target exists");
    let findings = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("findings");
    let settings = Settings { time: Duration::from_secs(1), seed: 7, findings };
    let summary = run(target, &settings).unwrap_or_else(|finding| panic!("{finding}"));
    // The run has kept more than its seeds.
    assert!(summary.kept > (target.seeds)().len() + 5, "{summary:?}");
}

macro_rules! short {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            short(stringify!($name));
        }
    )*

        #[test]
        fn every_target_is_here() {
            let names = TARGETS.iter().map(|target| target.name).collect::<Vec<_>>();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

short!(frames points options prompt restore agent host lines encode written inputs);
