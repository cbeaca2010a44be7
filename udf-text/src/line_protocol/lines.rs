//! Reads lines of bounded length, one at a time.

use std::collections::VecDeque;
use std::io::{BufRead, ErrorKind};

use super::context::Context;
use super::limits::MAX_LINE;
use super::problem::LineProblem;

/// The maximum length that is kept of a comment.
const MAX_COMMENT: usize = 4 << 10;

/// Reads lines. Skips blank lines and comments.
///
/// A line ends at a line break outside of quoted text. The text of a field can span several rows.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    /// The number of the first row of `line`, counted from 1.
    number: u64,
    /// The number of rows that were read.
    rows: u64,
    bytes: u64,
    /// Whether the reader must still skip the rest of a row that is too long.
    in_long_row: bool,
    /// Whether a backslash before a line break has joined rows of the line.
    joined: bool,
    /// Rows that were read ahead.
    ahead: VecDeque<Vec<u8>>,
    context: Context,
    format: Format,
}

/// The format of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Line protocol.
    Lines,
    /// Line protocol, or a recording if the first rows look like one.
    Unknown,
    /// A recording of Kapacitor: a database, a retention policy and a line, repeated.
    Recording,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Lines {
            reader,
            line: Vec::new(),
            number: 0,
            rows: 0,
            bytes: 0,
            in_long_row: false,
            joined: false,
            ahead: VecDeque::new(),
            context: Context::default(),
            format: Format::Lines,
        }
    }

    pub(super) fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Also reads recordings of Kapacitor.
    pub(super) fn recordings(self) -> Self {
        Lines { format: Format::Unknown, ..self }
    }

    /// Returns the number of the last line, or of its first row if it spans several.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the number of bytes that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the database and the retention policy of the last line.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Returns whether the input is a recording of Kapacitor.
    pub(super) fn is_recording(&self) -> bool {
        self.format == Format::Recording
    }

    /// Returns whether a backslash before a line break has joined rows of the line.
    pub(super) fn is_joined(&self) -> bool {
        self.joined
    }

    /// Moves to the first row of the next line. Returns false at the end.
    ///
    /// If the row is not the whole line, [`complete`](Self::complete) appends the others.
    pub(super) fn advance(&mut self) -> Result<bool, LineProblem> {
        if std::mem::take(&mut self.in_long_row) {
            self.skip_row()?;
        }
        loop {
            if !self.next_row()? {
                return match self.context.end() {
                    Some(line) => Err(LineProblem::NoDml { line }),
                    None => Ok(false),
                };
            }
            match first(&self.line) {
                None => continue,
                Some(b'#') if self.format != Format::Recording => {
                    let comment = String::from_utf8_lossy(&self.line);
                    self.context.comment(comment.trim(), self.number);
                    continue;
                }
                Some(_) if self.context.unfinished().is_some() => continue,
                Some(_) => {}
            }
            match self.format {
                Format::Lines => {}
                Format::Unknown if looks_like_a_line(&self.line) => self.format = Format::Lines,
                Format::Unknown => self.open_recording()?,
                Format::Recording => {
                    let database = self.trimmed()?.to_owned();
                    self.recorded_row()?;
                    self.context.set(database, self.trimmed()?.to_owned());
                    self.recorded_row()?;
                }
            }
            return Ok(true);
        }
    }

    /// Moves to the next row and sets the number of the line. Returns false at the end.
    fn next_row(&mut self) -> Result<bool, LineProblem> {
        self.line.clear();
        self.number = self.rows + 1;
        let read = self.read_row()?;
        if self.number == 1 {
            match &self.line[..] {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(LineProblem::Utf16),
                [0xef, 0xbb, 0xbf, ..] => drop(self.line.drain(..3)),
                _ => {}
            }
        }
        Ok(read)
    }

    /// Moves to the next row of an entry of a recording.
    fn recorded_row(&mut self) -> Result<(), LineProblem> {
        if self.next_row()? { Ok(()) } else { Err(LineProblem::HalfRecorded) }
    }

    /// Reads the first rows as a recording, if the third row looks like a line.
    fn open_recording(&mut self) -> Result<(), LineProblem> {
        let mut rows = [const { Vec::new() }; 3];
        let mut count = 0;
        for row in &mut rows {
            if count > 0 && !self.next_row()? {
                break;
            }
            row.clone_from(&self.line);
            count += 1;
        }
        if looks_like_a_line(&rows[2]) && !looks_like_a_line(&rows[1]) {
            self.format = Format::Recording;
            let [database, policy] = [0, 1]
                .map(|row| std::str::from_utf8(&rows[row]).map(|text| text.trim().to_owned()));
            let not_text = |_| LineProblem::NotUtf8;
            self.context.set(database.map_err(not_text)?, policy.map_err(not_text)?);
            return Ok(());
        }
        // The first row is then an invalid line, and the error names it. The other rows follow.
        self.format = Format::Lines;
        let [first, others @ ..] = rows;
        self.ahead.extend(others.into_iter().take(count - 1));
        self.rows -= self.ahead.len() as u64;
        self.line = first;
        self.number = self.rows;
        Ok(())
    }

    /// Appends rows until the line is complete.
    pub(super) fn complete(&mut self) -> Result<(), LineProblem> {
        let blank = self.line.len() - trim_start(&self.line).len();
        let (mut text, mut seen) = (Text::default(), blank);
        self.joined = false;
        loop {
            text.scan(&self.line[seen..]);
            seen = self.line.len();
            self.joined |= text.joins && !text.open;
            if !text.open && !text.joins {
                return Ok(());
            }
            if !self.read_row()? {
                return Ok(());
            }
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        !self.line.ends_with(b"\n")
    }

    /// Returns the line without the blanks around it.
    #[inline]
    pub(super) fn raw(&self) -> &[u8] {
        let line = trim_start(&self.line);
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let end = line.len() - line.iter().rev().take_while(blank).count();
        &line[..end]
    }

    /// Returns the line without the blanks around it.
    pub(super) fn text(&self) -> Result<&str, LineProblem> {
        std::str::from_utf8(self.raw()).map_err(|_| LineProblem::NotUtf8)
    }

    fn trimmed(&self) -> Result<&str, LineProblem> {
        self.text().map(str::trim)
    }

    /// Appends bytes up to and including a line break. Returns false if there are none.
    fn read_row(&mut self) -> Result<bool, LineProblem> {
        if let Some(row) = self.ahead.pop_front() {
            self.line.extend_from_slice(&row);
            self.rows += 1;
            return Ok(true);
        }
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
            let end = line_break(chunk);
            let used = end.map_or(chunk.len(), |end| end + 1);
            let comment = first(&self.line).or_else(|| first(chunk)) == Some(b'#');
            let room =
                (if comment { MAX_COMMENT } else { MAX_LINE }).saturating_sub(self.line.len());
            if used > room && !comment {
                self.line.extend_from_slice(&chunk[..room]);
                self.in_long_row = true;
                return Err(too_long(&self.line));
            }
            self.line.extend_from_slice(&chunk[..used.min(room)]);
            self.reader.consume(used);
            self.bytes += used as u64;
            if end.is_some() {
                self.rows += 1;
                return Ok(true);
            }
        }
    }

    /// Skips everything up to and including a line break.
    fn skip_row(&mut self) -> Result<(), LineProblem> {
        self.rows += 1;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(LineProblem::Io(error)),
            };
            let end = line_break(chunk);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            self.bytes += used as u64;
            if end.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}

