//! The last log lines of the latest run.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The maximum number of lines.
const MOST: usize = 20;

/// The maximum length of a line, in characters.
const MAX_LINE: usize = 1000;

/// The last log lines of the UDF. Each run begins with none.
#[derive(Debug, Default)]
pub struct LastLines(Mutex<VecDeque<String>>);

impl LastLines {
    /// Returns no lines.
    pub const fn new() -> Self {
        LastLines(Mutex::new(VecDeque::new()))
    }

    /// Adds a line without its end.
    pub fn add(&self, line: &str) {
        let mut lines = self.lines();
        lines.push_back(line.chars().take(MAX_LINE).collect());
        if lines.len() > MOST {
            lines.pop_front();
        }
    }

    pub(crate) fn clear(&self) {
        self.lines().clear();
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lines().iter().cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_are_cut() {
        let lines = LastLines::new();
        (0..=MOST).for_each(|number| lines.add(&format!("{number}{}", "é".repeat(MAX_LINE))));
        let all = lines.all();
        assert!(all.len() == MOST && all[0].starts_with("1é"));
        assert!(all.iter().all(|line| line.chars().count() == MAX_LINE));
        lines.clear();
        assert_eq!(lines.all(), [""; 0]);
    }
}
