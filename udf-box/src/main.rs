//! The program `udfs`: all UDFs of the box.

use std::process::ExitCode;

use udf_box::{aggregate, alert, anomaly, clean, enrich, smooth};

fn main() -> ExitCode {
    udf_runtime::main!(
        aggregate::Correlate,
        clean::Deadband,
        clean::Dedupe,
        aggregate::Distinct,
        smooth::Ewma,
        enrich::Extract,
        smooth::Forecast,
        enrich::Geo,
        aggregate::Histogram,
        smooth::HoltWinters,
        alert::Hysteresis,
        enrich::Lookup,
        alert::Missing,
        aggregate::Quantiles,
        clean::Rate,
        clean::Reorder,
        clean::Sample,
        aggregate::Topk,
        anomaly::Zscore,
    )
}
