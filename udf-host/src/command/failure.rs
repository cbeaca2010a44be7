//! Why a command did not succeed, and the exit status for it.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The arguments are wrong, or ask for help: clap has the words. Exit status 2, or 0 for help.
    Arguments(clap::Error),
    /// The arguments do not fit the UDF. Exit status 2.
    Usage(String),
    /// Something failed. Exit status 1.
    Failed(String),
    /// Whoever reads the output has read enough, like `head`. It is no failure: exit status 0.
    OutputClosed,
}

impl Failure {
    /// Something failed: `what` says it all.
    pub fn failed(what: impl fmt::Display) -> Self {
        Failure::Failed(what.to_string())
    }

    /// Writing to stdout failed.
    pub(super) fn output(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Failed(format!("writing to stdout failed: {error}")),
        }
    }

    /// The exit status of the process.
    pub fn exit_status(&self) -> u8 {
        match self {
            Failure::Arguments(error) => u8::try_from(error.exit_code()).unwrap_or(2),
            Failure::Usage(_) => 2,
            Failure::Failed(_) => 1,
            Failure::OutputClosed => 0,
        }
    }
}

/// Tells stderr what went wrong, if something did, and makes it the exit status.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    let (status, last_words) = end(result);
    if let Some(text) = last_words {
        // When stderr is gone, nobody is left to tell.
        let _ = io::stderr().write_all(text.as_bytes());
    }
    status
}

/// Returns the exit status, and what stderr must be told, for a program that does not write there itself: nobody may
/// read it. Help that was asked for is printed to stdout.
pub fn end(result: Result<(), Failure>) -> (ExitCode, Option<String>) {
    let Err(failure) = result else { return (ExitCode::SUCCESS, None) };
    let last_words = match &failure {
        Failure::Arguments(error) if error.use_stderr() => Some(error.render().to_string()),
        Failure::Arguments(error) => {
            // When stdout is gone, nobody is left to read it.
            let _ = error.print();
            None
        }
        Failure::Usage(what) | Failure::Failed(what) => Some(format!("error: {what}\n")),
        Failure::OutputClosed => None,
    };
    (ExitCode::from(failure.exit_status()), last_words)
}
