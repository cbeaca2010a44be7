//! A line on stderr that shows progress.

use std::io::{self, IsTerminal, Write};

use super::terminal::columns;

/// Shows progress in a line on stderr. Each update overwrites the line, and the drop removes it.
///
/// Nothing is written if stderr is not a terminal.
#[derive(Debug)]
pub struct StatusLine {
    /// Whether the line is shown.
    seen: bool,
    /// The number of characters in the line.
    written: usize,
}

impl StatusLine {
    /// Creates a line, which is shown if it is `wanted` and stderr is a terminal.
    pub fn new(wanted: bool) -> Self {
        StatusLine { seen: wanted && io::stderr().is_terminal(), written: 0 }
    }

    /// Shows a text. `text` is only called if the line is shown.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        if !self.seen {
            return;
        }
        let columns = columns(&io::stderr()).unwrap_or(80);
        // A line that wraps in the terminal could not be overwritten.
        let text: String = text().chars().take(columns.saturating_sub(1)).collect();
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        // Errors are ignored: progress is not essential.
        let _ = write!(io::stderr(), "\r{text:width$}\r{text}", width = self.written);
        self.written = text.chars().count();
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if self.written > 0 {
            self.write("");
        }
    }
}
