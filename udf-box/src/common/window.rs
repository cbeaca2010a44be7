//! Windows of time, aligned to the epoch.

use std::mem;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use udf_runtime::state::Groups;
use udf_runtime::{Group, Point};

/// A value that collects the points of the open window of a group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Window<T> {
    /// The end of the open window. A point at this time belongs to the next window.
    end: Option<i64>,
    value: T,
    /// Whether no point has come since the last tick.
    is_quiet: bool,
}

/// A window that has ended.
#[derive(Debug)]
pub(crate) struct Closed<T> {
    /// The time of the result.
    pub(crate) end: i64,
    pub(crate) value: T,
}

impl<T: Default> Window<T> {
    /// Moves to the window of a point, and returns the value of that window. Before it, returns the
    /// window that the point has closed. Returns `None` for a point of a window that has ended.
    fn at(&mut self, time: i64, every: Duration) -> Option<(Option<Closed<T>>, &mut T)> {
        let every = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX).max(1);
        let start = time.saturating_sub(time.rem_euclid(every));
        let closed = match self.end {
            Some(end) if time < end.saturating_sub(every) => return None,
            Some(end) if time < end => None,
            _ => self.close(),
        };
        self.end = Some(start.saturating_add(every));
        self.is_quiet = false;
        Some((closed, &mut self.value))
    }

    /// Returns the value of the open window.
    pub(crate) fn value_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Closes a window without a point since the last tick, for a group that has become silent.
    fn tick(&mut self) -> Option<Closed<T>> {
        if mem::replace(&mut self.is_quiet, true) { self.close() } else { None }
    }

    /// Moves the group of a point to the window of the point, and calls `add` with the value of this
    /// window, unless it has ended. Returns the window that the point has closed.
    pub(crate) fn add(
        windows: &mut Groups<Self>,
        point: &Point<'_>,
        every: Duration,
        add: impl FnOnce(&mut T),
    ) -> Option<(Group, Closed<T>)>
    where
        T: Serialize + DeserializeOwned,
    {
        let (closed, value) = windows.of(point).at(point.time(), every)?;
        add(value);
        Some((Group::from(point), closed?))
    }

    /// Closes the windows of the groups that have become silent, as [`tick`](Self::tick) does.
    pub(crate) fn silent(windows: &mut Groups<Self>) -> Vec<(Group, Closed<T>)>
    where
        T: Serialize + DeserializeOwned,
    {
        let closed = windows.iter_mut();
        closed.filter_map(|(group, window)| Some((group.clone(), window.tick()?))).collect()
    }

    fn close(&mut self) -> Option<Closed<T>> {
        let end = self.end.take()?;
        Some(Closed { end, value: mem::take(&mut self.value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_nanos(10);

    fn add(window: &mut Window<Vec<i64>>, time: i64) -> Option<Option<(i64, Vec<i64>)>> {
        let (closed, value) = window.at(time, EVERY)?;
        value.push(time);
        Some(closed.map(|closed| (closed.end, closed.value)))
    }

    #[test]
    fn a_point_behind_the_end_closes_the_window() {
        let mut window = Window::default();
        assert_eq!(add(&mut window, 3), Some(None));
        assert_eq!(add(&mut window, 0), Some(None));
        assert_eq!(add(&mut window, 10), Some(Some((10, vec![3, 0]))));
        assert_eq!(add(&mut window, 9), None);
        assert_eq!(add(&mut window, 45), Some(Some((20, vec![10]))));
        assert_eq!(add(&mut window, -1), None);
    }

    #[test]
    fn a_group_that_is_silent_between_two_ticks_is_closed() {
        let mut window = Window::default();
        add(&mut window, -3);
        assert!(window.tick().is_none());
        add(&mut window, -2);
        assert!(window.tick().is_none());
        assert_eq!(window.tick().map(|closed| (closed.end, closed.value)), Some((0, vec![-3, -2])));
        assert!(window.tick().is_none());
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        for times in [[i64::MIN, i64::MAX], [i64::MAX, i64::MIN]] {
            let mut window = Window::default();
            for time in times {
                add(&mut window, time);
            }
        }
    }
}
