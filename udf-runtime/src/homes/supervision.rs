//! The arguments of a supervised UDF.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_host::command::{self, Failure};
use udf_text::duration;

use super::flags::set;
use crate::supervise::{BEFORE_SEARCH, OnError, Poison, Settings};

/// The heading of these arguments in the help.
const HEADING: &str = "Supervision";

/// Adds the arguments of supervision to those of a UDF, which is supervised on request.
pub(super) fn add(command: Command) -> Command {
    let asked = asked(
        "Run each connection in a worker process, which is restarted without loss when it dies",
    );
    // Tells a worker from a program that serves Kapacitor itself, also after its supervisor has
    // died.
    let worker = Arg::new("worker").long("worker").action(ArgAction::SetTrue).hide(true);
    let settings = settings_args().map(|arg| arg.requires("supervise"));
    command.args([asked, worker]).args(settings)
}

/// Returns the subcommand `telegraf`, with the arguments of supervision. The state file takes the
/// place of `--state-dir`.
pub(super) fn telegraf_command() -> Command {
    let asked =
        asked("Run the UDF in a worker process, which is restarted without loss when it dies");
    let settings = settings_args().filter(|arg| arg.get_id() != "state-dir");
    let settings = settings.map(|arg| arg.requires("supervise"));
    command::telegraf_command().arg(asked).args(settings)
}

fn asked(help: &'static str) -> Arg {
    Arg::new("supervise")
        .long("supervise")
        .action(ArgAction::SetTrue)
        .help(help)
        .help_heading(HEADING)
}

/// Returns the arguments with the policies and limits of supervision. Their defaults are those of
/// [`Settings`].
pub(super) fn settings_args() -> impl Iterator<Item = Arg> {
    let bytes =
        |name, help| set(name, "BYTES", help).value_parser(value_parser!(u64).range(..=1 << 40));
    let some = |name, help| {
        set(name, "BYTES", help).value_parser(value_parser!(u64).range(1024..=1 << 40))
    };
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let path = |name, value, help| set(name, value, help).value_parser(value_parser!(PathBuf));
    let args = [
        some("checkpoint-bytes", "Take a snapshot of the worker after this much input")
            .default_value("8388608"),
        set("checkpoint-every", "DURATION", "Take a snapshot of the worker when input is this old")
            .default_value("10s")
            .value_parser(duration::positive),
        some(
            "memory-limit",
            "Input and output of a connection that is kept for a replay; at this limit, further input waits for the snapshot",
        )
        .default_value("67108864"),
        bytes(
            "replay",
            "Input from before the last snapshot that is replayed to a UDF whose snapshots are empty",
        )
        .default_value("0"),
        set("restarts", "N", "Stop the task when its worker dies more often than this within --restart-window")
            .default_value("3")
            .value_parser(value_parser!(u32).range(..=1000)),
        set("restart-window", "DURATION", "The time in which restarts are counted")
            .default_value("60s")
            .value_parser(duration::positive),
        set(
            "poison",
            "POLICY",
            "What to do with input that kills the worker repeatedly: stop the task, or skip the input",
        )
        .default_value("stop")
        .value_parser(["stop", "skip"]),
        path("poison-file", "PATH", "The file for skipped input; with --poison skip"),
        set(
            "on-error",
            "POLICY",
            "What to do when the UDF reports an error: stop the task, or restart the worker",
        )
        .default_value("stop")
        .value_parser(["stop", "restart"]),
        flag(
            "at-least-once",
            "Pass on output that a new worker does not repeat, such as that of timers, so it may arrive twice; without it, such output may be lost",
        ),
        path("state-dir", "DIR", "Keep a recent snapshot of each task in this directory, for a restart of the machine"),
    ];
    args.into_iter().map(|arg| arg.help_heading(HEADING))
}

/// Refuses arguments of supervision that have no effect or contradict each other.
pub(super) fn check(matches: &ArgMatches) -> Result<(), Failure> {
    let Settings { poison, poison_file, restarts, checkpoint_bytes, memory, replay, .. } =
        settings(matches);
    let refused = match (poison, poison_file) {
        (Poison::Skip, None) => {
            "--poison skip needs --poison-file, so that no input is lost; add --poison-file PATH"
                .to_owned()
        }
        (Poison::Stop, Some(_)) => {
            "--poison-file has no effect without --poison skip; add it, or remove --poison-file"
                .to_owned()
        }
        (Poison::Skip, _) if restarts < BEFORE_SEARCH => format!(
            "--poison skip has no effect with --restarts {restarts}: input is suspected after {BEFORE_SEARCH} deaths; \
             raise --restarts to {BEFORE_SEARCH} or more"
        ),
        _ if checkpoint_bytes > memory => format!(
            "--checkpoint-bytes {checkpoint_bytes} is more than --memory-limit {memory}: the input until the snapshot \
             could not be kept; raise the one or lower the other"
        ),
        _ if replay > memory => format!(
            "--replay {replay} is more than --memory-limit {memory}: that input could not be kept; \
             raise the one or lower the other"
        ),
        _ => return Ok(()),
    };
    Err(Failure::Usage(refused))
}

