//! The ticks of a value axis, from the least to the greatest floats.

use crate::range::Range;

/// Units behind large numbers.
const UNITS: [(f64, &str); 5] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];

/// Returns about `room` round values in the range, with their labels.
pub(crate) fn ticks(range: Range, room: usize) -> Vec<(f64, String)> {
    // Half of each value: the difference of two halves cannot overflow.
    let (low, high) = (range.low / 2.0, range.high / 2.0);
    let step = round_up((high - low) / room.max(1) as f64);
    if !(step.is_normal() && (low / step).abs() < 1e15) {
        return Vec::new();
    }
    let first = (low / step).ceil();
    let count = ((high / step).floor() - first) as usize + 1;
    let values = (0..count.min(2 * room + 2)).map(|place| (first + place as f64) * step * 2.0);
    let values: Vec<_> = values.filter(|value| value.is_finite()).collect();
    let label = labels(range, step * 2.0);
    // Minus zero has a sign.
    values.into_iter().map(|value| (value, label(if value == 0.0 { 0.0 } else { value }))).collect()
}

/// Returns 1, 2 or 5 times a power of ten, at least `step`. Doubled steps are round, too.
fn round_up(step: f64) -> f64 {
    let power = 10_f64.powi((step * 2.0).log10().floor() as i32);
    let doubled = step * 2.0 / power;
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| *round >= doubled * 0.999_999);
    round.unwrap_or(10.0) * power / 2.0
}

/// Returns how the multiples of `step` are written.
fn labels(range: Range, step: f64) -> impl Fn(f64) -> String {
    let greatest = range.low.abs().max(range.high.abs());
    let is_plain = (1e-4..1e15).contains(&greatest) && step >= 1e-9;
    let unit = match is_plain && greatest >= 1e4 {
        true => UNITS.iter().find(|(unit, _)| *unit <= greatest).copied(),
        false => None,
    };
    // A small step on a large value needs all digits.
    let unit = unit.filter(|(unit, _)| decimals(step / unit) <= 3);
    let (unit, suffix) = unit.unwrap_or((1.0, ""));
    let digits = decimals(step / unit);
    let exponent_digits = ((greatest / step).log10().ceil().clamp(0.0, 15.0)) as usize;
    move |value| match (is_plain, value == 0.0) {
        (_, true) => "0".to_owned(),
        (true, _) => format!("{:.digits$}{suffix}", value / unit),
        (false, _) => shortened(&format!("{value:.exponent_digits$e}")),
    }
}

/// Returns the number of digits after the point that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (-(step * 1.000_001).log10().floor()).clamp(0.0, 12.0) as usize
}

/// Removes zeros at the end of the digits: `1.500e30` becomes `1.5e30`.
fn shortened(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once('e') else { return text.to_owned() };
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    };
    format!("{digits}e{exponent}")
}

#[cfg(test)]
mod tests {
    use super::ticks;
    use crate::range::Range;

    fn labels(low: f64, high: f64) -> Vec<String> {
        ticks(Range { low, high }, 5).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn values_are_round_and_short() {
        for (low, high, expected) in [
            (0.0, 100.0, &["0", "20", "40", "60", "80", "100"][..]),
            (-1.0, 1.0, &["-1.0", "-0.5", "0", "0.5", "1.0"]),
            (0.0, 0.4, &["0", "0.1", "0.2", "0.3", "0.4"]),
            (0.0, 2e6, &["0", "0.5M", "1.0M", "1.5M", "2.0M"]),
            (0.0, 12e3, &["0", "5k", "10k"]),
            (
                1.7e9,
                1.7e9 + 4.0,
                &["1700000000", "1700000001", "1700000002", "1700000003", "1700000004"],
            ),
            (f64::MIN, f64::MAX, &["-1e308", "0", "1e308"]),
            (9.5e307, 1.05e308, &["9.6e307", "9.8e307", "1e308", "1.02e308", "1.04e308"]),
            (0.0, 4e-7, &["0", "1e-7", "2e-7", "3e-7", "4e-7"]),
        ] {
            assert_eq!(labels(low, high), expected, "{low} to {high}");
        }
    }
}
