//! The correlation of two fields.

use std::collections::VecDeque;

use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::{latest, number};

/// Pearson's correlation of two fields over the latest points of a group.
#[udf(wants = stream, provides = stream)]
pub struct Correlate {
    /// The first field.
    #[option]
    field: FieldName,
    /// The second field.
    #[option]
    with: FieldName,
    /// Number of points to compare.
    #[option(default = 60, range = 3..=10_000)]
    size: usize,
    /// Number of points that are needed for a correlation. Points before that are not sent.
    #[option(default = 10, range = 3..=10_000)]
    min_points: usize,
    /// Name of the field that is added.
    #[option(default = "correlation")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    /// The latest pairs, the newest last.
    #[state(made_with(field, with), max = max_groups)]
    windows: Groups<VecDeque<(f64, f64)>>,
}

/// Returns the correlation of pairs. `None` if one side is constant.
fn correlation(pairs: &VecDeque<(f64, f64)>) -> Option<f64> {
    let first = distances(pairs.iter().map(|pair| pair.0).collect())?;
    let second = distances(pairs.iter().map(|pair| pair.1).collect())?;
    let sum = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(a, b)| a * b).sum::<f64>();
    let found = sum(&first, &second) / (sum(&first, &first) * sum(&second, &second)).sqrt();
    found.is_finite().then_some(found.clamp(-1.0, 1.0))
}

/// Returns the distances of values from their mean, in units of the largest distance. `None` if the
/// values are constant.
fn distances(mut values: Vec<f64>) -> Option<Vec<f64>> {
    let is_constant = values.iter().all(|value| *value == values[0]);
    if is_constant {
        return None;
    }
    // The sum of huge values could overflow, and the square of a tiny distance could vanish.
    in_units_of_the_largest(&mut values);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    in_units_of_the_largest(&mut values);
    Some(values)
}

fn in_units_of_the_largest(values: &mut [f64]) {
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    values.iter_mut().for_each(|value| *value /= largest);
}

impl StreamUdf for Correlate {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        latest::check(self.min_points, self.size)
    }

    fn restored(&mut self) -> Result<()> {
        latest::fit(&mut self.windows, self.size);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let pair = (number(point, &self.field)?, number(point, &self.with)?);
        let window = self.windows.of(point);
        latest::push(window, pair, self.size);
        if window.len() < self.min_points {
            return Ok(());
        }
        match correlation(window) {
            Some(found) => Ok(out.edit(point).field(&self.r#as, found).send()?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_size_have_a_correlation() {
        for scale in [f64::MAX / 4.0, 1e200, 1.0, 1e-200, 1e-310] {
            let pairs = [(1.0, -2.0), (2.0, 1.0), (3.0, -1.0)];
            let pairs = pairs.map(|(x, y)| (x * scale, y * scale)).into();
            let found = correlation(&pairs).expect("neither side is constant");
            assert!((found - 0.327_326_835).abs() < 1e-9, "{scale}: {found}");
        }
        assert_eq!(correlation(&[(1.0, 2.0), (1.0, 3.0), (1.0, 4.0)].into()), None);
    }
}
