//! Each UDF passes `udf check`, and its options are sound.

use std::time::Duration;

use udf_cli::Target;
use udf_cli::check::{self, CheckSettings, Status};
use udf_host::replay::Replay;

use crate::series;
use crate::table::ROWS;

#[test]
fn every_udf_passes_the_check() {
    let lines = series::usual(1, 200).join("\n");
    std::thread::scope(|scope| {
        for row in ROWS {
            let lines = &lines;
            scope.spawn(move || {
                // All points are in one group, so that a UDF answers after a few points.
                let data =
                    Replay::default().read(lines.as_bytes(), 1000).expect("they are points").data;
                let program = env!("CARGO_BIN_EXE_udfs").into();
                let target = Target::Program { program, args: vec![row.name.into()] };
                let settings = CheckSettings::default().options(row.options.iter().copied());
                let settings = settings.within(Duration::from_secs(20)).data(data);
                let report = check::run(&target, &settings, &mut |_, _| {});
                let report = report.expect("there is a report");
                let bad = |status| status != Status::Pass && status != Status::Skip;
                let bad = report.checks.iter().filter(|finding| bad(finding.status));
                let bad: Vec<_> = bad.collect();
                assert!(bad.is_empty(), "{}: {bad:#?}", row.name);
                assert!(report.passed > 45, "{}: {} passed", row.name, report.passed);
            });
        }
    });
}

#[test]
fn the_options_of_every_udf_are_sound() {
    ROWS.iter().for_each(|row| (row.check)());
}
