//! How a log line begins: as a person, Kapacitor or Telegraf reads it.

use tracing::Level;

/// The form of the log of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::homes) enum Form {
    /// ` INFO text`
    Plain,
    /// `2026-01-31T09:00:00.000000Z  INFO text`
    Timed,
    /// `I! text`: Telegraf logs the text at this level, with its own time.
    Telegraf,
}

/// The letters of the levels in the log of Telegraf.
const LETTERS: [(Level, &str); 5] = [
    (Level::ERROR, "E! "),
    (Level::WARN, "W! "),
    (Level::INFO, "I! "),
    (Level::DEBUG, "D! "),
    (Level::TRACE, "T! "),
];

/// The names of the levels in the logs of this kit, of Python and of others.
const NAMES: [(&str, Level); 10] = [
    ("ERROR", Level::ERROR),
    ("CRITICAL", Level::ERROR),
    ("FATAL", Level::ERROR),
    ("error:", Level::ERROR),
    ("WARN", Level::WARN),
    ("WARNING", Level::WARN),
    ("warning:", Level::WARN),
    ("INFO", Level::INFO),
    ("DEBUG", Level::DEBUG),
    ("TRACE", Level::TRACE),
];

/// Returns the begin of a line of this level for Telegraf.
pub(super) fn letter(level: Level) -> &'static str {
    LETTERS.iter().find(|(other, _)| *other == level).map_or("I! ", |(_, letter)| letter)
}

impl Form {
    /// Returns the begin and the rest of a line of another program. Only Telegraf's form changes
    /// the line.
    ///
    /// - A line that begins with a level of Telegraf stays as it is.
    /// - The name of a level, perhaps behind a time, becomes the level of the line.
    /// - All other lines have the level `I!`.
    pub(super) fn of_other(self, line: &str) -> (&'static str, &str) {
        if self != Form::Telegraf || LETTERS.iter().any(|(_, letter)| line.starts_with(letter)) {
            return ("", line);
        }
        match named_level(line) {
            Some((level, rest)) => (letter(level), rest),
            None => ("I! ", line.trim_start()),
        }
    }
}

/// Returns the level that a line names, and the rest of the line.
fn named_level(line: &str) -> Option<(Level, &str)> {
    let mut rest = line.trim_start();
    // A time is one word or two, such as a date and a time of day.
    for _ in 0..2 {
        let Some((word, behind)) = rest.split_once(char::is_whitespace) else { break };
        let is_time = |char: char| char.is_ascii_digit() || "-:.,/+TZ[]".contains(char);
        if !word.contains(|char: char| char.is_ascii_digit()) || !word.chars().all(is_time) {
            break;
        }
        rest = behind.trim_start();
    }
    let rest = rest.strip_prefix('[').unwrap_or(rest);
    NAMES.iter().find_map(|(name, level)| {
        let behind = rest.strip_prefix(name)?;
        let text = behind.trim_start_matches([':', ']']);
        let is_whole = name.ends_with(':') || text.len() < behind.len();
        (is_whole || behind.starts_with(char::is_whitespace)).then(|| (*level, text.trim_start()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_another_program_keeps_its_level() {
        for (line, expected) in [
            ("E! no room", "E! no room"),
            ("T! ERROR", "T! ERROR"),
            ("ERROR connection{task=\"t\"}: no room", "E! connection{task=\"t\"}: no room"),
            (" WARN slow", "W! slow"),
            ("2026-01-31T09:00:00.000000Z  INFO begun", "I! begun"),
            ("DEBUG detail", "D! detail"),
            ("TRACE step", "T! step"),
            ("WARNING:root:low on memory", "W! root:low on memory"),
            ("2026-01-31 09:00:00,123 INFO:root: begun", "I! root: begun"),
            ("2026/01/31 09:00:00 [ERROR] no room", "E! no room"),
            ("[DEBUG] detail", "D! detail"),
            ("CRITICAL: no room", "E! no room"),
            ("FATAL no room", "E! no room"),
            ("error: no such option", "E! no such option"),
            ("warning: old", "W! old"),
            ("ERRORS: 0", "I! ERRORS: 0"),
            ("INFORMATION", "I! INFORMATION"),
            ("error", "I! error"),
            ("  File \"x.py\", line 7", "I! File \"x.py\", line 7"),
            ("2026-01-31 text", "I! 2026-01-31 text"),
            ("12 INFO", "I! 12 INFO"),
            ("E!", "I! E!"),
            ("", "I! "),
        ] {
            let (begin, rest) = Form::Telegraf.of_other(line);
            assert_eq!([begin, rest].concat(), expected, "{line}");
            assert_eq!(Form::Plain.of_other(line), ("", line));
            assert_eq!(Form::Timed.of_other(line), ("", line));
        }
    }
}
