//! The arguments that the shared things of a program need, on the command line of the program.

use std::env;

use clap::{Arg, ArgMatches, Command};
use udf_host::command::Failure;
use udf_text::describe::Install;

use crate::udf::shared::resources::SharedType;
use crate::udf::shared::{Argument, Arguments, missing};

/// Returns the arguments of these types, each name once.
fn arguments<'t>(types: impl IntoIterator<Item = &'t SharedType>) -> Vec<Argument> {
    let mut all: Vec<Argument> = Vec::new();
    for argument in types.into_iter().flat_map(|ty| ty.arguments) {
        if !all.iter().any(|known| known.name == argument.name) {
            all.push(*argument);
        }
    }
    all
}

/// Adds the arguments of these types to a command and its subcommands.
pub(super) fn add<'t>(
    command: Command,
    types: impl IntoIterator<Item = &'t SharedType>,
) -> Command {
    let all = arguments(types);
    let args = all.iter().filter(|argument| !argument.is_secret).map(|argument| {
        let env = argument.env.map(|name| format!(" [env: {name}]"));
        let default = argument.default.map(|text| format!(" [default: {text}]"));
        let help = [argument.help, &env.unwrap_or_default(), &default.unwrap_or_default()].concat();
        let arg = Arg::new(argument.name).long(argument.name).value_name(argument.value);
        arg.help(help).help_heading("Arguments of the UDF").global(true)
    });
    let command = command.args(args.collect::<Vec<_>>());
    match secrets(&all) {
        text if text.is_empty() => command,
        text => {
            let after = command.get_after_help().map(|text| format!("\n\n{text}"));
            command.after_help(format!("{text}{}", after.unwrap_or_default()))
        }
    }
}

/// Returns the help of the secrets.
fn secrets(all: &[Argument]) -> String {
    let secrets: Vec<_> = all.iter().filter(|argument| argument.is_secret).collect();
    let width = secrets.iter().map(|secret| secret.name.len()).max().unwrap_or(0);
    let lines = secrets.iter().map(|secret| {
        let optional = if secret.is_optional { " [optional]" } else { "" };
        format!("\n  {:width$}  {}{optional}", secret.name, secret.help)
    });
    let lines = lines.collect::<String>();
    if lines.is_empty() { lines } else { format!("Environment variables:{lines}") }
}

/// Returns whether one of these types has an argument of this name.
pub(super) fn has(types: &[SharedType], name: &str) -> bool {
    types.iter().flat_map(|ty| ty.arguments).any(|argument| argument.name == name)
}

/// Returns the values of the command line and of the environment.
///
/// # Errors
/// Returns an error if a value is not UTF-8, or if two types declare an argument differently.
fn values(types: &[SharedType], matches: &ArgMatches) -> Result<Arguments, Failure> {
    for (at, ty) in types.iter().enumerate() {
        for argument in ty.arguments {
            let differs = |other: &&SharedType| {
                other.arguments.iter().any(|a| a.name == argument.name && a != argument)
            };
            if let Some(other) = types[..at].iter().find(differs) {
                return Err(Failure::Failed(format!(
                    "{} and {} declare the argument `{}` in different ways; rename one",
                    other.name(),
                    ty.name(),
                    argument.name
                )));
            }
        }
    }
    // Global arguments are found with the innermost subcommand.
    let mut innermost = matches;
    while let Some((_, sub)) = innermost.subcommand() {
        innermost = sub;
    }
    let all = arguments(types);
    let mut values = Arguments::new(all.clone());
    for argument in &all {
        let given = match argument.is_secret {
            true => None,
            false => innermost.get_one::<String>(argument.name).cloned(),
        };
        let of_env = || {
            let (name, value) = (argument.env?, env::var_os(argument.env?)?);
            Some(value.into_string().map_err(|_| {
                Failure::Usage(format!("the environment variable {name} is not valid UTF-8"))
            }))
        };
        if let Some(value) = given.map(Ok).or_else(of_env).transpose()? {
            values.set(argument, value);
        }
    }
    Ok(values)
}

/// Returns the values to open these types with.
///
/// # Errors
/// Returns an error that names all missing arguments.
pub(super) fn complete(types: &[SharedType], matches: &ArgMatches) -> Result<Arguments, Failure> {
    let values = values(types, matches)?;
    let all = arguments(types);
    let lacking = all.iter().filter(|a| a.is_required() && values.text(a).is_none());
    let lacking: Vec<_> = lacking.map(missing).collect();
    if lacking.is_empty() { Ok(values) } else { Err(Failure::Usage(lacking.join("; "))) }
}

/// Adds the arguments to the command line with which Kapacitor starts the program: the set values,
/// and placeholders for required values that are not set.
pub(super) fn install(
    install: Install,
    types: &[SharedType],
    matches: &ArgMatches,
) -> Result<Install, Failure> {
    let values = values(types, matches)?;
    let Install { mut args, mut variables, mut daemon, mut telegraf, .. } = install;
    for argument in arguments(types) {
        let value = match values.text(&argument) {
            _ if argument.is_secret => {
                variables.push(argument.name.to_owned());
                continue;
            }
            Some(text) if argument.default != Some(text) => text,
            None if argument.is_required() => argument.value,
            _ => continue,
        };
        let words = [format!("--{}", argument.name), value.to_owned()];
        args.extend(words.clone());
        daemon.extend(words.clone());
        telegraf.extend(words);
    }
    Ok(Install { args, variables, daemon, telegraf, ..install })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::homes::program::Program;
    use crate::homes::several;
    use crate::udf::shared::TAKEN;
    use crate::{Emitter, Point, Result, Stream, StreamUdf, udf};

    /// Drops points.
    #[udf(wants = stream, provides = stream, crate = crate)]
    struct Hole {}

    impl StreamUdf for Hole {
        fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_names_that_the_kit_takes_are_known() {
        const PROGRAMS: &[Program] = &[Program::of::<Hole>()];
        let mut found = BTreeSet::from(["daemon", "farewell"].map(str::to_owned));
        let of_one = PROGRAMS[0].command();
        let mut commands = vec![of_one, several::command(PROGRAMS, "udfs", "1")];
        while let Some(mut command) = commands.pop() {
            command.build();
            let others = ["help", "list", PROGRAMS[0].name];
            let subcommands = command.get_subcommands();
            commands.extend(subcommands.filter(|sub| !others.contains(&sub.get_name())).cloned());
            found.extend(command.get_arguments().map(|arg| arg.get_id().to_string()));
        }
        assert_eq!(found, TAKEN.map(str::to_owned).into());
    }
}
