//! Durations as TICKscript writes them: `10s`, `1m30s`, `500ms`.
//!
//! The syntax of `udf_text::duration`: the macros depend on no other crate of the kit.

const UNITS: [(&str, u64); 11] = [
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("µ", 1_000),
    ("u", 1_000),
    ("ns", 1),
];

/// Returns the nanoseconds of a duration.
///
/// # Errors
/// The reason why the text is no duration.
pub(crate) fn nanos(text: &str) -> Result<u64, String> {
    let invalid = || {
        format!(
            "`{text}` is not a duration; write whole numbers with the units w, d, h, m, s, ms, u or \
             ns and without spaces, such as \"500ms\" or \"1m30s\""
        )
    };
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|char: char| char.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let unit = UNITS.into_iter().find(|(name, _)| *name == unit);
        let (Ok(number), Some((_, length))) = (number.parse::<u64>(), unit) else {
            return Err(invalid());
        };
        rest = behind;
        let sum = number.checked_mul(length).and_then(|part| total.checked_add(part));
        // The protocol has 63 bits for a duration.
        total = sum
            .filter(|&sum| i64::try_from(sum).is_ok())
            .ok_or_else(|| format!("`{text}` is too long; a duration has at most 292 years"))?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        assert_eq!(nanos("10s"), Ok(10_000_000_000));
        assert_eq!(nanos("1m30s"), Ok(90_000_000_000));
        assert_eq!(nanos("5ms"), Ok(5_000_000));
        assert_eq!(nanos("7u"), Ok(7_000));
        assert_eq!(nanos("7us"), Ok(7_000));
        assert_eq!(nanos("7µs"), Ok(7_000));
        assert_eq!(nanos("7µ"), Ok(7_000));
        assert_eq!(nanos("1w2d3h4ns"), Ok((9 * 24 + 3) * 3_600_000_000_000 + 4));
        assert_eq!(nanos(" 10s "), Ok(10_000_000_000));
        for wrong in ["", "s", "10", "-1s", "1.5s", "10 s", "10s5", "1y", "300w5000000w"] {
            assert!(nanos(wrong).is_err(), "{wrong}");
        }
    }
}