/// Returns the policies and limits of supervision.
pub(super) fn settings(matches: &ArgMatches) -> Settings {
    let bytes = |name| {
        let bytes = *matches.get_one::<u64>(name).expect("it has a default");
        usize::try_from(bytes).unwrap_or(usize::MAX)
    };
    let time = |name| *matches.get_one::<Duration>(name).expect("it has a default");
    let is =
        |name, policy: &str| matches.get_one::<String>(name).is_some_and(|text| text == policy);
    Settings {
        checkpoint_bytes: bytes("checkpoint-bytes"),
        checkpoint_every: time("checkpoint-every"),
        memory: bytes("memory-limit"),
        replay: bytes("replay"),
        restarts: *matches.get_one::<u32>("restarts").expect("it has a default") as usize,
        restart_window: time("restart-window"),
        poison: if is("poison", "skip") { Poison::Skip } else { Poison::Stop },
        poison_file: matches.get_one("poison-file").cloned(),
        on_error: if is("on-error", "restart") { OnError::Restart } else { OnError::Stop },
        at_least_once: matches.get_flag("at-least-once"),
        // `telegraf` has no such argument.
        state_dir: matches.try_get_one("state-dir").ok().flatten().cloned(),
    }
}

/// Returns the argument of `info` that describes the installation of the supervised UDF.
pub fn info_arg() -> Arg {
    Arg::new("supervise")
        .long("supervise")
        .action(ArgAction::SetTrue)
        .help("Show how to install the UDF with a supervisor, which restarts it without loss when it dies")
}

/// Returns whether `info` shows the installation of the supervised UDF.
///
/// # Errors
/// Returns an error if the format does not show an installation.
pub fn is_asked(info: &ArgMatches) -> Result<bool, Failure> {
    if !info.get_flag("supervise") {
        return Ok(false);
    }
    match info.get_one::<String>("format").map(String::as_str) {
        Some(format @ ("json" | "tick")) => Err(Failure::Usage(format!(
            "--supervise has no effect with --format {format}, which shows no installation; use --format toml"
        ))),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> ArgMatches {
        let command = Command::new("udf").no_binary_name(true).args(settings_args());
        command.try_get_matches_from(args).expect("the arguments are valid")
    }

    #[test]
    fn the_defaults_are_those_of_the_settings() {
        let defaults = format!("{:?}", Settings::default());
        assert_eq!(format!("{:?}", settings(&parse(&[]))), defaults);
    }

    #[test]
    fn each_argument_has_its_place() {
        let args = "--checkpoint-bytes 2048 --checkpoint-every 1s --memory-limit 4096 --replay 1 --restarts 4 \
                    --restart-window 2s --poison skip --poison-file p --on-error restart --at-least-once \
                    --state-dir s";
        let matches = parse(&args.split_whitespace().collect::<Vec<_>>());
        let expected = Settings {
            checkpoint_bytes: 2048,
            checkpoint_every: Duration::from_secs(1),
            memory: 4096,
            replay: 1,
            restarts: 4,
            restart_window: Duration::from_secs(2),
            poison: Poison::Skip,
            poison_file: Some("p".into()),
            on_error: OnError::Restart,
            at_least_once: true,
            state_dir: Some("s".into()),
        };
        assert_eq!(format!("{:?}", settings(&matches)), format!("{expected:?}"));
        assert!(check(&matches).is_ok());
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused() {
        for (args, named) in [
            ("--poison skip", "--poison-file"),
            ("--poison-file p", "--poison skip"),
            ("--poison skip --poison-file p --restarts 2", "--restarts 2"),
            ("--checkpoint-bytes 4096 --memory-limit 2048", "--memory-limit 2048"),
            ("--replay 70000000", "--memory-limit 67108864"),
        ] {
            let refused = check(&parse(&args.split_whitespace().collect::<Vec<_>>()));
            let Err(Failure::Usage(text)) = refused else { panic!("{args}: {refused:?}") };
            assert!(text.contains(named), "{args}: {text}");
        }
    }
}
