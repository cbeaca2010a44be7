//! Lines of output, with their ends.

use std::ops::Range;

/// Lines of output. The text of a field can contain line breaks, so the end of each line is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    text: Vec<u8>,
    /// The position behind each line in `text`.
    ends: Vec<usize>,
}

impl Lines {
    /// Creates an empty list with room for `bytes` of text.
    pub fn with_capacity(bytes: usize) -> Self {
        Lines { text: Vec::with_capacity(bytes), ends: Vec::new() }
    }

    /// Appends a line that `write` appends to the text. If `write` appends nothing, there is no
    /// line.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.text.len();
        write(&mut self.text);
        if self.text.len() > before {
            self.ends.push(self.text.len());
        }
    }

    /// Returns the number of lines.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the length of the text in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns the text of all lines.
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Returns the position of the text of some lines.
    ///
    /// # Panics
    /// If the range is not within `0..self.len()`.
    pub fn span(&self, lines: Range<usize>) -> Range<usize> {
        let start = |line: usize| if line == 0 { 0 } else { self.ends[line - 1] };
        start(lines.start)..start(lines.end)
    }

    /// Returns the end of the longest run of lines from `first` on that takes at most `limit` bytes.
    /// Returns `first` if the first line is longer.
    pub fn fitting(&self, first: usize, limit: usize) -> usize {
        let start = self.span(0..first).end;
        first + self.ends[first..].partition_point(|end| end - start <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_their_ends() {
        let mut lines = Lines::with_capacity(8);
        for line in ["a\n", "", "b\"\n\"\n", "cc\n"] {
            lines.push(|text| text.extend_from_slice(line.as_bytes()));
        }
        assert_eq!((lines.len(), lines.bytes()), (3, 10));
        assert_eq!(lines.span(1..3), 2..10);
        assert_eq!(lines.span(3..3), 10..10);
        assert_eq!(lines.fitting(0, 100), 3);
        assert_eq!(lines.fitting(0, 7), 2);
        assert_eq!(lines.fitting(1, 4), 1, "the line is longer than the limit");
        assert_eq!(lines.fitting(3, 4), 3);
    }
}
