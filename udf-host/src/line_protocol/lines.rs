//! Lines out of a reader, one at a time and of bounded length.

use std::io::{BufRead, ErrorKind};

use super::LineProblem;

/// The longest line that is read: 16 MiB.
pub const MAX_LINE: usize = 16 << 20;

/// Reads lines; blank ones and comments are skipped.
///
/// A line ends at a line break outside of quoted text: the text of a field may span several.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    /// The number of the first row of `line`, counted from 1.
    number: u64,
    /// How many rows have been read.
    rows: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Lines { reader, line: Vec::new(), number: 0, rows: 0, bytes: 0 }
    }

    /// The number of the line that was read last; of its first row if it spans several.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes have been read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves to the next line; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, LineProblem> {
        loop {
            self.line.clear();
            self.number = self.rows + 1;
            if !self.read_row()? {
                return Ok(false);
            }
            match self.line.trim_ascii_start().first() {
                None | Some(b'#') => continue,
                Some(_) => {}
            }
            let blank = self.line.len() - self.line.trim_ascii_start().len();
            let (mut quotes, mut seen) = (Quotes::default(), blank);
            loop {
                quotes.scan(&self.line[seen..]);
                seen = self.line.len();
                if !quotes.open || !self.read_row()? {
                    return Ok(true);
                }
            }
        }
    }

    /// The line, without the blanks around it.
    pub(super) fn text(&self) -> Result<&str, LineProblem> {
        std::str::from_utf8(self.line.trim_ascii()).map_err(|_| LineProblem::NotUtf8)
    }

    /// Appends bytes to the line up to and with a line break; false if there are none.
    fn read_row(&mut self) -> Result<bool, LineProblem> {
        let mut any = false;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(LineProblem::Io(error)),
            };
            if chunk.is_empty() {
                self.rows += u64::from(any);
                return Ok(any);
            }
            any = true;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let used = end.map_or(chunk.len(), |end| end + 1);
            if self.line.len() + used > MAX_LINE {
                return Err(LineProblem::TooLong);
            }
            self.line.extend_from_slice(&chunk[..used]);
            self.reader.consume(used);
            self.bytes += used as u64;
            if end.is_some() {
                self.rows += 1;
                return Ok(true);
            }
        }
    }
}

/// Follows a line to tell whether it stands within quoted text.
///
/// Only the value of a field is quoted: a quote opens text behind the first blank, and there only
/// directly behind a `=`.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
    in_fields: bool,
    behind_equals: bool,
}

impl Quotes {
    fn scan(&mut self, row: &[u8]) {
        for &byte in row {
            let opens = std::mem::take(&mut self.behind_equals) && self.in_fields;
            if self.escaped {
                self.escaped = false;
                continue;
            }
            match byte {
                b'\\' => self.escaped = true,
                b'"' if self.open || opens => self.open = !self.open,
                _ if self.open => {}
                b' ' => self.in_fields = true,
                b'=' => self.behind_equals = true,
                _ => {}
            }
        }
    }
}
