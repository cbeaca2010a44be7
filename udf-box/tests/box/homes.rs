//! Each UDF runs in every home: the output in Telegraf is that of a replay, with a supervisor and
//! without one.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use udf_runtime::EdgeType;

use crate::running::Row;
use crate::series;
use crate::server;
use crate::table::ROWS;

/// Runs the UDF with the points of a file on stdin, and returns its output.
fn output(row: &Row, home: &[&str], file: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udfs"));
    command.arg(row.name).args(home).args(["--group-by", "host"]);
    command.args(row.options.iter().flat_map(|option| ["-o".into(), server::real(option)]));
    if (row.description)().wants == EdgeType::Batch {
        command.args(["--every", "1m"]);
    }
    let input = File::open(file).expect("the file is there");
    let output = command.stdin(Stdio::from(input)).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {home:?}: {errors}", row.name);
    String::from_utf8(output.stdout).expect("lines are text")
}

#[test]
fn every_udf_runs_in_telegraf_and_with_a_supervisor() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("points.lp");
    std::fs::write(&file, series::usual(1, 500).join("\n") + "\n").expect("a file can be written");
    for row in ROWS {
        let replayed = output(row, &["replay", "-"], &file);
        let homes = [&["telegraf"][..], &["telegraf", "--supervise"]];
        let [plain, supervised] = homes.map(|home| output(row, home, &file));
        // In Telegraf, ticks come by the clock.
        if !row.ticks() {
            assert_eq!(plain, supervised, "{}", row.name);
        }
        // Windows of batches end by the clock, too.
        if !row.ticks() && (row.description)().wants == EdgeType::Stream {
            assert_eq!(plain, replayed, "{}", row.name);
        }
        assert!(row.answers_ticks || !plain.is_empty(), "{}", row.name);
    }
}
