//! Arguments that several subcommands have.

use clap::{Arg, ArgAction, ArgMatches};

/// Returns the argument `-o`, for a subcommand that sends an Init.
pub fn option() -> Arg {
    Arg::new("option")
        .short('o')
        .long("option")
        .value_name("NAME=VALUE")
        .action(ArgAction::Append)
        .help("An option of the UDF; NAME=A,B for two arguments, NAME for a flag")
}

/// Returns the argument `--group-by`.
pub fn group_by() -> Arg {
    Arg::new("group-by")
        .long("group-by")
        .value_name("TAGS")
        .default_value("")
        .hide_default_value(true)
        .help("Tags to group by, separated by commas; * for all")
}

/// Returns the argument `--by-name`.
pub(super) fn by_name() -> Arg {
    Arg::new("by-name")
        .long("by-name")
        .action(ArgAction::SetTrue)
        .help("Also group by the name of the measurement")
}

/// Returns an argument whose value is a name.
pub(super) fn named(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("NAME").default_value(default).help(help)
}

/// Returns the value of an argument, or an empty text without one.
pub(super) fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}
