//! A line on stderr that tells whoever waits how far something is.

use std::io::{self, IsTerminal, Write};

use super::terminal::columns;

/// Tells how far something is, in one line on stderr that is written over again and again, and removed at its end.
///
/// Only people see it: nothing is written when stderr is no terminal.
#[derive(Debug)]
pub struct StatusLine {
    /// Whether somebody sees it.
    seen: bool,
    /// How many characters stand there.
    written: usize,
}

impl StatusLine {
    /// A line that is `wanted`, if stderr is a terminal.
    pub fn new(wanted: bool) -> Self {
        StatusLine { seen: wanted && io::stderr().is_terminal(), written: 0 }
    }

    /// Shows a text, which is asked for only if somebody sees it.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        if !self.seen {
            return;
        }
        let columns = columns(&io::stderr()).unwrap_or(80);
        // A line that is broken by the terminal cannot be written over.
        let text: String = text().chars().take(columns.saturating_sub(1)).collect();
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        // Nobody is harmed when it cannot be written.
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
