//! Why a command failed, and the exit status for it.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

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

    /// Returns the exit status of the process.
    pub fn exit_status(&self) -> u8 {
        match self {
            Failure::Arguments(error) => u8::try_from(error.exit_code()).unwrap_or(2),
            Failure::Usage(_) => 2,
            Failure::Failed(_) => 1,
            Failure::OutputClosed => 0,
        }
    }
}

/// Prints the failure, if any, to stderr and returns the exit status.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    let (status, last_words) = end(result);
    if let Some(text) = last_words {
        // Errors are ignored: without stderr there is no place to report them.
        let _ = io::stderr().write_all(text.as_bytes());
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
        Failure::OutputClosed => None,
    };
    (ExitCode::from(failure.exit_status()), last_words)
}
