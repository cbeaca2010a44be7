//! The subcommand `udf new`: creates a crate with a UDF.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use udf_host::command::{self, Failure};
use udf_proto::EdgeType;

use crate::create::{self, Dependency, Name, NewCrate};

/// The package that a UDF depends on.
const RUNTIME: &str = "kapacitor-udf-runtime";

pub(super) fn command() -> Command {
    let edge = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("EDGE").value_parser(["stream", "batch"]).help(help)
    };
    Command::new("new")
        .about("Create a crate with a UDF in Rust, its tests, a sample, a systemd unit and a Dockerfile")
        .long_about(
            "Create a crate with a UDF in Rust, its tests, a sample, a systemd unit and a Dockerfile.\n\n\
             The UDF works: its tests pass, and it can play the sample. It has an option, and it keeps state \
             or a batch, for you to change. On a terminal, udf asks for the edges that are not given.",
        )
        .args([
            Arg::new("directory")
                .value_name("NAME")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The directory to create; its last part is the name of the crate and the UDF"),
            edge("wants", "What the UDF reads [default: stream, or asked]"),
            edge("provides", "What the UDF sends [default: stream, or asked]"),
            Arg::new("path")
                .long("path")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("A clone of the kit to depend on, or its folder udf-runtime [default: the registry]"),
        ])
        .after_help("From nothing to a first replay:\n  \
             udf new moving_avg\n  \
             cd moving_avg && cargo test\n  \
             cargo run -- replay sample.lp -o field=used --group-by host")
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let directory = matches.get_one::<PathBuf>("directory").expect("clap requires a name");
    let name = directory.file_name().unwrap_or(directory.as_os_str()).to_string_lossy();
    let name = Name::new(&name).map_err(|error| Failure::Usage(error.to_string()))?;
    create::check(directory).map_err(Failure::failed)?;
    let dependency = match matches.get_one::<PathBuf>("path") {
        None => Dependency::Registry,
        Some(path) => Dependency::Path(runtime(path, directory)?),
    };
    let (wants, provides) = edges(matches)?;
    let new = NewCrate { name, wants, provides, dependency };
    let files = new.files();
    create::write(directory, &files).map_err(Failure::failed)?;
    command::print(&report(&new, directory, &files))
}

/// Returns the edges from the arguments, or from the answers of the user on a terminal.
fn edges(matches: &ArgMatches) -> Result<(EdgeType, EdgeType), Failure> {
    let given = |name| matches.get_one::<String>(name).map(|edge| parse(edge));
    let (wants, provides) = (given("wants").flatten(), given("provides").flatten());
    if let (Some(wants), Some(provides)) = (wants, provides) {
        return Ok((wants, provides));
    }
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return ask_edges(wants, provides, &mut io::stdin().lock(), &mut io::stderr());
    }
    let default = |edge: Option<EdgeType>| edge.unwrap_or(EdgeType::Stream);
    let (wants, provides) = (default(wants), default(provides));
    let note = format!(
        "note: the UDF reads {} and sends {}; use --wants and --provides for other edges\n",
        edge_text(wants),
        edge_text(provides)
    );
    // Errors are ignored: without stderr there is no place to report them.
    let _ = io::stderr().write_all(note.as_bytes());
    Ok((wants, provides))
}

/// Asks for the edges that are not given.
fn ask_edges(
    wants: Option<EdgeType>,
    provides: Option<EdgeType>,
    answers: &mut impl BufRead,
    questions: &mut impl Write,
) -> Result<(EdgeType, EdgeType), Failure> {
    let mut ask = |given, what| match given {
        Some(edge) => Ok(edge),
        None => ask_edge(what, answers, questions),
    };
    Ok((ask(wants, "What does the UDF read")?, ask(provides, "What does it send")?))
}

fn ask_edge(
    question: &str,
    answers: &mut impl BufRead,
    questions: &mut impl Write,
) -> Result<EdgeType, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("cannot ask for the edges: {error}"));
    loop {
        write!(questions, "{question}, stream or batch? [stream] ").map_err(failed)?;
        questions.flush().map_err(failed)?;
        let mut answer = String::new();
        if answers.read_line(&mut answer).map_err(failed)? == 0 {
            return Err(Failure::failed("no edge was chosen; use --wants and --provides"));
        }
        match answer.trim().to_lowercase().as_str() {
            "" => return Ok(EdgeType::Stream),
            text if "stream".starts_with(text) => return Ok(EdgeType::Stream),
            text if "batch".starts_with(text) => return Ok(EdgeType::Batch),
            _ => {}
        }
    }
}

