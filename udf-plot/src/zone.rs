//! The time zone of a picture: that of the machine, or UTC.

use std::path::Path;

use tz::datetime::DateTime;
use tz::{TimeZone, UtcDateTime};

const SECOND: i64 = 1_000_000_000;

/// A time zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    zone: TimeZone,
    /// The name, such as `Europe/Berlin`.
    name: String,
}

impl Zone {
    pub(crate) fn utc() -> Self {
        Zone { zone: TimeZone::utc(), name: "UTC".to_owned() }
    }

    /// Returns the zone of the machine: that of the variable `TZ`, else that of `/etc/localtime`,
    /// else UTC.
    pub(crate) fn local() -> Self {
        let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
        let zone = match named {
            Some(name) => Zone::parse(&name),
            None => TimeZone::local().ok().map(|zone| {
                let link = std::fs::read_link("/etc/localtime").unwrap_or_default();
                Zone { zone, name: name_of(&link).unwrap_or_else(|| "local time".to_owned()) }
            }),
        };
        zone.unwrap_or_else(Zone::utc)
    }

    /// Parses the variable `TZ`: the name of a zone, or its rule.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let zone = TimeZone::from_posix_tz(text).ok()?;
        let name = text.trim_start_matches(':');
        let has_digit = name.contains(|c: char| c.is_ascii_digit());
        let is_rule = name.contains([',', '<']) || (has_digit && !name.contains('/'));
        let name = name_of(Path::new(name)).unwrap_or_else(|| name.to_owned());
        Some(Zone { zone, name: if is_rule { "local time".to_owned() } else { name } })
    }

    /// Returns the local time, of nanoseconds since the epoch.
    pub(crate) fn civil(&self, time: i64) -> DateTime {
        let (second, nanos) = (time.div_euclid(SECOND), time.rem_euclid(SECOND) as u32);
        let local = DateTime::from_timespec(second, nanos, self.zone.as_ref());
        let utc = || DateTime::from_timespec(second, nanos, TimeZone::utc().as_ref());
        local.or_else(|_| utc()).unwrap_or_else(|_| unreachable!("64 bits of nanoseconds fit"))
    }

    /// Returns the time at which the clock shows `hour` on a day. An hour that the clock skips has
    /// the time at which it does.
    pub(crate) fn time_of(&self, (year, month, day): (i32, u8, u8), hour: u8) -> Option<i64> {
        let found = DateTime::find(year, month, day, hour, 0, 0, 0, self.zone.as_ref()).ok()?;
        found.earliest()?.unix_time().checked_mul(SECOND)
    }

    /// Returns the seconds by which the clock is ahead of UTC.
    pub(crate) fn offset(&self, time: i64) -> i64 {
        i64::from(self.civil(time).local_time_type().ut_offset())
    }

    /// Returns the name of the zone, and its offsets at two times.
    pub(crate) fn text(&self, start: i64, end: i64) -> String {
        if matches!(self.name.as_str(), "UTC" | "Etc/UTC" | "Etc/UCT" | "Universal" | "Zulu") {
            return "UTC".to_owned();
        }
        let (first, last) = (hours(self.offset(start)), hours(self.offset(end)));
        match first == last {
            true => format!("{} (UTC{first})", self.name),
            false => format!("{} (UTC{first} to UTC{last})", self.name),
        }
    }
}

/// Returns the name of a zone by the path of its file.
fn name_of(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    path.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
}

fn hours(offset: i64) -> String {
    let minutes = offset.abs() / 60;
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Returns the date of a day since the epoch, without a zone.
pub(crate) fn date_of(day: i64) -> Option<(i32, u8, u8)> {
    let date = UtcDateTime::from_timespec(day * 86_400, 0).ok()?;
    Some((date.year(), date.month(), date.month_day()))
}

/// Returns the day since the epoch of a date.
pub(crate) fn day_of(local: &DateTime) -> i64 {
    let date = UtcDateTime::new(local.year(), local.month(), local.month_day(), 0, 0, 0, 0);
    date.map_or(0, |date| date.unix_time() / 86_400)
}