/// Returns the position of the first line break.
fn line_break(bytes: &[u8]) -> Option<usize> {
    // The compiler turns the search within a block into a few wide comparisons.
    let (blocks, _) = bytes.as_chunks::<32>();
    let is_within = |block: &[u8; 32]| block.iter().fold(false, |any, byte| any | (*byte == b'\n'));
    let skipped = 32 * blocks.iter().take_while(|block| !is_within(block)).count();
    bytes[skipped..].iter().position(|byte| *byte == b'\n').map(|at| skipped + at)
}

/// Returns the first byte that is not a blank, or none for a blank row.
fn first(row: &[u8]) -> Option<u8> {
    match trim_start(row) {
        [] | [b'\n'] | [b'\r'] | [b'\r', b'\n'] => None,
        [first, ..] => Some(*first),
    }
}

/// Returns a line without the bytes at its start that InfluxDB treats as blanks.
fn trim_start(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | 0)).count();
    &line[blanks..]
}

/// Returns why a line is too long: because of a text, or because of a missing line break.
fn too_long(line: &[u8]) -> LineProblem {
    let mut text = Text::default();
    text.scan(trim_start(line));
    if text.open { LineProblem::TextTooLong } else { LineProblem::TooLong }
}

/// Returns whether a row can be line protocol. The name of a database cannot.
fn looks_like_a_line(row: &[u8]) -> bool {
    row.contains(&b' ') && row.contains(&b'=')
}

/// Follows a line to find the line breaks that do not end it.
///
/// Only the value of a field is quoted. A quote opens text only behind the first blank, directly
/// behind a `=`.
#[derive(Default)]
struct Text {
    /// Whether the position is within text.
    open: bool,
    /// Whether a backslash joins the row with the next one.
    joins: bool,
    escaped: bool,
    in_fields: bool,
    previous: u8,
}

impl Text {
    fn scan(&mut self, row: &[u8]) {
        self.joins = false;
        for &byte in row {
            let previous = std::mem::replace(&mut self.previous, byte);
            if std::mem::take(&mut self.escaped) {
                self.joins = byte == b'\n';
                // An escaped `=` opens no text. A backslash escapes a blank, whatever comes before
                // it.
                self.previous = if byte == b'\\' { byte } else { 0 };
                continue;
            }
            match byte {
                b'\\' => self.escaped = true,
                b'"' if self.open => self.open = false,
                b'"' => self.open = self.in_fields && previous == b'=',
                b' ' if previous != b'\\' => self.in_fields = true,
                _ => {}
            }
        }
    }
}
