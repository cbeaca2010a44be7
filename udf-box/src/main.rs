//! The program `udfs`: all UDFs of the box.

use std::process::ExitCode;

use udf_box::{aggregate, alert, anomaly, clean, smooth};

fn main() -> ExitCode {
    udf_runtime::main!(
        clean::Deadband,
        clean::Dedupe,
        smooth::Ewma,
        smooth::Forecast,
        smooth::HoltWinters,
        alert::Hysteresis,
        alert::Missing,
        aggregate::Quantiles,
        clean::Rate,
        clean::Reorder,
        clean::Sample,
        anomaly::Zscore,
    )
}
