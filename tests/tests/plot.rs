//! `replay --plot` as users run it, and the pictures of the README and the guide.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use udf_tests::program::example;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The arguments of the first command of the README.
const AVERAGES: &str = "replay examples/data/cpu.lp -o field=usage_user -o size=10 --group-by cpu";

/// Returns a command in the root of the project.
fn command(program: &Path, args: &str) -> Command {
    let mut command = Command::new(program);
    command.args(args.split(' ')).current_dir(ROOT).stdin(Stdio::null()).env_remove("UDF_LOG");
    command.env_remove("NO_COLOR").env("TZ", "Europe/Berlin");
    command
}

/// Runs a command. Returns the exit status, stdout and stderr.
fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("the command runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

/// Runs a command on a terminal of 80 columns and 30 rows. Returns the status, and its text.
fn on_a_terminal(command: &mut Command) -> (i32, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudoterminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is ours");
    let size = Winsize { ws_row: 30, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("it has a size");
    let path = ptsname(&terminal, Vec::new()).expect("it has a name");
    let path = path.to_str().expect("the name is UTF-8");
    let side = File::options().read(true).write(true).open(path).expect("its other side opens");
    // Progress on stderr depends on the time that the command takes.
    let mut child = command.stdout(side).stderr(Stdio::null()).spawn().expect("the command runs");
    // The command has the only other handle: reading ends when it does.
    command.stdout(Stdio::null());
    let mut text = Vec::new();
    // Linux reports the end of a terminal as an error.
    let _ = File::from(terminal).read_to_end(&mut text);
    let status = child.wait().expect("it ends").code().expect("no signal");
    (status, String::from_utf8(text).expect("the text is UTF-8").replace("\r\n", "\n"))
}

/// Compares a picture with that of a command. `UPDATE=1` renews the picture.
fn is_fresh(picture: &str, udf: &str, args: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let made = folder.path().join("made.svg");
    let mut command = command(&example(udf), args);
    let (status, _, stderr) = output(command.arg("--utc").arg("--plot").arg(&made));
    assert_eq!((status, &*stderr), (0, ""));
    let made = std::fs::read_to_string(made).expect("it was made");
    let path = Path::new(ROOT).join("docs/pictures").join(picture);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).expect("the picture is written");
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == shown,
        "docs/pictures/{picture} is stale; renew it with UPDATE=1, and look at it"
    );
}

#[test]
fn the_picture_of_the_readme_is_fresh() {
    is_fresh("moving_avg.svg", "moving_avg", AVERAGES);
    let readme = include_str!("../../README.md");
    assert!(readme.contains("(docs/pictures/moving_avg.svg)"), "the README shows it");
    let command = format!("moving_avg -- {AVERAGES} --plot out.svg");
    assert!(readme.contains(&command), "the README has its command: {command}");
}

#[test]
fn the_picture_of_the_guide_is_fresh() {
    let args = "replay examples/data/cpu.lp -o field=usage_user --group-by cpu --every 60s";
    is_fresh("outliers.svg", "outliers", args);
    let guide = include_str!("../../docs/authoring.md");
    assert!(guide.contains("(pictures/outliers.svg)"), "the guide shows it");
    let args = args.replace("examples/data/", "");
    assert!(guide.contains(&format!("outliers {args} --plot outliers.svg")), "{args}");
}

#[test]
fn the_points_are_printed_as_without_a_picture() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let picture = folder.path().join("out.svg");
    let moving_avg = example("moving_avg");
    let (status, plain, _) = output(&mut command(&moving_avg, AVERAGES));
    assert_eq!((status, plain.lines().count()), (0, 4200));
    let (status, stdout, stderr) =
        output(command(&moving_avg, AVERAGES).arg("--plot").arg(&picture));
    assert_eq!((status, &*stderr), (0, ""));
    assert_eq!(stdout, plain);
    let svg = std::fs::read_to_string(picture).expect("it was made");
    let berlin = "2026-11-22 04:37:36 to 05:00:55, Europe/Berlin (UTC+01:00)";
    assert!(svg.contains(berlin), "times are local");
    for text in ["moving_avg field=usage_user size=10", "usage_user (input)", "avg (output)"] {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn udf_draws_any_udf() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let picture = folder.path().join("out.svg");
    let moving_avg = example("moving_avg");
    let mut udf = command(Path::new(env!("CARGO_BIN_EXE_udf_command")), AVERAGES);
    udf.arg("--plot").arg(&picture).args(["--plot-groups", "cpu=cpu1", "--plot-fields", "avg"]);
    let (status, _, stderr) = output(udf.arg("--").arg(moving_avg));
    assert_eq!(status, 0, "{stderr}");
    let svg = std::fs::read_to_string(picture).expect("it was made");
    assert!(svg.contains("cpu=cpu1") && !svg.contains("cpu=cpu0"));
    assert!(svg.contains("avg (output)") && !svg.contains("(input)"));
}

