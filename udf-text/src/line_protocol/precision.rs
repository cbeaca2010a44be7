//! The unit of the times in line protocol.

use std::fmt;

use super::limits::{MAX_TIME, MIN_TIME};

/// The unit of the times in line protocol. Defaults to nanoseconds.
///
/// ```
/// use udf_text::line_protocol::Precision;
///
/// assert_eq!(Precision::parse("ms"), Some(Precision::Milliseconds));
/// assert_eq!(Precision::Milliseconds.to_string(), "ms");
/// assert_eq!(Precision::parse("d"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// `ns`, the default of line protocol.
    #[default]
    Nanoseconds,
    /// `u`.
    Microseconds,
    /// `ms`.
    Milliseconds,
    /// `s`.
    Seconds,
    /// `m`.
    Minutes,
    /// `h`.
    Hours,
}

impl Precision {
    /// Parses the name of a unit in InfluxDB 1.x: `ns`, `u`, `ms`, `s`, `m` or `h`. `n` is another
    /// name of `ns`, and `us` and `µs` are other names of `u`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "n" | "ns" => Precision::Nanoseconds,
            "u" | "us" | "µs" => Precision::Microseconds,
            "ms" => Precision::Milliseconds,
            "s" => Precision::Seconds,
            "m" => Precision::Minutes,
            "h" => Precision::Hours,
            _ => return None,
        })
    }

    /// Returns the length of the unit in nanoseconds.
    pub fn nanos(self) -> i64 {
        match self {
            Precision::Nanoseconds => 1,
            Precision::Microseconds => 1_000,
            Precision::Milliseconds => 1_000_000,
            Precision::Seconds => 1_000_000_000,
            Precision::Minutes => 60_000_000_000,
            Precision::Hours => 3_600_000_000_000,
        }
    }

    /// Returns a time of this unit in nanoseconds; none if InfluxDB 1.x cannot store it.
    pub(super) fn time(self, time: i64) -> Option<i64> {
        time.checked_mul(self.nanos()).filter(|time| (MIN_TIME..=MAX_TIME).contains(time))
    }

    /// Returns the unit in which `time` is a moment between the years 2000 and 2050.
    pub(crate) fn likely(time: i64) -> Option<Self> {
        /// The seconds from the epoch to 1 January 2000 and 2050.
        const YEARS: std::ops::Range<i64> = 946_684_800..2_524_608_000;
        let units = [
            Precision::Seconds,
            Precision::Milliseconds,
            Precision::Microseconds,
            Precision::Nanoseconds,
        ];
        let per_second = |unit: Precision| Precision::Seconds.nanos() / unit.nanos();
        units.into_iter().find(|unit| YEARS.contains(&(time / per_second(*unit))))
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::Nanoseconds => "ns",
            Precision::Microseconds => "u",
            Precision::Milliseconds => "ms",
            Precision::Seconds => "s",
            Precision::Minutes => "m",
            Precision::Hours => "h",
        })
    }
}
