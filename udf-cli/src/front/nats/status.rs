//! The subcommand `udf nats status`.

use clap::{ArgMatches, Command};
use udf_host::command::{self, Failure};

pub(super) fn command() -> Command {
    Command::new("status")
        .about("Show the partitions, who runs them, and how far they are")
        .after_help(
            "It takes two seconds, to see which workers live.\n\
             LAG is in messages. An owner that does not answer is replaced within 5 seconds, if a worker is left.",
        )
        .arg(super::super::format_arg())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let name = super::name(matches);
    let status = super::connected(matches, async |session| {
        udf_nats::status::status(&session, name).await.map_err(Failure::failed)
    })?;
    if !super::super::is_json(matches) {
        return command::print(&status.to_string());
    }
    let text = serde_json::to_string_pretty(&status).map_err(Failure::failed)?;
    command::print(&format!("{text}\n"))
}
