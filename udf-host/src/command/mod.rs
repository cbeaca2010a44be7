//! The subcommands `info`, `replay` and `telegraf`, for an author's own program and for the `udf`
//! command.
//!
//! The arguments are defined here once. A program adds the subcommands to its own
//! [`clap::Command`], and passes a function that connects to the UDF:
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
//!             Some((_, matches)) => command::replay(matches, "outliers", &[], &connect),
//!             None => unreachable!("clap requires a subcommand"),
//!         }
//!     }))
//! }
//! ```
//!
//! The exit status is 0 on success, also when the reader of stdout closes it early; 1 on a failure,
//! which is reported on stderr; 2 for invalid usage.

mod arguments;
mod failure;
mod info;
#[cfg(feature = "plot")]
mod plot;
mod replay;
mod status_line;
mod telegraf;
mod terminal;

use std::ffi::OsString;

use clap::{ArgMatches, Command};

pub use arguments::{group_by, option};
pub use failure::{Failure, end, exit};
pub use info::{info, info_command, info_of_all, list, list_command};
#[cfg(feature = "plot")]
pub use plot::{check_folder, svg_path, write_picture};
pub use replay::{read, reading, reading_args, replay, replay_command};
pub use status_line::StatusLine;
pub use telegraf::{telegraf, telegraf_command};
pub use terminal::{note, print};

/// Parses the arguments of a program. The first argument is the name of the program.
///
/// # Errors
/// [`Failure::Arguments`], or [`Failure::Telegraf`] if the arguments are those of the subcommand
/// `telegraf`.
pub fn parse(
    command: Command,
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<ArgMatches, Failure> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    command.clone().try_get_matches_from(&args).map_err(|mut error| {
        replay::tip(&mut error);
        let failure = Failure::Arguments(error);
        if is_for_telegraf(&command, &args) { failure.for_telegraf() } else { failure }
    })
}

/// Returns whether invalid arguments select the subcommand `telegraf`.
fn is_for_telegraf(command: &Command, args: &[OsString]) -> bool {
    let mut command = command;
    for arg in args.iter().skip(1).take_while(|arg| *arg != "--") {
        let sub = arg.to_str().and_then(|arg| command.find_subcommand(arg));
        command = sub.unwrap_or(command);
    }
    command.get_name() == telegraf::NAME
}
