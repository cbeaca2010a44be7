//! Finds the outliers of each batch. Shows options with defaults, and whole batches.
//!
//! ```sh
//! cargo run --release --example outliers -- replay examples/data/cpu.lp -o field=usage_user --group-by cpu --every 60s
//! ```

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::{Batch, BatchView, Emitter, Result, WholeBatchUdf, udf};

/// Points of a batch outside of Tukey's fences.
#[udf(wants = batch, provides = batch)]
struct Outliers {
    /// Field to check.
    #[option]
    field: FieldName,
    /// Distance of the fences from the quartiles, in interquartile ranges.
    #[option(default = 1.5, range = 1.0..)]
    scale: f64,
}

impl WholeBatchUdf for Outliers {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let points = batch.read(|point| Ok((point, point.number(&self.field)?)))?;
        let mut sorted: Vec<_> = points.iter().map(|(_, value)| *value).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (q1, q3) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let reach = self.scale * (q3 - q1);
        let mut outliers = out.begin(batch.begin());
        for (point, value) in &points {
            if *value < q1 - reach || *value > q3 + reach {
                outliers.pass(point);
            }
        }
        Ok(outliers.end(batch.tmax())?)
    }
}

/// Interpolates linearly between the closest ranks. NaN for no values, so that nothing is an
/// outlier.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = share * sorted.len().saturating_sub(1) as f64;
    let at = |rank: f64| sorted.get(rank as usize).copied().unwrap_or(f64::NAN);
    at(rank.floor()) + (at(rank.ceil()) - at(rank.floor())) * rank.fract()
}

fn main() -> ExitCode {
    udf_runtime::main::<Outliers>()
}

#[cfg(test)]
#[path = "tests/outliers.rs"]
mod tests;
