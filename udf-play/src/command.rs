//! The subcommand `play`: serves a page to tune the UDF on.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};
use std::thread;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use udf_text::describe::Description;
use udf_text::line_protocol::Grouping;

use udf_host::command::{self, Failure, note, print, reading, reading_args};

use crate::form::SCANNED;
use crate::{Connect, Input, LastLines, Play, Server};

/// The program that opens an address in the browser of the user.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Returns the definition of the subcommand `play`.
// In its caller, it would be compiled for speed.
#[inline(never)]
pub fn play_command() -> Command {
    Command::new("play")
        .about("Open a page in the browser to tune the options of the UDF on a file")
        .after_help(
            "The page has a form with the options of the UDF. Each change plays FILE again, and\n\
             draws the input and the output. The page shows the TICKscript and the command line\n\
             for the present values, and can compare two settings.\n\
             \n\
             FILE is as for `replay`. A reload of the page reads it again.\n\
             \n\
             BROWSER selects the browser; without it, the one of the desktop opens.\n\
             \n\
             The page is served on 127.0.0.1 alone. Its address contains a secret: do not share it.\n\
             From another machine, forward the port: ssh -L 8086:127.0.0.1:8086, with --port 8086.",
        )
        .args([
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The points; - for stdin"),
            command::option(),
            command::group_by(),
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .value_parser(value_parser!(u16))
                .help("The port of the page [default: a free one]"),
            Arg::new("utc")
                .long("utc")
                .action(ArgAction::SetTrue)
                .help("Show times in UTC instead of the zone of this machine"),
            Arg::new("no-open")
                .long("no-open")
                .action(ArgAction::SetTrue)
                .help("Only print the address of the page, and open no browser"),
        ])
        .args(reading_args())
}

/// The words of the command line that the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandWords {
    /// The words before `replay`: the program, and the arguments that select its UDF.
    pub before: Vec<String>,
    /// The last words: `-- PROGRAM`, or none.
    pub behind: Vec<String>,
}

/// Runs `play` with its arguments until the process ends. `connect` creates the connections with
/// the UDF, whose log lines the caller adds to `log`.
///
/// The address of the page goes to stdout.
///
/// # Errors
/// When the file or its first point cannot be read, the arguments do not fit, or the port is in use.
// In its caller, it would be compiled for speed.
#[inline(never)]
pub fn play(
    matches: &ArgMatches,
    udf: Description,
    words: CommandWords,
    connect: Connect<'_>,
    log: &'static LastLines,
) -> Result<(), Failure> {
    let path = matches.get_one::<PathBuf>("file").expect("clap requires a file");
    let input = Input::open(path).map_err(Failure::failed)?;
    let replay = reading(matches, Grouping::parse(&text(matches, "group-by")))
        .options(matches.get_many::<String>("option").unwrap_or_default());
    let play = Play {
        udf,
        input,
        replay,
        words: [words.before, vec!["replay".to_owned()]].concat(),
        reading: reading_words(matches),
        words_behind: words.behind,
        log,
        is_utc: matches.get_flag("utc"),
    };
    let page = play.page().map_err(|error| Failure::Usage(error.to_string()))?;
    let port = matches.get_one("port").copied().unwrap_or_default();
    let server = Server::bind(port).map_err(|error| {
        Failure::failed(format!("cannot listen on port {port} of 127.0.0.1: {error}"))
    })?;
    check_input(&play)?;
    print(&format!("{}\n", server.url()))?;
    match matches.get_flag("no-open") || open(&server.launch_url()) {
        true => note("Ctrl+C ends the page"),
        false => note("open this address in a browser; Ctrl+C ends the page"),
    }
    server.serve(&page, connect)
}

/// Reads the first points, as `replay` does. The user looks at the terminal until the page is there.
///
/// An error behind the first point is printed, and the page opens: a reload reads the corrected file.
fn check_input(play: &Play) -> Result<(), Failure> {
    let read = |most| {
        let input = play.input.reader().map_err(Failure::failed)?;
        play.replay.read_for(play.udf.wants, input, most).map_err(Failure::of_replay)
    };
    match read(SCANNED) {
        Ok(read) => {
            // Tags that the first points lack may come later.
            if read.data.point_count() < SCANNED {
                read.notes().iter().for_each(note);
            }
            if read.data.point_count() == 0 {
                note("there are no points in the input");
            }
        }
        Err(failure) => {
            read(1)?;
            let (_, text) = command::end(Err(failure));
            // Errors are ignored: without stderr there is no place to report them.
            let _ = io::stderr().write_all(text.unwrap_or_default().as_bytes());
            note("correct the file, and reload the page");
        }
    }
    Ok(())
}

/// Returns the value of an argument, or an empty text without one.
fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

/// Returns the arguments that say how the file is read, as the user gave them.
fn reading_words(matches: &ArgMatches) -> Vec<String> {
    let given =
        |name: &&str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    let mut words = Vec::new();
    if let Some(precision) = matches.get_one::<udf_text::line_protocol::Precision>("precision") {
        words.extend(["--precision".to_owned(), precision.to_string()]);
    }
    for name in ["database", "retention-policy"].iter().filter(|name| given(name)) {
        words.extend([format!("--{name}"), text(matches, name)]);
    }
    words
}

/// Opens an address in the browser. Returns whether a browser was started, as far as is known.
///
/// The variable `BROWSER` is a list of commands, separated by colons. The first one that can be
/// started gets the address in place of `%s`, or as its last argument.
fn open(url: &str) -> bool {
    let chosen = std::env::var("BROWSER").unwrap_or_default();
    let started = chosen.split(':').any(|command| {
        let has_place = command.contains("%s");
        let mut words: Vec<_> =
            command.split_whitespace().map(|word| word.replace("%s", url)).collect();
        words.extend((!has_place).then(|| url.to_owned()));
        !command.trim().is_empty() && start(&words)
    });
    // Without a desktop, the opener would start a browser that takes the terminal over.
    let has_desktop = || {
        let mut names = ["DISPLAY", "WAYLAND_DISPLAY"].iter();
        cfg!(target_os = "macos")
            || names.any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    };
    started || (has_desktop() && start(&[OPENER.to_owned(), url.to_owned()]))
}

/// Starts a browser, which gets no terminal.
fn start(words: &[String]) -> bool {
    let started = Program::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // The thread collects the exit status, so that no zombie stays.
    started.is_ok_and(|mut browser| thread::Builder::new().spawn(move || browser.wait()).is_ok())
}
