//! The pipe to Telegraf. All writes are whole lines.

use std::fs::File;
use std::io::{self, Write};

/// The size of a write, unless the UDF pauses earlier.
pub(super) const CHUNK: usize = 256 << 10;

/// Stdout, for the points of the UDF and for original lines.
pub(super) struct Stdout {
    file: File,
    /// Original lines that are not written yet.
    text: Vec<u8>,
}

impl Stdout {
    pub(super) fn new(file: File) -> Self {
        Stdout { file, text: Vec::new() }
    }

    /// Appends original lines, and writes if they are many.
    pub(super) fn append(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        append(&mut self.text);
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Writes whole lines, behind the original lines. Leaves `text` empty.
    pub(super) fn write(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let written = self.flush().and_then(|()| self.file.write_all(text));
        text.clear();
        written
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.text);
        self.text.clear();
        written
    }
}
