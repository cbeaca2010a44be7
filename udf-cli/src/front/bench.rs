//! `udf bench`.
use crate::Target;
use clap::{ArgMatches, Command};
use udf_host::command::Failure;
pub(super) fn command() -> Command {
    Command::new("bench")
}
pub(super) fn run(_: &ArgMatches, _: &Target) -> Result<(), Failure> {
    Ok(())
}
