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

mod failure;
mod info;
mod replay;
mod status_line;
mod terminal;

use std::ffi::OsString;

use clap::{ArgMatches, Command};

pub use failure::{Failure, end, exit};
pub use info::{info, info_command};
pub use replay::{note_precision, precision_arg, replay, replay_command};
pub use status_line::StatusLine;
pub use terminal::print;

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
