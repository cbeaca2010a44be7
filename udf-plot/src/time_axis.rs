//! The ticks of a time axis, from nanoseconds to centuries, in local time.

use tz::datetime::DateTime;

use crate::zone::{Zone, date_of, day_of};

const MICRO: i64 = 1_000;
const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The distance of two ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A part of an hour, in nanoseconds.
    Nanos(i64),
    Hours(i64),
    Days(i64),
    Months(i64),
}

/// A time axis.
#[derive(Debug, Clone)]
pub(crate) struct TimeAxis {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) ticks: Vec<(i64, String)>,
    /// The range in words, with the zone.
    pub(crate) label: String,
}

impl TimeAxis {
    /// Creates an axis with at most about `room` ticks.
    pub(crate) fn new(range: (i64, i64), zone: &Zone, room: usize) -> TimeAxis {
        let (start, end) = match range.0 == range.1 {
            true => (range.0.saturating_sub(MINUTE), range.1.saturating_add(MINUTE)),
            false => range,
        };
        let step = step(start.abs_diff(end), room.max(1) as u64);
        TimeAxis {
            start,
            end,
            ticks: ticks(start, end, step, zone),
            label: label(start, end, step, zone),
        }
    }
}

/// The steps from a second on.
const STEPS: [Step; 31] = {
    use Step::{Days, Hours, Months, Nanos};
    [
        Nanos(SECOND),
        Nanos(2 * SECOND),
        Nanos(5 * SECOND),
        Nanos(10 * SECOND),
        Nanos(15 * SECOND),
        Nanos(30 * SECOND),
        Nanos(MINUTE),
        Nanos(2 * MINUTE),
        Nanos(5 * MINUTE),
        Nanos(10 * MINUTE),
        Nanos(15 * MINUTE),
        Nanos(30 * MINUTE),
        Hours(1),
        Hours(2),
        Hours(3),
        Hours(6),
        Hours(12),
        Days(1),
        Days(2),
        Days(7),
        Days(14),
        Months(1),
        Months(2),
        Months(3),
        Months(6),
        Months(12),
        Months(2 * 12),
        Months(5 * 12),
        Months(10 * 12),
        Months(20 * 12),
        Months(50 * 12),
    ]
};

impl Step {
    /// Returns about how long the step is.
    fn nanos(self) -> i64 {
        match self {
            Step::Nanos(nanos) => nanos,
            Step::Hours(hours) => hours * HOUR,
            Step::Days(days) => days * DAY,
            Step::Months(months) if months % 12 == 0 => months / 12 * 365 * DAY,
            Step::Months(months) => months * 30 * DAY,
        }
    }
}

fn step(span: u64, room: u64) -> Step {
    let fits = |nanos: i64| span / nanos.unsigned_abs() <= room;
    let mut power = 1;
    while power < SECOND {
        for nanos in [power, 2 * power, 5 * power] {
            if fits(nanos) {
                return Step::Nanos(nanos);
            }
        }
        power *= 10;
    }
    let step = STEPS.iter().find(|step| fits(step.nanos()));
    step.copied().unwrap_or(Step::Months(100 * 12))
}

fn ticks(start: i64, end: i64, step: Step, zone: &Zone) -> Vec<(i64, String)> {
    let mut ticks: Vec<(i64, String)> = Vec::new();
    let mut add = |time: Option<i64>| {
        let Some(time) = time.filter(|time| (start..=end).contains(time)) else { return };
        // An hour that the clock skips has the time of the next one.
        if ticks.last().is_none_or(|(last, _)| *last != time) {
            ticks.push((time, tick_label(time, start, step, zone)));
        }
    };
    match step {
        Step::Nanos(nanos) => {
            // Times within a millisecond are counted from the start.
            let origin = match nanos < MILLI {
                true => i128::from(start),
                false => -i128::from(zone.offset(start)) * i128::from(SECOND),
            };
            let nanos = i128::from(nanos);
            let mut time =
                (i128::from(start) - origin + nanos - 1).div_euclid(nanos) * nanos + origin;
            while time <= i128::from(end) {
                add(i64::try_from(time).ok());
                time += nanos;
            }
        }
        Step::Hours(hours) => {
            for date in days(start, end, 1, zone) {
                let mut hour = 0;
                while hour < 24 {
                    add(zone.time_of(date, hour as u8));
                    hour += hours;
                }
            }
        }
        Step::Days(count) => {
            for date in days(start, end, count, zone) {
                add(zone.time_of(date, 0));
            }
        }
        Step::Months(count) => {
            let month = |time| {
                let date = zone.civil(time);
                i64::from(date.year()) * 12 + i64::from(date.month()) - 1
            };
            let (mut place, last) = (month(start).div_euclid(count) * count, month(end));
            while place <= last {
                let (year, month) = (place.div_euclid(12), place.rem_euclid(12) + 1);
                add(zone.time_of((year as i32, month as u8, 1), 0));
                place += count;
            }
        }
    }
    ticks
}

