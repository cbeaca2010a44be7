//! Reads and writes times in the format of RFC 3339.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time in UTC, to the microsecond. Times before the epoch count as the epoch.
///
/// ```
/// use std::time::UNIX_EPOCH;
///
/// use udf_text::rfc3339::Utc;
///
/// assert_eq!(Utc(UNIX_EPOCH).to_string(), "1970-01-01T00:00:00.000000Z");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub SystemTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (mut days, second) =
            ((since.as_secs() / 86_400).cast_signed(), since.as_secs() % 86_400);
        let mut year = 1970;
        while days >= 365 + i64::from(is_leap(year)) {
            days -= 365 + i64::from(is_leap(year));
            year += 1;
        }
        let mut month = 1;
        while days >= days_in(year, month) {
            days -= days_in(year, month);
            month += 1;
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let (day, micros) = (days + 1, since.subsec_micros());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Parses a time such as `2006-01-02T15:04:05.999999999Z`. Returns nanoseconds since the epoch.
///
/// Returns none if `text` is not a time, or if the time does not fit 64 bits of nanoseconds.
pub fn nanos(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) =
        (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let zone = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':');
    let (hour, minute, second) =
        (number(time.next()?, 2)?, number(time.next()?, 2)?, number(time.next()?, 2)?);
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if date.next().is_some() || time.next().is_some() || !in_range {
        return None;
    }
    let seconds =
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    let digits = fraction.len();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let fraction = number(fraction, digits)? * 10_i64.pow(9 - u32::try_from(digits).ok()?);
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(fraction);
    i64::try_from(nanos).ok()
}

/// Returns the offset of a zone in seconds: `Z`, `+01:00`, `-05:30`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, zone) = zone.split_at(1);
    let (hours, minutes) = zone.split_once(':')?;
    let seconds = number(hours, 2)? * 3_600 + number(minutes, 2)? * 60;
    Some(if sign == "-" { -seconds } else { seconds })
}

/// Parses a number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let all = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the number of days since the epoch.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Leap days from the year 1 to the end of this one.
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Utc, nanos};

    #[test]
    fn times_are_nanoseconds_since_the_epoch() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000000001Z", 1),
            ("1969-12-31T23:59:59.5Z", -500_000_000),
            ("2015-10-30T17:14:12Z", 1_446_225_252_000_000_000),
            ("2000-02-29T12:00:00+01:30", 951_820_200_000_000_000),
            ("2000-03-01T00:00:00-00:30", 951_870_600_000_000_000),
            ("2262-04-11T23:47:16.854775807Z", i64::MAX),
            ("1677-09-21T00:12:43.145224192Z", i64::MIN),
        ] {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "now",
            "0001-01-01T00:00:00Z",
            "2262-04-11T23:47:16.854775808Z",
            "2015-02-29T00:00:00Z",
            "2015-13-01T00:00:00Z",
            "2015-01-01T24:00:00Z",
            "2015-01-01T00:00:00",
            "2015-01-01 00:00:00Z",
            "2015-01-01T00:00Z",
            "2015-01-01T00:00:00.Z",
            "2015-01-01T00:00:00.1234567890Z",
            "2015-1-1T00:00:00Z",
            "+015-01-01T00:00:00Z",
        ] {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_446_225_252_000_000, "2015-10-30T17:14:12.000000Z"),
            (1_767_225_599_000_000, "2025-12-31T23:59:59.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Utc(UNIX_EPOCH + Duration::from_micros(micros)).to_string(), expected);
        }
        let before = Utc(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(before.to_string(), "1970-01-01T00:00:00.000000Z");
    }
}
