//! What is written to stdout and stderr.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::failure::Failure;

/// Tells stderr something that is no failure, but that whoever called the command may not have meant.
pub(super) fn note(note: impl fmt::Display) {
    // When stderr is gone, nobody is left to tell.
    let _ = io::stderr().write_all(format!("note: {note}\n").as_bytes());
}

/// How wide a terminal is; nothing when it is none, or does not say.
pub(super) fn columns(terminal: &impl AsFd) -> Option<usize> {
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
