//! The command line of `info` and `replay`, for an author's own program and for the `udf` command.
//!
//! Arguments are defined here once; whoever owns `main` puts the subcommands into its own
//! [`clap::Command`], and says how a connection with the UDF is made:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use udf_host::command::{self, Failure};
//! use udf_text::describe::{Description, Install};
//! use udf_host::{Process, replay};
//!
//! fn main() -> ExitCode {
//!     let connect = || Box::new(Process::new("/usr/local/bin/outliers")) as _;
//!     let command = clap::Command::new("outliers")
//!         .subcommand_required(true)
//!         .subcommands([command::info_command(), command::replay_command()]);
//!     command::exit(command::parse(command, std::env::args_os()).and_then(|matches| {
//!         match matches.subcommand() {
//!             Some(("info", matches)) => {
//!                 let info = replay::ask(&connect).map_err(Failure::failed)?;
//!                 let description = Description::from_info("outliers", &info);
//!                 command::info(matches, &description, &Install::default())
//!             }
//!             Some((_, matches)) => command::replay(matches, &connect),
//!             None => unreachable!("clap requires a subcommand"),
//!         }
//!     }))
//! }
//! ```
//!
//! The exit status is 0 on success, also when whoever reads the output has read enough; 1 when something
//! failed, which stderr then names; 2 when the command was not used as it can be.

mod info;
mod replay;
mod status_line;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

pub use info::{info, info_command};
pub use replay::{note_precision, precision_arg, replay, replay_command};
pub use status_line::StatusLine;

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
    fn output(error: io::Error) -> Self {
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

/// Parses the arguments of a program, the first of which is its name.
///
/// # Errors
/// [`Failure::Arguments`].
pub fn parse(
    command: Command,
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<ArgMatches, Failure> {
    command.try_get_matches_from(args).map_err(|mut error| {
        replay::tip(&mut error);
        Failure::Arguments(error)
    })
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

/// Tells stderr something that is no failure, but that whoever called the command may not have meant.
fn note(note: impl fmt::Display) {
    // When stderr is gone, nobody is left to tell.
    let _ = writeln!(io::stderr(), "note: {note}");
}

/// How wide a terminal is; nothing when it is none, or does not say.
fn columns(terminal: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Writes `text` to stdout.
///
/// # Errors
/// When stdout takes nothing.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}
