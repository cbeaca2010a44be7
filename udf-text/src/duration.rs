//! Durations as text.

use std::time::Duration;

/// Why a text is not a valid duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// The text is not a list of whole numbers with units.
    #[error("write whole numbers with units, like 10s, 100ms or 1h30m")]
    Malformed,
    /// A number has no unit.
    #[error(
        "the unit is missing; write 10s or 5m, for example, with one of ns, u, ms, s, m, h, d and w"
    )]
    NoUnit,
    /// A number has an unknown unit.
    #[error("the unit is unknown; use one of ns, u, ms, s, m, h, d and w")]
    Unit,
    /// The duration is negative. The caller accepts no negative durations.
    #[error("must not be negative")]
    Negative,
    /// The duration is zero. The caller accepts only positive durations.
    #[error("must be greater than zero")]
    Zero,
    /// The duration is longer than about 292 years.
    #[error("it must be shorter than about 292 years")]
    TooLong,
}

/// Parses a duration in the syntax of TICKscript. Returns nanoseconds.
///
/// In addition to TICKscript, `ns` is a unit, and units can follow each other as in InfluxDB:
/// `1h30m`.
///
/// ```
/// use udf_text::duration::nanos;
///
/// assert_eq!(nanos("10s"), Ok(10_000_000_000));
/// assert_eq!(nanos("1m1u"), Ok(60_000_001_000));
/// assert_eq!(nanos("-100ms"), Ok(-100_000_000));
/// ```
///
/// # Errors
/// If the text is malformed or the duration does not fit.
pub fn nanos(text: &str) -> Result<i64, DurationError> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return Err(DurationError::Malformed);
    }
    // 128 bits, because the magnitude of the smallest i64 does not fit an i64.
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let length = behind.find(|char: char| char.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(length);
        if number.is_empty() || unit.contains(['.', '-', '+', ' ']) {
            return Err(DurationError::Malformed);
        }
        let unit: i128 = match unit {
            "ns" => 1,
            "u" | "us" | "µ" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 7 * 86_400_000_000_000,
            "" => return Err(DurationError::NoUnit),
            _ => return Err(DurationError::Unit),
        };
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        total = total.checked_add(i128::from(number) * unit).ok_or(DurationError::TooLong)?;
        rest = behind;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| DurationError::TooLong)
}

/// Parses a duration that must not be negative.
///
/// ```
/// use std::time::Duration;
/// use udf_text::duration::{self, DurationError};
///
/// assert_eq!(duration::parse("1h30m"), Ok(Duration::from_secs(5400)));
/// assert_eq!(duration::parse("-1s"), Err(DurationError::Negative));
/// ```
///
/// # Errors
/// Those of [`nanos`], and [`DurationError::Negative`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let nanos = u64::try_from(nanos(text)?).map_err(|_| DurationError::Negative)?;
    Ok(Duration::from_nanos(nanos))
}

/// Parses a duration that must be greater than zero.
///
/// # Errors
/// Those of [`parse`], and [`DurationError::Zero`].
pub fn positive(text: &str) -> Result<Duration, DurationError> {
    let duration = parse(text)?;
    if duration.is_zero() { Err(DurationError::Zero) } else { Ok(duration) }
}