fn parse(edge: &str) -> Option<EdgeType> {
    match edge {
        "stream" => Some(EdgeType::Stream),
        "batch" => Some(EdgeType::Batch),
        _ => None,
    }
}

fn edge_text(edge: EdgeType) -> &'static str {
    if edge == EdgeType::Stream { "a stream" } else { "batches" }
}

/// Returns the path from the new crate to the runtime. An absolute `path` stays absolute.
fn runtime(path: &Path, directory: &Path) -> Result<String, Failure> {
    let is_runtime = |folder: &Path| {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim() == format!("name = \"{RUNTIME}\""))
    };
    let folder = [path.to_owned(), path.join("udf-runtime")];
    let Some(folder) = folder.into_iter().find(|folder| is_runtime(folder)) else {
        return Err(Failure::Usage(format!(
            "`{}` is neither a clone of the kit nor the folder of {RUNTIME}",
            path.display()
        )));
    };
    let unreadable =
        |error| Failure::Failed(format!("cannot find `{}`: {error}", folder.display()));
    let target = folder.canonicalize().map_err(unreadable)?;
    let path = if path.is_absolute() {
        folder
    } else {
        let parent = create::parent(directory);
        let parent = parent.canonicalize().map_err(|error| {
            Failure::Failed(format!("cannot find `{}`: {error}", parent.display()))
        })?;
        between(&parent.join(directory.file_name().unwrap_or_default()), &target)
    };
    path.into_os_string().into_string().map_err(|path| {
        Failure::Failed(format!("Cargo.toml cannot contain the path {path:?}: it is not UTF-8"))
    })
}

/// Returns the relative path between two absolute ones.
fn between(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from[shared..].iter().map(|_| Component::ParentDir);
    up.chain(to[shared..].iter().copied()).collect()
}

fn report(new: &NewCrate, directory: &Path, files: &[(String, String)]) -> String {
    let shown = directory.display().to_string();
    let mut out = format!(
        "{} reads {} and sends {}. Created:\n",
        new.name.package(),
        edge_text(new.wants),
        edge_text(new.provides)
    );
    for (path, _) in files {
        out += &format!("  {}\n", directory.join(path).display());
    }
    out += &format!(
        "\nNext:\n  cd {} && cargo test\n  cargo run -- replay sample.lp {}\n",
        quoted(&shown),
        new.replay_arguments()
    );
    out
}

/// Quotes a path for a shell, if it needs quotes.
fn quoted(path: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "/._-+:@".contains(char);
    if path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(wants: Option<EdgeType>, answers: &str) -> (Option<(EdgeType, EdgeType)>, String) {
        let mut questions = Vec::new();
        let edges = ask_edges(wants, None, &mut answers.as_bytes(), &mut questions).ok();
        (edges, String::from_utf8(questions).unwrap())
    }

    #[test]
    fn the_edges_that_are_not_given_are_asked_for() {
        let read = "What does the UDF read, stream or batch? [stream] ";
        let sent = "What does it send, stream or batch? [stream] ";
        let (stream, batch) = (EdgeType::Stream, EdgeType::Batch);
        assert_eq!(asked(None, "\nb\n"), (Some((stream, batch)), format!("{read}{sent}")));
        assert_eq!(asked(Some(batch), "Stream\n"), (Some((batch, stream)), sent.to_owned()));
        let again = format!("{read}{read}{sent}");
        assert_eq!(asked(None, "points\nbatch\ns\n"), (Some((batch, stream)), again));
        assert_eq!(asked(None, "b\n"), (None, format!("{read}{sent}")));
    }

    #[test]
    fn a_path_leads_from_one_directory_to_another() {
        let between = |from, to| between(Path::new(from), Path::new(to)).display().to_string();
        assert_eq!(between("/a/new", "/a/kit/udf-runtime"), "../kit/udf-runtime");
        assert_eq!(between("/a/kit/examples/new", "/a/kit/udf-runtime"), "../../udf-runtime");
        assert_eq!(between("/new", "/kit"), "../kit");
    }

    #[test]
    fn a_path_is_quoted_when_a_shell_would_split_it() {
        assert_eq!(quoted("../my-udfs/rate"), "../my-udfs/rate");
        assert_eq!(quoted("my udfs/it's"), r"'my udfs/it'\''s'");
    }
}
