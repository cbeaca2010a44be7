//! One argument, typed.

use udf_proto::{Value, ValueType};

use super::split::Piece;

/// Makes a value of the type `expected` of what was typed.
///
/// # Errors
/// How one of this type is typed, or what is wrong with this one.
pub(super) fn parse(piece: &Piece, expected: ValueType) -> Result<Value, String> {
    if expected == ValueType::String {
        return Ok(Value::String(piece.text.clone()));
    }
    if piece.quoted {
        return Err("it is quoted, and only a STRING is".to_owned());
    }
    let text = piece.text.trim();
    match expected {
        ValueType::Bool => match text {
            "TRUE" | "true" => Ok(Value::Bool(true)),
            "FALSE" | "false" => Ok(Value::Bool(false)),
            _ => Err("write TRUE or FALSE".to_owned()),
        },
        ValueType::Int => match text.parse() {
            Ok(value) => Ok(Value::Int(value)),
            Err(_) if is_integer(text) => {
                Err(format!("it does not fit {} to {}", i64::MIN, i64::MAX))
            }
            Err(_) => Err("write a whole number, like 10".to_owned()),
        },
        ValueType::Double => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Double(value)),
            Ok(_) => Err("a TICKscript has finite numbers only".to_owned()),
            Err(_) => Err("write a number, like 1.5".to_owned()),
        },
        ValueType::Duration => {
            parse_duration(text).map(Value::Duration).map_err(|error| error.to_string())
        }
        ValueType::String => unreachable!("a string is what was typed"),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Text that is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// It is not made of whole numbers, each with its unit.
    #[error("write whole numbers with units, like 10s, 100ms or 1h30m")]
    Malformed,
    /// A number has no unit, or one that does not exist.
    #[error("its unit is none of ns, u, ms, s, m, h, d and w")]
    Unit,
    /// It is longer than about 292 years.
    #[error("it does not fit 64 bits of nanoseconds, about 292 years")]
    TooLong,
}

/// Reads a duration as it is written in a TICKscript, in nanoseconds.
///
/// Beyond a TICKscript's, units can follow each other, as InfluxDB has it: `1h30m`; and there is `ns`.
///
/// ```
/// use udf_host::options::parse_duration;
///
/// assert_eq!(parse_duration("10s"), Ok(10_000_000_000));
/// assert_eq!(parse_duration("1m1u"), Ok(60_000_001_000));
/// assert_eq!(parse_duration("-100ms"), Ok(-100_000_000));
/// ```
///
/// # Errors
/// When it is malformed, or does not fit.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return Err(DurationError::Malformed);
    }
    // Below zero there is room for one more nanosecond.
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
            _ => return Err(DurationError::Unit),
        };
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        total = total.checked_add(i128::from(number) * unit).ok_or(DurationError::TooLong)?;
        rest = behind;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| DurationError::TooLong)
}
