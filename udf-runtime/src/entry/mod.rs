//! The homes of a UDF: a program with a command line, and stdin and stdout alone.

#[cfg(feature = "main")]
mod args;
#[cfg(feature = "main")]
mod logs;
#[cfg(feature = "main")]
mod metrics;
#[cfg(feature = "main")]
mod open_files;
#[cfg(feature = "main")]
mod program;
mod stdio;
#[cfg(feature = "main")]
mod systemd;

#[cfg(feature = "main")]
pub use program::main;
pub use stdio::{StdioError, serve_stdio};