/// Returns the days of a range whose number since the epoch is a multiple of `count`; for weeks,
/// Mondays.
fn days(start: i64, end: i64, count: i64, zone: &Zone) -> Vec<(i32, u8, u8)> {
    let monday = if count % 7 == 0 { 4 } else { 0 };
    let number = |time| day_of(&zone.civil(time)) - monday;
    let (mut day, last) = (number(start).div_euclid(count) * count, number(end));
    let mut days = Vec::new();
    while day <= last {
        days.extend(date_of(day + monday));
        day += count;
    }
    days
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn tick_label(time: i64, start: i64, step: Step, zone: &Zone) -> String {
    let local = zone.civil(time);
    let day = || format!("{} {}", MONTHS[usize::from(local.month()) - 1], local.month_day());
    let is_midnight = local.hour() == 0 && local.minute() == 0 && local.second() == 0;
    match step {
        Step::Nanos(..MICRO) => format!("+{} ns", time.wrapping_sub(start)),
        Step::Nanos(..MILLI) => format!("+{} µs", time.wrapping_sub(start) / MICRO),
        Step::Nanos(nanos @ ..SECOND) => {
            let digits = if nanos >= 100 * MILLI { 1 } else { 3 };
            let fraction = format!("{:09}", local.nanoseconds());
            format!("{}.{}", clock(&local), &fraction[..digits])
        }
        Step::Nanos(..MINUTE) => clock(&local),
        Step::Nanos(_) | Step::Hours(_) if is_midnight => day(),
        Step::Nanos(_) | Step::Hours(_) => format!("{:02}:{:02}", local.hour(), local.minute()),
        Step::Days(_) => day(),
        Step::Months(..12) => {
            format!("{} {}", MONTHS[usize::from(local.month()) - 1], local.year())
        }
        Step::Months(_) => local.year().to_string(),
    }
}

fn clock(local: &DateTime) -> String {
    format!("{:02}:{:02}:{:02}", local.hour(), local.minute(), local.second())
}

/// Returns the range in words, as exact as the ticks, and the zone.
fn label(start: i64, end: i64, step: Step, zone: &Zone) -> String {
    let (from, to) = (zone.civil(start), zone.civil(end));
    let date = |local: &DateTime| {
        format!("{:04}-{:02}-{:02}", local.year(), local.month(), local.month_day())
    };
    let exact = |local: &DateTime, digits: usize| {
        let fraction = format!("{:09}", local.nanoseconds());
        let point = if digits == 0 { "" } else { "." };
        format!("{}{point}{}", clock(local), &fraction[..digits])
    };
    let range = match step {
        Step::Nanos(nanos @ ..SECOND) => {
            let digits = if nanos < MICRO {
                9
            } else if nanos < MILLI {
                6
            } else {
                3
            };
            format!("from {} {}", date(&from), exact(&from, digits))
        }
        Step::Nanos(_) | Step::Hours(_) if day_of(&from) == day_of(&to) => {
            format!("{} {} to {}", date(&from), clock(&from), clock(&to))
        }
        Step::Nanos(_) | Step::Hours(_) => {
            format!("{} {} to {} {}", date(&from), clock(&from), date(&to), clock(&to))
        }
        Step::Days(_) | Step::Months(_) => format!("{} to {}", date(&from), date(&to)),
    };
    format!("time: {range}, {}", zone.text(start, end))
}

#[cfg(test)]
mod tests {
    use super::{DAY, HOUR, MINUTE, SECOND, TimeAxis};
    use crate::zone::Zone;

    /// Central European time, which has summer time.
    fn berlin() -> Zone {
        Zone::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn labels(axis: &TimeAxis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn local_times_are_round_and_skip_the_missing_hour() {
        // The night of 2026-03-29, from 22:30 UTC on.
        let start = 1_774_737_000 * SECOND;
        let axis = TimeAxis::new((start, start + 6 * HOUR), &berlin(), 7);
        assert_eq!(labels(&axis), ["Mar 29", "01:00", "03:00", "04:00", "05:00", "06:00"]);
        assert_eq!(axis.ticks[2].0 - axis.ticks[1].0, HOUR);
        let expected =
            "time: 2026-03-28 23:30:00 to 2026-03-29 06:30:00, local time (UTC+01:00 to UTC+02:00)";
        assert_eq!(axis.label, expected);
        let days = TimeAxis::new((start, start + 3 * DAY), &berlin(), 4);
        assert_eq!(labels(&days), ["Mar 29", "Mar 30", "Mar 31", "Apr 1"]);
    }

    #[test]
    fn a_zone_with_minutes_has_round_local_times() {
        let zone = Zone::parse("<+0530>-5:30").unwrap();
        let axis = TimeAxis::new((0, 3 * HOUR), &zone, 4);
        assert_eq!(labels(&axis), ["06:00", "07:00", "08:00"]);
        assert_eq!(axis.label, "time: 1970-01-01 05:30:00 to 08:30:00, local time (UTC+05:30)");
        let axis = TimeAxis::new((7 * MINUTE, 52 * MINUTE), &zone, 5);
        assert_eq!(labels(&axis), ["05:40", "05:50", "06:00", "06:10", "06:20"]);
    }
}
