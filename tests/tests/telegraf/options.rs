//! Command lines with mistakes, and descriptions.

use udf_tests::cases::PIPE;
use udf_tests::program::{Transport, example};

use crate::cases;
use crate::double::Telegraf;
use crate::pipes::Level;
use crate::udfs::{Words, batches, has_python, moving_avg, of_example, plain};

cases! {
    options_with_mistakes, PIPE, "Invalid options end the program with status 2, after one error that names them all.";
    options_with_mistakes_of_any_program, PIPE, "The same holds for `udf telegraf`, and for `--supervise`.";
    arguments_with_mistakes, PIPE, "Unknown arguments, and windows that do not fit the UDF, are one error and status 2.";
    a_program_of_several_udfs, PIPE, "A program of several UDFs serves Telegraf with the one that its first argument names, with the arguments of the program.";
    a_program_that_is_missing, PIPE, "`udf telegraf` with a program that does not exist is one error that names it.";
}

/// Starts a program that refuses to run. Returns its error.
#[track_caller]
fn refusal(command: &Words, status: i32) -> String {
    let telegraf = Telegraf::start(command);
    let exit = telegraf.wait_for_exit(1);
    let stopped = telegraf.stop();
    assert_eq!(exit.code(), Some(status), "{:#?}", stopped.log);
    assert!(stopped.output.is_empty());
    assert_eq!(stopped.log.len(), 1, "{:#?}", stopped.log);
    assert_eq!(stopped.log[0].level, Level::Error);
    stopped.log[0].text.clone()
}

#[track_caller]
fn names(error: &str, parts: &[&str]) {
    parts.iter().for_each(|part| assert!(error.contains(part), "`{part}` is not in `{error}`"));
}

fn options_with_mistakes(_: Transport) {
    for flags in [&[][..], &["--supervise"]] {
        let run = |options: &[&str]| {
            let options = options.iter().flat_map(|option| ["-o", option]).collect::<Vec<_>>();
            refusal(&of_example("moving_avg", &[&options, flags].concat()), 2)
        };
        names(&run(&["field=", "size=0", "as="]), &[".field('')", ".size(0)", ".as('')"]);
        names(&run(&["feld=a", "sise=1", "as=b"]), &["`feld`", "`sise`", "`field`", "`size`"]);
        names(&run(&["as=b"]), &[".field(", ".size("]);
    }
}

fn options_with_mistakes_of_any_program(_: Transport) {
    if !has_python() {
        return;
    }
    for flags in [&["-o", "nope=1"][..], &["-o", "nope=1", "--supervise"]] {
        names(&refusal(&plain(flags, &[]), 2), &["`nope`"]);
    }
    let flags = ["-o", "field=twice"];
    names(&refusal(&plain(&flags, &[]), 2), &["`field` must be called once"]);
}

fn arguments_with_mistakes(_: Transport) {
    names(&refusal(&moving_avg(&["--every", "10s"]), 2), &["--every"]);
    names(&refusal(&batches(&[]), 2), &["--every"]);
    names(&refusal(&batches(&["--every", "0s"]), 2), &["--every"]);
    names(&refusal(&moving_avg(&["--sise", "10"]), 2), &["--sise"]);
    names(&refusal(&moving_avg(&["--bad-snapshot", "fresh"]), 2), &["--state-file"]);
}

fn a_program_that_is_missing(_: Transport) {
    let udf = env!("CARGO_BIN_EXE_udf_command");
    let command = |flags: &[&str]| -> Words {
        let words = [&[udf, "telegraf"], flags, &["--", "/no/such/program"]].concat();
        words.into_iter().map(str::to_owned).collect()
    };
    for flags in [&[][..], &["--supervise"]] {
        names(&refusal(&command(flags), 2), &["/no/such/program"]);
    }
}

fn a_program_of_several_udfs(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("zones");
    std::fs::write(&file, "here,0,0,10,10\n").expect("the directory is writable");
    let zones = file.to_str().expect("the path is text");
    let program = example("zones").to_str().expect("the path is text").to_owned();
    for flags in [&[][..], &["--supervise"]] {
        let words = [&[&*program, "locate", "telegraf", "--zones", zones], flags].concat();
        let telegraf = Telegraf::start(&words);
        telegraf.write_all(["bus lat=5,lon=5 7", "bus lat=50,lon=5 8"]);
        telegraf.wait_for_lines(2);
        let stopped = telegraf.stop();
        let lines = stopped.lines();
        assert!(lines[0].contains("zone=here") && !lines[1].contains("here"), "{lines:?}");
    }
    let error = refusal(&[&*program, "telegraf"].map(str::to_owned).to_vec(), 2);
    assert_eq!(
        error,
        "this program has several UDFs: write one of locate, within before `telegraf`"
    );
}
