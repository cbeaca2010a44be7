//! The UDFs, and the options that the suites start them with.

use udf_box::{aggregate, alert, anomaly, clean, enrich, signal, smooth};

use crate::running::{Row, row};

/// A row for each UDF: options that work with the points of `series.rs`, and other options that a
/// task may have after a change.
pub(crate) const ROWS: &[Row] = &[
    row::<anomaly::Changepoint>(
        &["field=v", "minSize=2"],
        &[&["field=v", "minSize=1", "penalty=0.1"], &["field=x", "maxPoints=7"]],
    ),
    row::<aggregate::Correlate>(
        &["field=v", "with=x", "size=20", "minPoints=3"],
        &[&["field=v", "with=x", "size=7", "minPoints=4"], &["field=n", "with=v"]],
    ),
    row::<anomaly::Cusum>(
        &["field=v", "learn=2", "limit=2"],
        &[&["field=v", "learn=7", "limit=3", "slack=0"], &["field=x", "minDeviation=0.1"]],
    ),
    row::<clean::Deadband>(
        &["field=v", "deviation=0.01"],
        &[&["field=v", "deviation=2", "maxGap=20s"], &["field=x", "deviation=0"]],
    ),
    row::<clean::Dedupe>(&["field=v"], &[&["field=w", "field=v"], &["every=1s"], &["field=w"]]),
    row::<aggregate::Distinct>(
        &["field=w", "every=5s"],
        &[&["tag=host", "every=5s"], &["field=v", "every=20s"]],
    ),
    row::<smooth::Ewma>(
        &["field=v", "halfLife=10s"],
        &[&["field=v", "halfLife=1m"], &["field=x", "halfLife=10s"]],
    ),
    row::<enrich::Extract>(
        &["field=w", r"pattern=word (?<number>\d+)", "asInt=number"],
        &[
            &["field=w", "pattern=(?<kind>[a-z]+) 1(?<rest>.*)", "asTag=kind", "unmatched=drop"],
            &["tag=host", "pattern=(?<letter>.)", "asFloat=letter"],
        ],
    ),
    row::<smooth::Forecast>(
        &["field=v", "threshold=60"],
        &[
            &["field=v", "threshold=10", "falling", "halfLife=5s"],
            &["field=x", "threshold=1e308", "horizon=1h"],
        ],
    ),
    row::<enrich::Geo>(
        &["geohash=6", "from=52.5,13.4"],
        &[&["from=0,-180"], &["lat=v", "fence=near,50,13,100000", "fence=far,50,-13,1e300"]],
    ),
    row::<aggregate::Histogram>(
        &["field=v", "bucket=45", "bucket=50", "bucket=55", "every=5s"],
        &[&["field=x", "bucket=0", "every=10m"], &["field=v", "bucket=-1e308", "bucket=1e308"]],
    ),
    row::<smooth::HoltWinters>(
        &["field=v"],
        &[&["field=v", "season=7", "gamma=0.5"], &["field=v", "alpha=1", "beta=1", "band=0.5"]],
    ),
    row::<enrich::HttpLookup>(
        &["url=http://127.0.0.1:8080/hosts/{host}.json"],
        &[
            &["url=http://127.0.0.1:8080/{host}", "unmatched=drop", "lookups=1"],
            &[
                "url=http://127.0.0.1:8080/hosts/{host}.json",
                "asTag=owner",
                "maxAge=0s",
                "cache=1KB",
            ],
        ],
    ),
    row::<alert::Hysteresis>(
        &["field=v", "level=warning,52,51", "level=critical,55,53", "enterAfter=2s"],
        &[
            &["field=v", "level=low,48,49"],
            &[
                "field=v",
                "level=warning,52,51",
                "level=critical,55,53",
                "leaveAfter=5s",
                "changesOnly",
            ],
        ],
    ),
    row::<enrich::Lookup>(
        &["file=tests/box/hosts.csv", "by=host"],
        &[
            &["file=tests/box/hosts.csv", "by=host", "asFloat=limit", "asText=note"],
            &["file=tests/box/hosts.csv", "by=owner", "asTag=host", "unmatched=pass"],
        ],
    ),
    row::<anomaly::Mad>(
        &["field=v", "size=20", "minPoints=2"],
        &[&["field=v", "size=7", "minPoints=3"], &["field=x", "minDeviation=0.1"]],
    ),
    row::<alert::Missing>(&["after=4s"], &[&["after=1s", "forgetAfter=30s"]]).at_ticks(),
    row::<anomaly::Mstl>(
        &["field=v", "period=2"],
        &[&["field=v", "period=2", "period=3", "robust"], &["field=x", "period=2", "maxPoints=7"]],
    ),
    row::<aggregate::Quantiles>(
        &["field=v", "quantile=0.5", "quantile=0.99", "every=5s"],
        &[
            &["field=v", "quantile=0.9", "every=10m", "compression=10"],
            &["field=x", "quantile=0.5", "every=20s"],
        ],
    ),
    row::<clean::Rate>(
        &["field=n"],
        &[&["field=v", "per=1m", "maxGap=3s"], &["field=n", "wrapsAt=1000"]],
    ),
    row::<clean::Reorder>(
        &["delay=2s"],
        &[&["delay=1m", "maxPoints=20"], &["delay=10s", "passLate", "maxPoints=1"]],
    ),
    row::<clean::Sample>(
        &["field=v", "every=500ms"],
        &[&["field=x", "every=1s", "how=last"], &["field=v", "every=1ms", "maxGap=500ms"]],
    ),
    row::<anomaly::Seasonal>(
        &["field=v", "season=1m", "slot=30s", "minPoints=2"],
        &[
            &["field=v", "season=1m", "slot=30s", "minPoints=2", "memory=3"],
            &["field=x", "season=24h", "behind=5h", "minDeviation=0.1"],
        ],
    ),
    row::<signal::Spectrum>(
        &["field=v", "size=8", "band=slow,0,0.2"],
        &[&["field=v", "size=5", "step=1"], &["field=x", "size=16", "band=all,0,1e308"]],
    ),
    row::<aggregate::Topk>(
        &["field=w", "every=5s", "size=2"],
        &[
            &["field=w", "every=5s", "size=1", "counters=2"],
            &["tag=host", "sum=v", "every=20s"],
            &["field=x", "sum=n", "counters=15"],
        ],
    ),
    row::<anomaly::Zscore>(
        &["field=v", "size=20", "minPoints=2"],
        &[&["field=v", "size=7", "minPoints=3"], &["field=x", "minDeviation=0.1"]],
    ),
];

#[test]
fn every_udf_of_the_program_has_a_row() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_udfs"))
        .args(["info", "--format", "json"])
        .output()
        .expect("the program starts");
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let names = all.as_array().expect("it is a list").iter().map(|udf| udf["name"].as_str());
    let rows: Vec<_> = ROWS.iter().map(|row| Some(row.name)).collect();
    assert_eq!(names.collect::<Vec<_>>(), rows, "list the same UDFs in main.rs and in the table");
}
