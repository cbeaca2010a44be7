//! The pages in `docs/box`: the tables show the options of the UDFs, and the examples print their
//! output. `UPDATE=1` renews both.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use udf_text::describe::{Description, OptionHelp, call_form};

use crate::server;
use crate::table::ROWS;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Held while a page is read or renewed: several tests renew the same pages.
static PAGES: Mutex<()> = Mutex::new(());

/// Compares the part of a page between two texts, or renews it.
fn compare(page: &str, after: &str, before: &str, actual: &str) {
    let path = root().join("docs/box").join(page);
    let _held = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/box/{page}: {error}"));
    let find = || {
        let start = text.find(after)? + after.len();
        Some((start, start + text[start..].find(before)?))
    };
    let (start, end) = find().unwrap_or_else(|| panic!("docs/box/{page} has no `{after}`"));
    if std::env::var_os("UPDATE").is_some() {
        let renewed = [&text[..start], actual, &text[end..]].concat();
        fs::write(path, renewed).expect("the page can be written");
    } else {
        assert_eq!(&text[start..end], actual, "docs/box/{page}: renew it with UPDATE=1");
    }
}

fn default(option: &OptionHelp) -> String {
    let values = option.default.as_deref();
    match values {
        _ if option.is_required() => "required".to_owned(),
        Some(values) => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("`{}`", values.join(", "))
        }
        None => option.default_expression.clone().unwrap_or_default(),
    }
}

fn meaning(option: &OptionHelp) -> String {
    let mut text = option.help.replace('\n', " ");
    for choice in &option.choices {
        text += &format!(" `'{}'`: {}", choice.value, choice.help);
    }
    if let Some(range) = &option.range {
        let must = if range.starts_with("argument ") { "have" } else { "be" };
        text += &format!(" Must {must} {range}.");
    }
    text.replace('|', "\\|")
}

fn table(description: &Description) -> String {
    let mut text = "\n| option | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for option in &description.options {
        let form = call_form(&option.name, &option.args, &option.arg_names);
        let default = default(option);
        text += &format!("| `{form}` | {default} | {} |\n", meaning(option));
    }
    text
}

#[test]
fn the_tables_show_the_options() {
    for row in ROWS {
        let page = format!("{}.md", row.name);
        compare(&page, "## Options\n", "\n## ", &table(&(row.description)()));
    }
}

#[test]
fn the_list_shows_all_udfs() {
    let mut text =
        "\n| UDF | reads | sends | what it does |\n| --- | --- | --- | --- |\n".to_owned();
    for row in ROWS {
        let description = (row.description)();
        let (wants, provides) = (description.wants.name(), description.provides.name());
        let help = description.help.lines().next().unwrap_or_default().replace('|', "\\|");
        text += &format!("| [`{0}`]({0}.md) | {wants} | {provides} | {help} |\n", row.name);
    }
    compare("README.md", "## The UDFs\n", "\n## ", &text);
}

/// Calls `check` for each UDF with its name and the command of the example in its page.
fn examples(mut check: impl FnMut(&str, &str)) {
    for row in ROWS {
        let text = page(row.name);
        let (_, example) = text
            .split_once(EXAMPLE)
            .unwrap_or_else(|| panic!("docs/box/{}.md has no example", row.name));
        let (command, _) = example.split_once('\n').expect("a command ends with its line");
        assert!(command.starts_with(&format!("udfs {} replay ", row.name)), "{command}");
        check(row.name, command);
    }
}

fn page(name: &str) -> String {
    let path = root().join("docs/box").join(name).with_extension("md");
    let _held = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("docs/box/{name}.md: {error}"))
}

const EXAMPLE: &str = "```console\n$ ";

/// Runs a command of a page. Returns its output, if it prints no errors.
fn run(command: &str) -> String {
    let programs = PathBuf::from(env!("CARGO_BIN_EXE_udfs"));
    let programs = programs.parent().expect("a program is in a folder");
    let path = std::env::var("PATH").expect("there is a path");
    let mut shell = Command::new("sh");
    shell.args(["-c", &server::real(command)]).current_dir(root());
    shell.env("PATH", format!("{}:{path}", programs.display()));
    let output = shell.output().expect("the shell starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    // Notes say what a picture does not show.
    let has_errors = errors.lines().any(|line| !line.starts_with("note: "));
    assert!(output.status.success() && !has_errors, "{command}: {errors}");
    String::from_utf8(output.stdout).expect("lines are text")
}

#[test]
fn the_examples_print_their_output() {
    examples(|name, command| {
        let output = run(command);
        assert!(!output.is_empty(), "{name}: the example prints nothing");
        compare(&format!("{name}.md"), &format!("{EXAMPLE}{command}\n"), "```\n", &output);
    });
}

/// Its output has many points at the same time.
const NO_PICTURE: &str = "topk";

#[test]
fn the_pictures_show_the_examples() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    examples(|name, command| {
        if name == NO_PICTURE {
            return;
        }
        let text = page(name);
        let file = format!("{name}.svg");
        let args = text.split_once(&format!("\nThe same with `--plot {file}"));
        let (args, _) = (args.and_then(|(_, args)| args.split_once("`:\n\n![")))
            .unwrap_or_else(|| panic!("docs/box/{name}.md does not say how its picture is drawn"));
        assert!(text.contains(&format!("]({file})")), "docs/box/{name}.md has no picture");
        let replay = command.split(" | ").next().unwrap_or_default();
        let picture = folder.path().join(&file);
        run(&format!("{replay} --utc --plot {}{args} >/dev/null", picture.display()));
        let made = fs::read_to_string(picture).expect("the picture was made");
        let made = server::shown(&made);
        let kept = root().join("docs/box").join(&file);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&kept, &made).expect("the picture can be written");
        }
        let kept = fs::read_to_string(kept).unwrap_or_default();
        assert!(kept == made, "docs/box/{file} is stale: renew it with UPDATE=1, and look at it");
    });
}
