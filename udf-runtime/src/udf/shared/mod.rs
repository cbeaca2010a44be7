//! Things that a process makes once, and that all of its tasks share.
//!
//! The program makes a table from a file, a client of a database or a cache once, and not again for
//! each task. Implement [`Shared`] for such a thing, and put an `Arc` of it into a `#[shared]`
//! field:
//!
//! ```no_run
//! use std::path::PathBuf;
//! use std::process::ExitCode;
//! use std::sync::Arc;
//! use std::fs;
//! use udf_runtime::shared::{Argument, Arguments, Current, Shared};
//! use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};
//!
//! /// The hosts in a file, one a line.
//! struct Hosts {
//!     path: PathBuf,
//!     all: Current<Vec<String>>,
//! }
//!
//! fn read(path: &PathBuf) -> Result<Vec<String>> {
//!     let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
//!     Ok(text.lines().map(str::to_owned).collect())
//! }
//!
//! impl Shared for Hosts {
//!     const ARGUMENTS: &'static [Argument] =
//!         &[Argument::new("hosts", "FILE", "The known hosts, one a line").env("HOSTS")];
//!
//!     fn open(arguments: &Arguments) -> Result<Self> {
//!         let path = arguments.value("hosts")?;
//!         Ok(Hosts { all: Current::new(read(&path)?), path })
//!     }
//!
//!     fn reload(&self) -> Result<()> {
//!         self.all.set(read(&self.path)?);
//!         Ok(())
//!     }
//! }
//!
//! /// Passes the points of known hosts.
//! #[udf(wants = stream, provides = stream)]
//! struct Known {
//!     #[shared]
//!     hosts: Arc<Hosts>,
//! }
//!
//! impl StreamUdf for Known {
//!     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
//!         let hosts = self.hosts.all.get();
//!         if point.tag("host").is_some_and(|host| hosts.iter().any(|known| known == host)) {
//!             out.pass(point)?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     udf_runtime::main::<Known>()
//! }
//! ```
//!
//! The program then has the argument `--hosts FILE`, and a SIGHUP reads the file again. A process
//! opens each type once, also if several fields or UDFs share it.
//!
//! | started as | opened | an error of `open` |
//! | --- | --- | --- |
//! | a daemon, `replay` | at the start, before the socket exists | ends the program with status 1 |
//! | a child of Kapacitor | at the Init of the task | refuses the task, with the text of the error |
//! | `info` | never | |
//!
//! In a test, supply the thing with [`Setup::shared`](crate::testing::Setup::shared). In your own
//! `main`, supply it with [`UdfHandler::shared`](crate::UdfHandler::shared).

mod argument;
mod arguments;
mod current;
pub(crate) mod field;
pub(crate) mod resources;

pub use argument::Argument;
#[cfg(all(test, feature = "main"))]
pub(crate) use argument::TAKEN;
#[cfg(feature = "main")]
pub(crate) use arguments::missing;
pub use arguments::{ArgumentError, Arguments};
pub use current::Current;

use std::fmt;

#[cfg(feature = "main")]
use crate::agent::error::Error;
use crate::agent::error::Result;

/// A thing that a process makes once, and that all of its tasks share. See the
/// [module](crate::shared).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be `#[shared]`: it does not implement `Shared`",
    label = "`impl Shared for {Self}` is missing",
    note = "write `impl udf_runtime::shared::Shared for {Self}`, whose `open` the process calls once"
)]
pub trait Shared: Sized + Send + Sync + 'static {
    /// The arguments of the program that [`open`](Self::open) needs. `--help` lists them.
    const ARGUMENTS: &'static [Argument] = &[];

    /// Makes the thing when the process starts.
    ///
    /// # Errors
    /// Return an error if the thing cannot be made. The program then ends with the text of the
    /// error. A program that Kapacitor has started refuses the task with this text.
    fn open(arguments: &Arguments) -> Result<Self>;

    /// Reads the file or the server again when the process receives SIGHUP. By default, there is
    /// nothing to reload.
    ///
    /// The method runs on its own thread while tasks use `self`, and never twice at a time. SIGHUPs
    /// during a reload cause one more reload after it. Read first, and then replace the old data at
    /// once with [`Current::set`]. Then no task waits for the reload, and an error leaves the old
    /// data in place.
    ///
    /// # Errors
    /// Return an error if the reload fails. The kit logs the error, and the process goes on.
    fn reload(&self) -> Result<()> {
        Err(Box::new(NoReload))
    }
}

/// The error of a [`Shared`] thing without `reload`.
#[derive(Debug)]
struct NoReload;

impl fmt::Display for NoReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to reload")
    }
}

impl std::error::Error for NoReload {}

/// Returns whether this is the error of a thing without `reload`.
#[cfg(feature = "main")]
fn has_no_reload(error: &Error) -> bool {
    error.is::<NoReload>()
}
