//! The program `udfs`: all UDFs of the box.

use std::process::ExitCode;

use udf_box::{aggregate, alert, anomaly, clean, smooth};

fn main() -> ExitCode {
    udf_runtime::main!(
        smooth::Ewma,
        alert::Hysteresis,
        aggregate::Quantiles,
        clean::Rate,
        anomaly::Zscore,
    )
}
