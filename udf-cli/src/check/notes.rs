//! Counts over several connections: the lines of stderr, and the points of a check.

use std::cell::Cell;

/// Statistics of the UDF's stderr.
#[derive(Debug, Default)]
pub(super) struct StderrStats {
    /// The number of lines.
    pub(super) lines: usize,
    /// The length of the longest line, in bytes.
    pub(super) longest: usize,
    /// The length of the last line if it has not ended.
    open: usize,
}

impl StderrStats {
    pub(super) fn add_line(&mut self, line: &str, cut: bool) {
        self.open += line.len();
        self.longest = self.longest.max(self.open);
        if !cut {
            self.lines += 1;
            self.open = 0;
        }
    }
}

/// The number of points sent on the connections of a check, and of data messages received.
#[derive(Debug, Default)]
pub(super) struct Tally(Cell<(usize, usize)>);

impl Tally {
    pub(super) fn add(&self, sent: usize, came: usize) {
        let (all_sent, all_came) = self.0.get();
        self.0.set((all_sent + sent, all_came + came));
    }

    /// Returns both numbers and resets them to zero.
    pub(super) fn take(&self) -> (usize, usize) {
        self.0.take()
    }
}
