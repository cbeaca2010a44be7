//! The programs that Telegraf starts, and their metrics.

use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use udf_tests::program::example;

/// A command line of Telegraf.
pub(crate) type Words = Vec<String>;

/// Returns the command of a program of this kit.
fn of(path: &str, args: &[&str]) -> Words {
    [&[path, "telegraf"], args].concat().into_iter().map(str::to_owned).collect()
}

/// Returns the command of an example.
pub(crate) fn of_example(name: &str, args: &[&str]) -> Words {
    of(example(name).to_str().expect("the path is text"), args)
}

pub(crate) fn mirror(args: &[&str]) -> Words {
    of_example("mirror", args)
}

/// Averages the last ten values of each host.
pub(crate) fn moving_avg(args: &[&str]) -> Words {
    let options = ["-o", "field=value", "-o", "size=10", "--group-by", "host"];
    of_example("moving_avg", &[&options, args].concat())
}

/// A UDF that misbehaves like this at a point with the field `trouble`.
pub(crate) fn troubled(kind: &str, args: &[&str]) -> Words {
    let kind = format!("kind={kind}");
    of(env!("CARGO_BIN_EXE_troubled"), &[&["-o", &kind], args].concat())
}

/// A UDF that returns batches unchanged.
pub(crate) fn batches(args: &[&str]) -> Words {
    of(env!("CARGO_BIN_EXE_troubled_batch"), args)
}

/// The UDF of Python's standard library, with the arguments `args`, under `udf telegraf`.
pub(crate) fn plain(flags: &[&str], args: &[&str]) -> Words {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/workers/plain.py");
    let options = ["-o", "field=value", "--group-by", "host"];
    let udf = [&["--", "python3", path], args].concat();
    of(env!("CARGO_BIN_EXE_udf_command"), &[&options, flags, &udf].concat())
}

/// Returns whether Python is here. Otherwise, the test is skipped.
pub(crate) fn has_python() -> bool {
    static TRIED: OnceLock<bool> = OnceLock::new();
    let found = *TRIED.get_or_init(|| {
        let script = "import sys; sys.exit(sys.version_info < (3, 8))";
        let status = Command::new("python3").args(["-c", script]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    });
    if !found {
        let name = thread::current().name().unwrap_or_default().to_owned();
        eprintln!("SKIPPED {name}: there is no `python3` of 3.8 or later");
    }
    found
}

/// Returns a value whose sums are exact.
fn value(time: i64) -> f64 {
    (time * 7919 % 1009) as f64 / 4.0
}

/// Returns a metric of one of three hosts.
pub(crate) fn metric(time: i64) -> String {
    let host = ["a", "b", "c"][(time % 3) as usize];
    format!("cpu,host={host} value={:?} {time}", value(time))
}

/// Returns metrics with these times.
pub(crate) fn metrics(times: Range<i64>) -> Vec<String> {
    times.map(metric).collect()
}

/// Returns what `moving_avg` makes of these metrics.
pub(crate) fn averages(times: Range<i64>) -> Vec<String> {
    let mut windows = [const { Vec::new() }; 3];
    let average = |time: i64| {
        let window: &mut Vec<f64> = &mut windows[(time % 3) as usize];
        window.push(value(time));
        let last = &window[window.len().saturating_sub(10)..];
        let mean = last.iter().sum::<f64>() / last.len() as f64;
        format!("cpu,host={} avg={mean:?} {time}", ["a", "b", "c"][(time % 3) as usize])
    };
    times.map(average).collect()
}

/// Returns what the UDF in Python makes of these metrics, without the totals at the end.
pub(crate) fn sums(times: Range<i64>) -> Vec<String> {
    let mut groups = [(0, 0.0); 3];
    let sum = |time: i64| {
        let (count, total) = &mut groups[(time % 3) as usize];
        (*count, *total) = (*count + 1, *total + value(time));
        let host = ["a", "b", "c"][(time % 3) as usize];
        format!("cpu,host={host} sum={total:?},count={count}i {time}")
    };
    times.map(sum).collect()
}

/// Compares lines, and shows the first difference.
#[track_caller]
pub(crate) fn assert_lines<A: AsRef<str>, B: AsRef<str>>(found: &[A], expected: &[B]) {
    let [found, expected] = [
        found.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        expected.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
    ];
    let same = found.iter().zip(&expected).take_while(|(found, expected)| found == expected);
    let at = same.count();
    let [of_found, of_expected] = [&found[at..], &expected[at..]].map(|lines| lines.first());
    assert_eq!(
        (of_found, found.len()),
        (of_expected, expected.len()),
        "line {at} differs, or the number of lines"
    );
}
