//! Why a command failed, and the exit status for it.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Instant;

use udf_text::message;

use crate::telegraf::{LOG_READ_WITHIN, wait_until_read};

/// Telegraf stops reading the stderr of a program at a line of 64 KiB.
const MAX_LINE: usize = 60 << 10;

/// Why a command did not succeed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The arguments are invalid or ask for help; clap has the text. Exit status 2, or 0 for help.
    Arguments(clap::Error),
    /// The arguments do not fit the UDF. Exit status 2.
    Usage(String),
    /// The command failed. Exit status 1.
    Failed(String),
    /// A failure in the log of Telegraf.
    Telegraf {
        /// The line, without its end: `E! ` and the failure.
        line: String,
        /// The exit status.
        status: u8,
    },
    /// The reader of stdout has closed it, as `head` does. This is not a failure: exit status 0.
    OutputClosed,
}

impl Failure {
    /// Creates a failure with this message.
    pub fn failed(what: impl fmt::Display) -> Self {
        Failure::Failed(what.to_string())
    }

    /// Creates the failure for an error in writing to stdout.
    pub(super) fn output(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Failed(format!("writing to stdout failed: {error}")),
        }
    }

    /// Converts the failure to a line in the log of Telegraf. Help stays help.
    #[must_use]
    pub fn for_telegraf(self) -> Self {
        let text = match &self {
            Failure::Arguments(error) if error.use_stderr() => error.render().to_string(),
            Failure::Usage(what) | Failure::Failed(what) => what.clone(),
            Failure::Arguments(_) | Failure::Telegraf { .. } | Failure::OutputClosed => {
                return self;
            }
        };
        Failure::Telegraf { line: format!("E! {}", one_line(&text)), status: self.exit_status() }
    }

    /// Returns the exit status of the process.
    pub fn exit_status(&self) -> u8 {
        match self {
            Failure::Arguments(error) => u8::try_from(error.exit_code()).unwrap_or(2),
            Failure::Usage(_) => 2,
            Failure::Failed(_) => 1,
            Failure::Telegraf { status, .. } => *status,
            Failure::OutputClosed => 0,
        }
    }
}

/// Returns a failure as one line, without the advice of a command line on its usage.
fn one_line(text: &str) -> String {
    let advice = ["Usage:", "For more information"];
    let lines = text.lines().map(str::trim);
    let lines = lines.take_while(|line| !advice.iter().any(|begin| line.starts_with(begin)));
    let mut words = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        words.push_str(match &words[..] {
            "" => "",
            words if words.ends_with(':') => " ",
            _ => "; ",
        });
        words.push_str(line);
    }
    message::one_line(words.strip_prefix("error: ").unwrap_or(&words), MAX_LINE)
}

/// Prints the failure, if any, to stderr and returns the exit status.
///
/// Waits until Telegraf has read a [failure in its log](Failure::Telegraf).
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    let is_for_telegraf = matches!(result, Err(Failure::Telegraf { .. }));
    let (status, last_words) = end(result);
    if let Some(text) = last_words {
        // Errors are ignored: without stderr there is no place to report them.
        let _ = io::stderr().write_all(text.as_bytes());
    }
    if is_for_telegraf {
        // Without a reader, there is nobody to wait for.
        let _ = wait_until_read(io::stderr(), Instant::now() + LOG_READ_WITHIN);
    }
    status
}

/// Returns the exit status and the text for stderr. The caller prints the text in its own way, so
/// that a stderr that is never read cannot block this function. Requested help is printed to
/// stdout.
pub fn end(result: Result<(), Failure>) -> (ExitCode, Option<String>) {
    let Err(failure) = result else { return (ExitCode::SUCCESS, None) };
    let last_words = match &failure {
        Failure::Arguments(error) if error.use_stderr() => Some(error.render().to_string()),
        Failure::Arguments(error) => {
            // Errors are ignored: without stdout, there is no reader for the help.
            let _ = error.print();
            None
        }
        Failure::Usage(what) | Failure::Failed(what) => Some(format!("error: {what}\n")),
        Failure::Telegraf { line, .. } => Some(format!("{line}\n")),
        Failure::OutputClosed => None,
    };
    (ExitCode::from(failure.exit_status()), last_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_for_telegraf() {
        for (text, expected) in [
            ("no room", "E! no room"),
            ("no option `a`\nno option `b`\n", "E! no option `a`; no option `b`"),
            ("two:\n  a\n  b\x1b[0m", "E! two: a; b [0m"),
        ] {
            let Failure::Telegraf { line, status: 2 } =
                Failure::Usage(text.to_owned()).for_telegraf()
            else {
                panic!("it is a failure for Telegraf")
            };
            assert_eq!(line, expected);
        }
        let long = Failure::failed("x".repeat(1 << 20)).for_telegraf();
        let Failure::Telegraf { line, status: 1 } = long else { panic!("{long:?}") };
        assert!(line.len() < 64 << 10);
        assert!(matches!(Failure::OutputClosed.for_telegraf(), Failure::OutputClosed));
    }
}
