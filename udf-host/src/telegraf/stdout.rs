//! The pipe to Telegraf. All writes are whole lines.

use std::fs::File;
use std::io::{self, Write};

/// The size of a write, unless the UDF pauses earlier.
const CHUNK: usize = 64 << 10;

/// Stdout, for the points of the UDF and for original lines.
pub(super) struct Stdout {
    file: File,
    /// Whole lines that are not written yet.
    text: Vec<u8>,
}

impl Stdout {
    pub(super) fn new(file: File) -> Self {
        Stdout { file, text: Vec::new() }
    }

    /// Appends whole lines, and writes if they are many.
    pub(super) fn append(&mut self, append: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        append(&mut self.text);
        if self.text.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.text);
        self.text.clear();
        written
    }
}
