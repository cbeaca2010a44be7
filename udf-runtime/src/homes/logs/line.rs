//! Formats one log line. The length is bounded, and no character can begin another line.

use std::error::Error;
use std::fmt::{self, Debug, Write};
use std::time::SystemTime;

use tracing::Level;
use tracing::field::{Field, Visit};
use udf_text::rfc3339::Utc;

use super::form::{self, Form};
use crate::agent::error::chain;

/// Kapacitor stops reading the stderr of a UDF at a line of 64 KiB. The UDF would then block in its
/// log.
pub(super) const MAX_LINE: usize = 60 << 10;

/// The maximum length of a named field. Peers choose the names of tasks, and every line repeats
/// them.
const MAX_FIELD: usize = 1 << 10;

/// A text that grows up to a limit. Control characters are escaped, including those of terminals.
pub(super) struct Line {
    text: String,
    limit: usize,
    is_cut: bool,
}

impl Line {
    /// Creates an empty text of up to `limit` bytes, plus a few bytes for the mark of a cut text.
    pub(super) fn new(limit: usize) -> Self {
        Line { text: String::new(), limit, is_cut: false }
    }

    /// Begins a log line with the level, and with the time if the form has one.
    pub(super) fn begin(form: Form, level: Level) -> Self {
        let mut line = Line::new(MAX_LINE);
        match form {
            Form::Plain => line.put(format_args!("{level:>5} ")),
            Form::Timed => line.put(format_args!("{} {level:>5} ", Utc(SystemTime::now()))),
            Form::Telegraf => line.put(format_args!("{}", form::letter(level))),
        }
        line
    }

    /// Appends a text.
    pub(super) fn put(&mut self, text: fmt::Arguments<'_>) {
        // Only the `Display` of the text itself can fail. Its output up to then is kept.
        let _ = self.write_fmt(text);
    }

    /// Returns the text, with a mark if it was cut.
    pub(super) fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push_str(" ...");
        }
        self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Appends a field. The message is the field without a name.
    fn field(&mut self, name: &str, value: &dyn Debug) {
        if name == "message" {
            return self.put(format_args!("{value:?}"));
        }
        self.put(format_args!("{}=", name.strip_prefix("r#").unwrap_or(name)));
        let (begin, limit) = (self.len(), self.limit);
        self.limit = limit.min(begin + MAX_FIELD);
        self.put(format_args!("{value:?}"));
        if self.is_cut && self.limit < limit {
            self.is_cut = false;
            let is_quoted = self.text[begin..].starts_with('"');
            self.text.push_str(if is_quoted { "...\"" } else { "..." });
        }
        self.limit = limit;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.len() >= self.limit {
                // Return no error: the author's code may not expect that writing to a string fails.
                self.is_cut = true;
                return Ok(());
            }
            match char {
                '\x1b' => self.text.push_str("\\e"),
                char if char.is_control() => self.text.extend(char.escape_default()),
                char => self.text.push(char),
            }
        }
        Ok(())
    }
}

/// Appends the fields of an event or a span to a line, separated by spaces.
pub(super) struct Fields<'a> {
    line: &'a mut Line,
    is_first: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a mut Line) -> Self {
        Fields { line, is_first: true }
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_debug(field, &format_args!("{}", chain(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.line.put(format_args!(" "));
        }
        self.line.field(field.name(), value);
    }
}

/// Returns a text as one log line, without the line end.
pub(in crate::homes) fn one_line(text: &str) -> String {
    let mut line = Line::new(MAX_LINE);
    line.put(format_args!("{}", text.trim_end()));
    line.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_one_line_of_bounded_length() {
        assert_eq!(one_line("one\n"), "one");
        assert_eq!(one_line("two\r\nlines\x1b[0m\n"), "two\\r\\nlines\\e[0m");
        assert_eq!(one_line("a\tb\0c\x07d\u{9b}31m\u{7f}"), "a\\tb\\u{0}c\\u{7}d\\u{9b}31m\\u{7f}");
        assert_eq!(one_line("größer ✓"), "größer ✓");
        let long = one_line(&"x".repeat(1 << 20));
        assert!(long.len() < 64 << 10, "{}", long.len());
        assert!(long.ends_with("x ..."));
        let escaped = one_line(&"\u{9b}".repeat(1 << 20));
        assert!(escaped.len() < 64 << 10, "{}", escaped.len());
    }

    #[test]
    fn a_field_is_cut_by_itself() {
        let mut line = Line::new(MAX_LINE);
        line.field("task", &"x".repeat(1 << 20));
        line.put(format_args!(" "));
        line.field("count", &7);
        line.put(format_args!(" "));
        line.field("r#type", &"y");
        let text = line.finish();
        assert!(text.starts_with("task=\"xxx"), "{text}");
        assert!(text.ends_with("xxx...\" count=7 type=\"y\""), "{text}");
        assert!(text.len() < 2 * MAX_FIELD, "{}", text.len());
        // When the line itself is full, the line is cut.
        let mut line = Line::new(10);
        line.field("task", &"x".repeat(1 << 20));
        assert_eq!(line.finish(), "task=\"xxxx ...");
    }
}
