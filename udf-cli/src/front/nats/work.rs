//! The subcommands `udf nats run` and `udf nats split`, which work until a signal.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_host::command::Failure;
use udf_nats::nats::{Names, Session};
use udf_nats::owner::{Role, worker_name};
use udf_nats::run::{Job, Metrics, RunError, Settings, agree};
use udf_nats::work::{Run, Split};
use udf_runtime::__private as runtime;
use udf_text::duration;
use udf_text::line_protocol::Grouping;

use crate::Target;
use crate::front::{option_arg, options, target};
use crate::target::found;

/// The grace period of a UDF after an abort.
const ABORT_WITHIN: Duration = Duration::from_millis(500);

/// The grace period of a UDF at the end of its input.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

fn arg(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// Returns the subcommand `run`, without the arguments that select the UDF.
pub(super) fn run_command() -> Command {
    let command = Command::new("run")
        .about("Run the UDF for the partitions that are assigned to this process")
        .after_help(
            "Any number of processes may run, on any machines. They share the partitions, also when one joins, leaves\n\
             or dies. SIGTERM stores the state and gives the partitions back; a second signal exits at once.\n\
             \n\
             The UDF must emit the same points whenever it gets the same input in the same state. Ticks are part of the\n\
             input. Points from other threads (`Remote` in Rust) are refused without --allow-remote.",
        )
        .args([
            option_arg(),
            arg("snapshot-every", "DURATION", "Store the state of the UDF at this interval")
                .value_parser(duration::positive)
                .default_value("10s"),
            arg("snapshot-bytes", "BYTES", "Store the state of the UDF after this much input")
                .value_parser(value_parser!(u64).range(1024..=1 << 40))
                .default_value("67108864"),
            arg(
                "poison",
                "POLICY",
                "What to do with a line that kills the UDF each time: write it to the dead-letter subject and go on, or stop \
                 the partition",
            )
            .value_parser(["dead-letter", "stop"])
            .default_value("dead-letter"),
            flag("skip-lost", "Go on if retention has removed lines before they were handled"),
            flag(
                "allow-remote",
                "Accept points that the UDF emits from other threads; after a fault, they may be lost or doubled",
            ),
            arg("database", "NAME", "The database of the points that the UDF gets")
                .default_value("telegraf"),
            arg("retention-policy", "NAME", "The retention policy of these points")
                .default_value("autogen"),
        ]);
    common(command)
}

pub(super) fn split_command() -> Command {
    let command = Command::new("split")
        .about("Split raw lines into partitions by group")
        .after_help(
            "One process splits; others stand by, and one of them goes on within seconds when the first one dies.\n\
             Lines that are not valid go to the dead-letter subject. A line without a time gets the time at which the\n\
             server has stored its message.",
        )
        .arg(flag("skip-lost", "Go on if retention has removed lines before they were split"));
    common(command)
}

fn common(command: Command) -> Command {
    let command = command.args([
        arg("group-by", "TAGS", "Tags to group by, separated by commas; * for all, '' for none")
            .required(true),
        flag("by-name", "Also group by the name of the measurement"),
        flag("until-end", "Handle what is there at the start, and then end"),
        arg("shutdown-timeout", "DURATION", "Grace period for the end after SIGTERM")
            .value_parser(duration::parse)
            .default_value("10s"),
        runtime::nats::metrics_arg(),
    ]);
    runtime::nats::logging_args(command)
}

fn grouping(matches: &ArgMatches) -> Grouping {
    let tags = matches.get_one::<String>("group-by").map_or("", String::as_str);
    Grouping::parse(tags).by_name(matches.get_flag("by-name"))
}

fn settings(matches: &ArgMatches, role: Role) -> Settings {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let worker = worker_name(&host, std::process::id());
    let shutdown = matches.get_one("shutdown-timeout").copied().unwrap_or_default();
    Settings { worker, host, role, until_end: matches.get_flag("until-end"), shutdown }
}

fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let work = || {
        runtime::nats::start_log(matches)?;
        let target = target(matches);
        let udf = target.name();
        let target = match target {
            Target::Program { program, args } => {
                // The path stays the same while the program of that path is replaced.
                let program = [found(&program).into()].into_iter();
                runtime::TelegrafTarget::Program(program.chain(args).collect())
            }
            Target::Socket(path) => runtime::TelegrafTarget::Socket(path),
        };
        let connector = runtime::nats::Connector::new(&udf, target)?;
        let host =
            udf_host::Settings::default().abort_within(ABORT_WITHIN).close_within(CLOSE_WITHIN);
        let run = Run {
            connect: std::sync::Arc::new(move || connector.connect(host.clone())),
            udf,
            options: options(matches),
            grouping: grouping(matches),
            database: text(matches, "database"),
            retention_policy: text(matches, "retention-policy"),
            snapshot_every: *matches.get_one("snapshot-every").expect("it has a default"),
            snapshot_bytes: *matches.get_one("snapshot-bytes").expect("it has a default"),
            stops_at_poison: text(matches, "poison") == "stop",
            skip_lost: matches.get_flag("skip-lost"),
            may_use_threads: matches.get_flag("allow-remote"),
        };
        let name = super::name(matches);
        let settings = settings(matches, Role::Worker);
        work(matches, &settings, async |session| {
            let names = agree(session, name, &run.grouping).await?;
            let job = run.job(name)?;
            Ok((names, job))
        })
    };
    runtime::nats::end(work())
}

pub(super) fn split(matches: &ArgMatches) -> ExitCode {
    let work = || {
        runtime::nats::start_log(matches)?;
        let settings = settings(matches, Role::Splitter);
        let split = Split { grouping: grouping(matches), skip_lost: matches.get_flag("skip-lost") };
        let name = super::name(matches);
        work(matches, &settings, async |session| {
            let names = agree(session, name, &split.grouping).await?;
            Ok((names, split.job()))
        })
    };
    runtime::nats::end(work())
}

fn work(
    matches: &ArgMatches,
    settings: &Settings,
    prepare: impl AsyncFnOnce(&Session) -> Result<(Names, Job), RunError>,
) -> Result<(), Failure> {
    let connection = super::connection(matches)?;
    let metrics = Metrics::default();
    let shown = metrics.clone();
    runtime::nats::serve_metrics(matches, move || shown.to_prometheus())?;
    let name = super::name(matches);
    let done = udf_nats::block_on(async {
        udf_nats::run::work(&connection, name, settings, &metrics, prepare).await
    });
    let done =
        done.map_err(|error| Failure::failed(format!("cannot wait for sockets: {error}")))?;
    done.map_err(|error| match error {
        RunError::Refused(why) => Failure::Usage(why),
        error => Failure::failed(error),
    })
}
