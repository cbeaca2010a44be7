//! Counts over several connections: the lines of stderr, and the points of a check.

use std::cell::Cell;

/// What a UDF has written to stderr.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How many lines.
    pub(super) lines: usize,
    /// The length of the longest, in bytes.
    pub(super) longest: usize,
    /// The length of the line that has not ended.
    open: usize,
}

impl Heard {
    pub(super) fn hear(&mut self, line: &str, cut: bool) {
        self.open += line.len();
        self.longest = self.longest.max(self.open);
        if !cut {
            self.lines += 1;
            self.open = 0;
        }
    }
}

/// How many points the connections of a check were sent, and how much data came back.
#[derive(Debug, Default)]
pub(super) struct Tally(Cell<(usize, usize)>);

impl Tally {
    pub(super) fn add(&self, sent: usize, came: usize) {
        let (all_sent, all_came) = self.0.get();
        self.0.set((all_sent + sent, all_came + came));
    }

    /// Returns both numbers, and starts from zero again.
    pub(super) fn take(&self) -> (usize, usize) {
        self.0.take()
    }
}
