//! The arguments of `replay` that draw a picture.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches};
use udf_plot::{Groups, Look, Picture, Settings};

use super::arguments::text;
use super::failure::Failure;
use super::terminal;
use crate::replay::{Connect, Progress, Replay, ReplayError, Summary};

/// Returns the arguments.
pub(super) fn args() -> [Arg; 4] {
    let of_a_plot = |name: &'static str| Arg::new(name).long(name);
    [
        Arg::new("plot")
            .long("plot")
            .value_name("FILE.svg")
            .num_args(0..=1)
            .value_parser(|path: &str| {
                let tip = |error| format!("{error}; to draw on the terminal, write --plot last");
                svg_path(path).map_err(tip)
            })
            .help("Draw input and output into FILE.svg, or on the terminal without a FILE"),
        of_a_plot("plot-groups")
            .value_name("GROUP")
            .allow_negative_numbers(true)
            .action(ArgAction::Append)
            .help("Draw this group, such as cpu=cpu0, or the first N groups [default: 6]"),
        of_a_plot("plot-fields")
            .value_name("FIELDS")
            .value_delimiter(',')
            .action(ArgAction::Append)
            .help("Draw these fields, separated by commas [default: those that the UDF reads and sends]"),
        of_a_plot("utc").action(ArgAction::SetTrue).help("Draw times in UTC, not in local time"),
    ]
}

/// Parses the path of a picture. Without this check, `replay --plot cpu.lp` would overwrite the
/// points.
///
/// # Errors
/// If the path does not end in `.svg`.
pub fn svg_path(path: &str) -> Result<PathBuf, String> {
    match Path::new(path).extension().is_some_and(|extension| extension == "svg") {
        true => Ok(path.into()),
        false => Err("the name must end in `.svg`".to_owned()),
    }
}

/// Checks that the directory of a picture exists, before the work for the picture.
///
/// # Errors
/// If there is no such directory.
pub fn check_folder(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let folder = folder.display();
            Err(Failure::Failed(format!(
                "cannot write the picture: there is no directory `{folder}`"
            )))
        }
        _ => Ok(()),
    }
}

/// Writes a picture to its file.
///
/// # Errors
/// If the file cannot be written.
pub fn write_picture(path: &Path, svg: &str) -> Result<(), Failure> {
    std::fs::write(path, svg).map_err(|error| {
        Failure::Failed(format!("cannot write the picture to `{}`: {error}", path.display()))
    })
}

/// A picture to draw.
pub(super) struct Plot {
    settings: Settings,
    /// `None` for the terminal.
    path: Option<PathBuf>,
}

impl Plot {
    /// Returns the picture that the arguments ask for. `name` is the name of the UDF, and `secrets`
    /// are the names of its secret options.
    pub(super) fn of(
        matches: &ArgMatches,
        name: &str,
        secrets: &[String],
        input: &Path,
    ) -> Result<Option<Self>, Failure> {
        if !matches.contains_id("plot") {
            return check_without(matches).map(|()| None);
        }
        let path = matches.get_one::<PathBuf>("plot").cloned();
        match &path {
            Some(path) => check_folder(path)?,
            None if !io::stdout().is_terminal() => {
                return Err(Failure::Usage(
                    "--plot draws on a terminal, and stdout is none; write --plot FILE.svg"
                        .to_owned(),
                ));
            }
            None => {}
        }
        let source = match input == Path::new("-") {
            true => "stdin".to_owned(),
            false => input.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let grouping = text(matches, "group-by");
        let by = if grouping.is_empty() { String::new() } else { format!(" by {grouping}") };
        Ok(Some(Plot {
            settings: Settings {
                name: name.to_owned(),
                secrets: secrets.to_vec(),
                source: format!("{source}{by}"),
                groups: groups(
                    matches.get_many("plot-groups").unwrap_or_default().cloned().collect(),
                )?,
                fields: matches.get_many("plot-fields").unwrap_or_default().cloned().collect(),
                utc: matches.get_flag("utc"),
                on_page: false,
            },
            path,
        }))
    }

    /// Plays points. They are printed as without a picture, but not to a terminal.
    pub(super) fn play(
        &self,
        replay: &Replay,
        connect: Connect<'_>,
        input: impl BufRead,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Summary, Picture), ReplayError> {
        let output = (!io::stdout().is_terminal())
            .then(|| Box::new(terminal::Output) as Box<dyn Write + Send>);
        replay.picture(connect, input, output, &self.settings, progress)
    }

    /// Writes the picture.
    pub(super) fn draw(&self, picture: &Picture) -> Result<(), Failure> {
        let Some(path) = &self.path else {
            let (columns, rows) = terminal::size(&io::stdout()).unwrap_or((80, 24));
            let has_color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            return terminal::print(&picture.text(columns, rows, has_color));
        };
        write_picture(path, &picture.svg(&Look::default()))?;
        // A script does not look at the picture.
        picture.notes.iter().for_each(terminal::note);
        Ok(())
    }
}

/// Checks that no argument of a picture is given without one.
fn check_without(matches: &ArgMatches) -> Result<(), Failure> {
    let is_given =
        |name: &&&str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    match ["plot-groups", "plot-fields", "utc"].iter().find(is_given) {
        None => Ok(()),
        Some(name) => Err(Failure::Usage(format!(
            "--{name} is for pictures, and none is drawn; add --plot FILE.svg, or --plot as the last \
             argument to draw on the terminal"
        ))),
    }
}

fn groups(given: Vec<String>) -> Result<Groups, Failure> {
    match (&given[..], given.iter().find(|text| is_number(text))) {
        ([], _) => Ok(Groups::default()),
        ([only], Some(number)) => match only.parse() {
            Ok(count) if (1..=Groups::MOST).contains(&count) => Ok(Groups::First(count)),
            _ => Err(not_a_count(number)),
        },
        (_, Some(number)) => Err(not_a_count(number)),
        (names, None) if names.len() > Groups::MOST => Err(Failure::Usage(format!(
            "--plot-groups names {} groups; a picture has at most {}",
            names.len(),
            Groups::MOST
        ))),
        (_, None) => Ok(Groups::Named(given)),
    }
}

/// Returns whether a text is meant as a number of groups, whatever its sign and its size. The name of
/// a group has an equals sign, or is that of a measurement.
fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with(|first: char| first.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

fn not_a_count(number: &str) -> Failure {
    Failure::Usage(format!(
        "--plot-groups {number}: give a number from 1 to {}, or names of groups only",
        Groups::MOST
    ))
}