#[test]
fn a_terminal_shows_a_chart_in_place_of_points() {
    let moving_avg = example("moving_avg");
    let mut plot = command(&moving_avg, &format!("{AVERAGES} --plot-groups 1 --plot"));
    let (status, text) = on_a_terminal(&mut plot);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("moving_avg field=usage_user size=10\ncpu.lp by cpu: 4,200 points"));
    assert!(text.contains("\x1b[34m──\x1b[0m usage_user (input)"), "{text}");
    assert!(text.contains("Europe/Berlin"), "{text}");
    assert!(text.lines().count() < 30, "the prompt follows: {text}");
    let (status, text) = on_a_terminal(plot.env("NO_COLOR", "1"));
    assert!(status == 0 && !text.contains('\x1b'), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    // With a file, the terminal shows neither points nor a chart.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let picture = folder.path().join("out.svg");
    let mut command = command(&moving_avg, &format!("{AVERAGES} --plot-groups 1 --plot"));
    assert_eq!(on_a_terminal(command.arg(&picture)), (0, String::new()));
    assert!(picture.exists());
}

#[test]
fn wrong_arguments_are_refused_before_the_replay() {
    let moving_avg = example("moving_avg");
    for (args, status, expected) in [
        ("--plot", 2, "--plot draws on a terminal, and stdout is none; write --plot FILE.svg"),
        (
            "--plot cpu.lp",
            2,
            "the name must end in `.svg`; to draw on the terminal, write --plot last",
        ),
        (
            "--plot /no/such/out.svg",
            1,
            "cannot write the picture: there is no directory `/no/such`",
        ),
        ("--utc", 2, "--utc is for pictures, and none is drawn; add --plot FILE.svg, or --plot as"),
        ("--plot-groups 3", 2, "--plot-groups is for pictures, and none is drawn; add --plot FILE"),
        ("--plot-fields avg", 2, "--plot-fields is for pictures, and none is drawn; add --plot"),
    ] {
        let (code, stdout, stderr) =
            output(&mut command(&moving_avg, &format!("{AVERAGES} {args}")));
        assert_eq!((code, &*stdout), (status, ""), "{args}: {stderr}");
        assert!(stderr.contains(expected), "{args}: {stderr}");
    }
}

#[test]
fn a_number_of_groups_out_of_range_is_no_name_of_a_group() {
    let moving_avg = example("moving_avg");
    let huge = "9".repeat(40);
    for (groups, number) in [
        (&["0"][..], "0"),
        (&["25"], "25"),
        (&["-1"], "-1"),
        (&["+25"], "+25"),
        (&["1.5"], "1.5"),
        (&[&huge], &huge),
        (&["3", "cpu=cpu0"], "3"),
        (&["cpu=cpu0", "3"], "3"),
    ] {
        let mut plot = command(&moving_avg, &format!("{AVERAGES} --plot x.svg"));
        plot.args(groups.iter().flat_map(|group| ["--plot-groups", group]));
        let expected = format!(
            "error: --plot-groups {number}: give a number from 1 to 24, or names of groups only\n"
        );
        assert_eq!(output(&mut plot), (2, String::new(), expected));
    }
}

#[test]
fn names_that_no_point_has_are_reported() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let picture = folder.path().join("x.svg");
    let mut plot = command(&example("moving_avg"), AVERAGES);
    plot.arg("--plot").arg(&picture).args(["--plot-groups", "cpu=cpu9"]);
    let (status, _, stderr) = output(&mut plot);
    assert_eq!((status, &*stderr), (0, "note: no point has the group `cpu=cpu9`\n"));
}

#[test]
fn a_picture_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let picture = folder.path().join("out.svg");
    let args = "replay examples/data/cpu.lp -o token=hush -o number=4711";
    let mut secretive = command(Path::new(env!("CARGO_BIN_EXE_secretive")), args);
    secretive.env("SERVICE_TOKEN", "service-token").arg("--plot").arg(&picture);
    let (status, _, stderr) = output(&mut secretive);
    assert_eq!(status, 0, "{stderr}");
    let svg = std::fs::read_to_string(picture).expect("it was made");
    assert!(svg.contains("secretive token=*** number=***"), "{svg}");
    assert!(!svg.contains("hush") && !svg.contains("4711"));
}
