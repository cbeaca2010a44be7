//! The subcommand `udf nats`: runs a UDF on several machines, over NATS JetStream.

mod connection;
mod setup;
mod status;
mod work;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use udf_host::command::{self, Failure};
use udf_nats::nats::{Connection, Session, check_name};

pub(super) fn command() -> Command {
    Command::new("nats")
        .about("Run the UDF on several machines, over NATS JetStream")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(
            "udf nats setup --name ma --input telegraf.raw --output derived.ma --partitions 8 --replicas 3\n\
             udf nats split --name ma --group-by host\n\
             udf nats run --name ma --group-by host -o field=usage_user -o size=10 -- ./moving_avg\n\
             udf nats status --name ma",
        )
        .subcommands(
            [setup::command(), status::command(), work::split_command(), super::of_a_target(work::run_command())]
                .map(with_connection),
        )
}

fn with_connection(command: Command) -> Command {
    let name = Arg::new("name")
        .long("name")
        .value_name("NAME")
        .required(true)
        .value_parser(|name: &str| check_name(name).map(|()| name.to_owned()))
        .help("The name of the UDF on the server");
    connection::args(command.arg(name))
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    match matches.subcommand() {
        Some(("setup", matches)) => command::exit(setup::run(matches)),
        Some(("split", matches)) => work::split(matches),
        Some(("run", matches)) => work::run(matches),
        Some(("status", matches)) => command::exit(status::run(matches)),
        _ => unreachable!("clap requires a subcommand"),
    }
}

/// Returns the name of the UDF on the server.
fn name(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("name").expect("clap requires a name")
}

/// Returns the connection that the arguments and the environment ask for.
fn connection(matches: &ArgMatches) -> Result<Connection, Failure> {
    connection::of(matches, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Connects, and does something with the connection.
fn connected<T>(
    matches: &ArgMatches,
    work: impl AsyncFnOnce(Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let connection = connection(matches)?;
    let done = udf_nats::block_on(async {
        let session = connection.connect(name(matches)).await.map_err(Failure::failed)?;
        work(session).await
    });
    done.map_err(|error| Failure::failed(format!("cannot wait for sockets: {error}")))?
}
