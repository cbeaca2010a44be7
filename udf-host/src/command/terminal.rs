//! Output to stdout and stderr.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::failure::Failure;

/// Prints a note to stderr: not a failure, but a result that the user may not have intended.
pub fn note(note: impl fmt::Display) {
    // Errors are ignored: without stderr there is no place to report them.
    let _ = io::stderr().write_all(format!("note: {note}\n").as_bytes());
}

/// Returns the width of a terminal. Returns `None` if the descriptor is not a terminal or its width
/// is unknown.
pub(super) fn columns(terminal: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Returns the columns and rows of a terminal. Returns `None` if the descriptor is not a terminal or
/// its size is unknown.
#[cfg(feature = "plot")]
pub(super) fn size(terminal: &impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    let is_known = size.ws_col > 0 && size.ws_row > 0;
    is_known.then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

/// Stdout as the output of a replay. A trait object of [`io::Stdout`] itself would make programs
/// contain its version of every method of [`Write`].
#[cfg(feature = "plot")]
pub(super) struct Output;

#[cfg(feature = "plot")]
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Writes `text` to stdout.
///
/// # Errors
/// When stdout cannot be written to.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}
