//! Gathers points into windows by their times.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use udf_proto::{Point, messages};
use udf_text::batch::WholeBatch;
use udf_text::windows::Batches;

/// The maximum time of a point ahead of the clock. The window of a later point would stay in memory.
pub(super) const AHEAD: Duration = Duration::from_secs(3600);

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Yes,
    /// Its window has ended.
    Late,
    /// It is more than [`AHEAD`] of the clock.
    Ahead,
}

/// The windows that have not ended.
pub(super) struct Gathering {
    every: i64,
    grace: i64,
    /// The windows by their numbers. Window `n` begins `n * every` nanoseconds after the epoch.
    open: BTreeMap<i64, Window>,
    /// The last window that has ended.
    ended: Option<i64>,
    /// The latest time of a point, but no time of the future.
    latest: i64,
}

struct Window {
    batches: Batches,
    /// When its last point came.
    touched: Instant,
}

impl Gathering {
    pub(super) fn new(windows: super::Windows) -> Self {
        let super::Windows { every, grace } = windows;
        Gathering { every, grace, open: BTreeMap::new(), ended: None, latest: i64::MIN }
    }

    /// Adds a point at the time `now` of the clock.
    pub(super) fn add(&mut self, point: Point<'_>, now: i64) -> Added {
        let number = point.time().div_euclid(self.every);
        if self.ended.is_some_and(|ended| number <= ended) {
            return Added::Late;
        }
        if i128::from(point.time()) - i128::from(now) > AHEAD.as_nanos() as i128 {
            return Added::Ahead;
        }
        // One host with a fast clock must not end the windows of all others.
        self.latest = self.latest.max(point.time().min(now));
        let new = || Window { batches: Batches::new(Some(self.every)), touched: Instant::now() };
        let window = self.open.entry(number).or_insert_with(new);
        window.touched = Instant::now();
        window.batches.push(messages::Point::from(point));
        Added::Yes
    }

    /// Returns the batches of the windows that end at the time `now` of the clock, oldest first.
    pub(super) fn take_ended(&mut self, now: i64) -> Vec<WholeBatch> {
        let grace = Duration::from_nanos(self.grace.unsigned_abs());
        let mut batches = Vec::new();
        while let Some(window) = self.open.first_entry() {
            let closes = window
                .key()
                .saturating_add(1)
                .saturating_mul(self.every)
                .saturating_add(self.grace);
            let is_quiet = || window.get().touched.elapsed() >= grace;
            if self.latest < closes && (now < closes || !is_quiet()) {
                break;
            }
            let (number, mut window) = window.remove_entry();
            self.ended = Some(number);
            batches.extend(window.batches.take());
        }
        batches
    }

    /// Returns the batches of all windows, oldest first. All windows end.
    pub(super) fn take_all(&mut self) -> Vec<WholeBatch> {
        let open = std::mem::take(&mut self.open);
        self.ended = open.keys().last().copied().or(self.ended);
        open.into_values().flat_map(|mut window| window.batches.take()).collect()
    }

    /// Returns how long to wait before the next look at the clock.
    pub(super) fn pause(&self) -> Duration {
        let shortest = self.grace.min(self.every).unsigned_abs() / 4;
        Duration::from_nanos(shortest).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use udf_proto::PointBuf;

    use super::*;
    use crate::telegraf::Windows;

    const SECOND: i64 = 1_000_000_000;

    fn add(windows: &mut Gathering, time: i64, now: i64) -> bool {
        add_to(windows, time, now) == Added::Yes
    }

    fn add_to(windows: &mut Gathering, time: i64, now: i64) -> Added {
        let mut point = messages::Point { time, name: "cpu".to_owned(), ..Default::default() };
        point.fields_int.insert("value".to_owned(), 1);
        windows.add(PointBuf::from(point).as_point(), now)
    }

    /// Returns the times of the points of each batch, in seconds.
    fn times(batches: &[WholeBatch]) -> Vec<Vec<i64>> {
        let times = |batch: &WholeBatch| batch.points.iter().map(|p| p.time() / SECOND).collect();
        batches.iter().map(times).collect()
    }

    fn gathering(every: i64, grace: i64) -> Gathering {
        Gathering::new(Windows { every: every * SECOND, grace: grace * SECOND })
    }

    #[test]
    fn later_points_end_a_window_behind_the_grace_period() {
        let now = 1000 * SECOND;
        let mut windows = gathering(10, 5);
        for time in [3, 12, 9] {
            assert!(add(&mut windows, time * SECOND, now));
            assert!(windows.take_ended(now).is_empty());
        }
        assert!(add(&mut windows, 15 * SECOND, now));
        let ended = windows.take_ended(now);
        assert_eq!(times(&ended), [[3, 9]]);
        assert_eq!(ended[0].tmax, 10 * SECOND);
        assert!(!add(&mut windows, 9 * SECOND, now), "its window has ended");
        assert_eq!(times(&windows.take_all()), [[12, 15]]);
        assert!(!add(&mut windows, 19 * SECOND, now));
    }

    #[test]
    fn a_time_of_the_future_ends_no_window() {
        let now = 4 * SECOND;
        let mut windows = gathering(10, 5);
        assert!(add(&mut windows, 3 * SECOND, now));
        assert!(add(&mut windows, 1000 * SECOND, now));
        assert_eq!(add_to(&mut windows, 3605 * SECOND, now), Added::Ahead);
        assert!(windows.take_ended(now).is_empty());
        assert!(add(&mut windows, 4 * SECOND, now));
        assert_eq!(times(&windows.take_all()), [vec![3, 4], vec![1000]]);
    }

    #[test]
    fn the_clock_ends_a_window_that_gets_no_more_points() {
        let mut windows = gathering(10, 0);
        assert!(add(&mut windows, 3 * SECOND, 4 * SECOND));
        assert!(windows.take_ended(9 * SECOND).is_empty());
        assert_eq!(times(&windows.take_ended(10 * SECOND)), [[3]]);
        // A window of the past waits for more points of it, whatever the clock says.
        let mut windows = gathering(10, 3600);
        assert!(add(&mut windows, 3 * SECOND, 100_000 * SECOND));
        assert!(windows.take_ended(100_000 * SECOND).is_empty());
    }

    #[test]
    fn windows_at_the_ends_of_time_do_not_overflow() {
        let mut windows = gathering(10, 5);
        for time in [i64::MIN + 2, i64::MAX - 1] {
            assert!(add(&mut windows, time, i64::MAX));
            windows.take_ended(0);
        }
        windows.take_ended(i64::MAX);
        windows.take_all();
    }
}
