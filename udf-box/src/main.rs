//! The program `udfs`: all UDFs of the box.

use std::process::ExitCode;

use udf_box::{aggregate, alert, anomaly, clean, enrich, signal, smooth};

fn main() -> ExitCode {
    udf_runtime::main!(
        anomaly::Changepoint,
        aggregate::Correlate,
        anomaly::Cusum,
        clean::Deadband,
        clean::Dedupe,
        aggregate::Distinct,
        smooth::Ewma,
        enrich::Extract,
        smooth::Forecast,
        enrich::Geo,
        aggregate::Histogram,
        smooth::HoltWinters,
        enrich::HttpLookup,
        alert::Hysteresis,
        enrich::Lookup,
        anomaly::Mad,
        alert::Missing,
        anomaly::Mstl,
        aggregate::Quantiles,
        clean::Rate,
        clean::Reorder,
        clean::Sample,
        anomaly::Seasonal,
        signal::Spectrum,
        aggregate::Topk,
        anomaly::Zscore,
    )
}
