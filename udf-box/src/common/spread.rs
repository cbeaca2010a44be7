//! Mean and standard deviation of values that may be huge or tiny.

use std::collections::VecDeque;

/// The limit of a score. A change of a constant value is infinitely many deviations away, and
/// InfluxDB cannot store an infinity.
pub(crate) const MAX_SCORE: f64 = 1000.0;

/// The mean of values, and their standard deviation with `n - 1`. Both are multiples of `unit`,
/// because the deviation of huge values could overflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    unit: f64,
    mean: f64,
    deviation: f64,
}

impl Spread {
    /// Sums up the values anew for each point. Running sums would keep the rounding errors of a huge
    /// value after it has left the window.
    pub(crate) fn of(values: &VecDeque<f64>) -> Self {
        let values = || values.iter().copied();
        let spread = Spread::in_units(values(), 1.0);
        if spread.deviation.is_finite() && spread.deviation > f64::MIN_POSITIVE.sqrt() {
            return spread;
        }
        // A square is beyond the range of a float.
        let largest = values().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        if largest == 0.0 { spread } else { Spread::in_units(values(), largest) }
    }

    fn in_units(values: impl ExactSizeIterator<Item = f64> + Clone, unit: f64) -> Self {
        let count = values.len() as f64;
        let mean = values.clone().map(|value| value / unit).sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value / unit - mean).powi(2)).sum();
        Spread { unit, mean, deviation: (squares / (count - 1.0)).sqrt() }
    }

    /// Returns how many deviations the value is away from the mean, at most [`MAX_SCORE`].
    pub(crate) fn score(self, value: f64, min_deviation: f64) -> f64 {
        score(value / self.unit, self.mean, self.deviation.max(min_deviation / self.unit))
    }
}

/// Returns the distance from the center in units of `scale`, at most [`MAX_SCORE`].
pub(crate) fn score(value: f64, center: f64, scale: f64) -> f64 {
    // Halves, because the difference of two huge values could overflow.
    let distance = value / 2.0 - center / 2.0;
    if distance == 0.0 {
        return 0.0;
    }
    (distance / (scale / 2.0)).clamp(-MAX_SCORE, MAX_SCORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(values: &[f64], value: f64) -> f64 {
        Spread::of(&values.iter().copied().collect()).score(value, 0.0)
    }

    #[test]
    fn squares_out_of_range_do_no_harm() {
        let unit = scored(&[1.0, 2.0, 3.0, 4.0], 4.0);
        for scale in [1e308 / 4.0, 1e200, 1.0, 1e-200, 1e-300] {
            let scaled = scored(&[scale, 2.0 * scale, 3.0 * scale, 4.0 * scale], 4.0 * scale);
            assert!((scaled - unit).abs() < 1e-12, "{scale}: {scaled}");
        }
        let (mean, deviation) = (1.0 / 3.0, (4.0f64 / 3.0).sqrt());
        let ends = scored(&[f64::MAX, f64::MIN, f64::MAX], f64::MIN);
        assert!((ends - (-1.0 - mean) / deviation).abs() < 1e-12, "{ends}");
        assert_eq!(scored(&[0.0; 5], 0.0), 0.0);
    }

    #[test]
    fn a_score_is_finite() {
        assert_eq!(score(5.0, 5.0, 0.0), 0.0);
        assert_eq!(score(5.1, 5.0, 0.0), MAX_SCORE);
        assert_eq!(score(f64::MIN, f64::MAX, 1.0), -MAX_SCORE);
        assert_eq!(score(3.0, 1.0, f64::INFINITY), 0.0);
        assert_eq!(score(3.0, 1.0, 4.0), 0.5);
    }
}
