//! Values between -1 and 1, for sums and squares of huge and tiny values.

/// Values around their middle, in units of the largest distance from it.
#[derive(Debug)]
pub(crate) struct Scaled {
    pub(crate) values: Vec<f64>,
    /// Half of the middle, and half of the unit: the whole may overflow.
    middle: f64,
    unit: f64,
}

impl Scaled {
    pub(crate) fn new(values: &[f64]) -> Self {
        // Halves, because the distance of two huge values could overflow.
        let fold = |of: fn(f64, f64) -> f64| values.iter().map(|value| value / 2.0).reduce(of);
        let (least, most) = fold(f64::min).zip(fold(f64::max)).unwrap_or_default();
        let (middle, unit) = (least / 2.0 + most / 2.0, most / 2.0 - least / 2.0);
        let scaled = |value: &f64| if unit == 0.0 { 0.0 } else { (value / 2.0 - middle) / unit };
        Scaled { values: values.iter().map(scaled).collect(), middle, unit }
    }

    /// Returns a value in place of a scaled one.
    pub(crate) fn value(&self, scaled: f64) -> f64 {
        (2.0 * (scaled * self.unit + self.middle)).clamp(f64::MIN, f64::MAX)
    }

    /// Returns a distance in place of a scaled one.
    pub(crate) fn distance(&self, scaled: f64) -> f64 {
        (2.0 * (scaled * self.unit)).clamp(f64::MIN, f64::MAX)
    }

    /// Returns a sum of squares in place of a scaled one.
    pub(crate) fn square(&self, scaled: f64) -> f64 {
        let unit = 2.0 * self.unit;
        (scaled * unit * unit).clamp(0.0, f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_size_come_back() {
        for scale in [f64::MAX / 4.0, 1.0, 1e-300] {
            let values = [-3.0, 1.0, 4.0].map(|value| value * scale);
            let scaled = Scaled::new(&values);
            assert!(scaled.values.iter().all(|value| (-1.0..=1.0).contains(value)));
            for (value, scaled_value) in values.iter().zip(&scaled.values) {
                let back = scaled.value(*scaled_value);
                assert!((back / scale - value / scale).abs() < 1e-9, "{value}: {back}");
            }
            assert!((scaled.distance(1.0) / scale - 3.5).abs() < 1e-9);
        }
        let constant = Scaled::new(&[7.0; 3]);
        assert_eq!((constant.values[0], constant.value(0.0)), (0.0, 7.0));
    }
}
