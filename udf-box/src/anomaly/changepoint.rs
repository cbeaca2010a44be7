//! Changes of the mean within a batch.

use udf_runtime::options::FieldName;
use udf_runtime::{Batch, BatchView, Emitter, Result, Task, WholeBatchUdf, udf};

use crate::common::number;
use crate::common::scaled::Scaled;

/// The median distance of two normal values, in standard deviations.
const NORMAL: f64 = 0.953_872_552_417_146_8;

/// Finds the times at which the mean of a field changes within a batch, by PELT.
#[udf(wants = batch, provides = batch)]
pub struct Changepoint {
    /// Field to judge.
    #[option]
    field: FieldName,
    /// Penalty of a change: how much better the segments must fit the values. A higher one finds fewer
    /// changes.
    #[option(default = 3.0, above = 0.0)]
    penalty: f64,
    /// Smallest number of points between two changes.
    #[option(default = 5, range = 1..=10_000)]
    min_size: usize,
    /// Name of the field that is true at the first point behind a change. `changepoint_mean` has the
    /// same beginning.
    #[option(default = "changepoint")]
    r#as: FieldName,
    /// Points of a batch to judge. A longer batch is dropped, with a warning.
    #[option(default = 10_000, range = 1..=100_000)]
    max_points: usize,
    mean: String,
}

impl WholeBatchUdf for Changepoint {
    fn init(&mut self, _: &Task<Batch>) -> Result<()> {
        self.mean = format!("{}_mean", &*self.r#as);
        Ok(())
    }

    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let points = batch.read(|point| Ok((point, number(&point, &self.field)?)))?;
        if points.len() > self.max_points {
            tracing::warn!(
                "a batch of {} points is dropped, because {} are allowed; query shorter batches, or \
                 raise `.maxPoints`, which costs time",
                points.len(),
                self.max_points
            );
            return Ok(());
        }
        let values: Vec<_> = points.iter().map(|(_, value)| *value).collect();
        let starts = changes(&values, self.penalty, self.min_size);
        let ends = starts.iter().skip(1).copied().chain([points.len()]);
        let mut sent = out.begin(batch.begin());
        for (start, end) in starts.iter().copied().zip(ends) {
            let mean = mean(&values[start..end]);
            for (place, (point, _)) in points.iter().enumerate().take(end).skip(start) {
                let is_change = place == start && start > 0;
                sent.edit(point).field(&self.r#as, is_change).field(&self.mean, mean).send()?;
            }
        }
        Ok(sent.end(batch.tmax())?)
    }
}

/// Returns the mean. The sum of huge values could overflow.
fn mean(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    values.iter().map(|value| value / count).sum::<f64>().clamp(f64::MIN, f64::MAX)
}

/// Returns the first place of each segment, by the pruned search of Killick, Fearnhead and Eckley.
fn changes(values: &[f64], penalty: f64, min_size: usize) -> Vec<usize> {
    let count = values.len();
    if count == 0 {
        return Vec::new();
    }
    let Scaled { values, .. } = Scaled::new(values);
    let penalty = penalty * variance(&values).max(1e-12) * (count as f64).ln();
    // The sums of the first values, and of their squares.
    let mut sums = vec![(0.0, 0.0)];
    for value in &values {
        let (sum, squares) = sums[sums.len() - 1];
        sums.push((sum + value, squares + value * value));
    }
    let cost = |start: usize, end: usize| {
        let (sum, squares) = (sums[end].0 - sums[start].0, sums[end].1 - sums[start].1);
        squares - sum * sum / (end - start) as f64
    };
    // The cost of the best segments up to each place, and the start of the last of them.
    let mut best = vec![(-penalty, 0)];
    best.resize(count + 1, (f64::INFINITY, 0));
    // Each start that can still be the best one, and the end from which on it cannot.
    let mut starts = Vec::new();
    for end in min_size.min(count)..=count {
        starts.retain(|(_, useless)| end < *useless);
        starts.push((end.saturating_sub(min_size), usize::MAX));
        let total = |start: usize| best[start].0 + cost(start, end);
        let totals: Vec<_> = starts.iter().map(|(start, _)| total(*start)).collect();
        let least = totals.iter().zip(&starts).min_by(|one, two| one.0.total_cmp(two.0));
        let (least, start) =
            least.map_or((f64::INFINITY, 0), |(total, (start, _))| (*total, *start));
        best[end] = (least + penalty, start);
        // A change at this end is better than such a start, as soon as a segment fits behind it.
        for ((_, useless), total) in starts.iter_mut().zip(totals) {
            if total > least + penalty {
                *useless = (*useless).min(end + min_size);
            }
        }
    }
    let mut found = Vec::new();
    let mut end = count;
    while end > 0 {
        end = best[end].1;
        found.push(end);
    }
    found.reverse();
    found
}

/// Returns the variance of the noise, from the distances of neighbors, which a change of the mean
/// hardly shows in.
fn variance(values: &[f64]) -> f64 {
    let mut distances: Vec<_> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    if distances.is_empty() {
        return 0.0;
    }
    let middle = distances.len() / 2;
    let (_, median, _) = distances.select_nth_unstable_by(middle, f64::total_cmp);
    (*median / NORMAL).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_without_noise_are_found_at_any_scale() {
        for scale in [f64::MAX / 8.0, 1.0, 1e-300] {
            let values: Vec<_> =
                [3.0; 20].iter().chain(&[7.0; 9]).chain(&[-5.0; 30]).map(|v| v * scale).collect();
            assert_eq!(changes(&values, 3.0, 5), [0, 20, 29], "{scale}");
        }
        assert_eq!(changes(&[1.0; 4], 3.0, 5), [0]);
        assert_eq!(changes(&[1.0], 3.0, 1), [0]);
        assert!(changes(&[], 3.0, 1).is_empty());
    }
}
