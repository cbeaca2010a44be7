//! Lines that only Telegraf writes, and lines that nobody should write.

use udf_tests::cases::PIPE;
use udf_tests::program::Transport;
use udf_text::line_protocol::{Grouping, LineReader};

use crate::cases;
use crate::double::{Stopped, Telegraf};
use crate::pipes::Level;
use crate::udfs::{assert_lines, has_python, metrics, mirror, plain, troubled};

cases! {
    unsigned_fields, PIPE, "Unsigned fields become integers. One above the maximum is dropped with a warning, the rest of its metric is not.";
    metrics_without_a_time, PIPE, "A metric without a timestamp gets the time of its arrival.";
    a_float_of_301_digits, PIPE, "1e300, which Telegraf writes with 301 digits, keeps its value.";
    text_with_line_breaks, PIPE, "Line breaks in string fields are a part of the field, also if a write ends at one.";
    invalid_lines, PIPE, "Invalid lines are logged and skipped: the program goes on.";
    lines_that_are_not_text, PIPE, "The same holds for bytes that are not UTF-8.";
    a_line_of_4_mib, PIPE, "A valid metric of 4 MiB arrives whole.";
    many_invalid_lines, PIPE, "Any number of invalid lines leads to a few lines of the log, with a count of the rest.";
    a_write_that_is_cut, PIPE, "A last line without its end is skipped with a warning, and is not taken for a whole one.";
    text_on_stdout, PIPE, "Text that a UDF prints does not get between the metrics.";
    a_long_line_of_a_program, PIPE, "A UDF that logs a line of any length does not end Telegraf's reading of the log.";
    metrics_that_are_passed_on, PIPE, "With `--keep-original`, each metric arrives as it came, before the points that follow from it.";
    values_that_no_line_can_hold, PIPE, "A field that is NaN or infinite is dropped with a warning, and so is a point without fields.";
}

fn run(lines: &[&[u8]]) -> Stopped {
    let telegraf = Telegraf::start(&mirror(&[]));
    telegraf.write_all(lines);
    telegraf.stop()
}

/// Checks the output of `mirror` for these lines. Returns its log.
#[track_caller]
fn mirrors(lines: &[&[u8]], expected: &[&str]) -> Stopped {
    let stopped = run(lines);
    assert_lines(&stopped.lines(), expected);
    stopped
}

#[track_caller]
fn warns(stopped: &Stopped, count: usize, text: &str) {
    let warnings = stopped.log_of(Level::Warn);
    assert_eq!(warnings.len(), count, "{:#?}", stopped.log);
    assert!(warnings.iter().all(|line| line.contains(text)), "{warnings:#?}");
}

fn unsigned_fields(_: Transport) {
    let max = format!("cpu a={0}u,b={0}i 1", i64::MAX);
    let over = format!("cpu a={}u,b=1i 2", i64::MAX.unsigned_abs() + 1);
    let alone = format!("cpu a={}u 3", u64::MAX);
    let lines = ["cpu a=5u 0", &max, &over, &alone, "cpu a=0u 4"].map(str::as_bytes);
    let whole = max.replace('u', "i").replace("cpi", "cpu");
    let stopped = mirrors(&lines, &["cpu a=5i 0", &whole, "cpu b=1i 2", "cpu a=0i 4"]);
    warns(&stopped, 2, "unsigned");
}

fn metrics_without_a_time(_: Transport) {
    let now = || std::time::UNIX_EPOCH.elapsed().expect("the clock is right").as_nanos();
    let before = now();
    let telegraf = Telegraf::start(&mirror(&[]));
    telegraf.write_all(["cpu a=1i 7", "cpu a=2i", "cpu a=3i"]);
    telegraf.wait_for_lines(3);
    let after = now();
    let stopped = telegraf.stop();
    let times = stopped.lines().into_iter().map(|line| line.rsplit(' ').next().map(str::parse));
    let times: Vec<u128> = times.map(|time| time.expect("a time").expect("a number")).collect();
    assert_eq!(times[0], 7);
    assert!(times[1..].iter().all(|time| (before..=after).contains(time)), "{times:?}");
    assert!(times[1] <= times[2]);
}

fn a_float_of_301_digits(_: Transport) {
    let digits = format!("{:.0}", 1e300);
    assert_eq!(digits.len(), 301);
    let lines = [format!("cpu a={digits} 1"), format!("cpu a=-{digits},b=0.1 2")];
    let stopped = run(&[lines[0].as_bytes(), lines[1].as_bytes()]);
    let mut points = LineReader::new(&*stopped.output, Grouping::default());
    for expected in [1e300, -1e300] {
        let point = points.next_point().expect("a valid line").expect("a point");
        assert_eq!(point.as_point().float("a").expect("a float"), expected);
    }
    assert!(stopped.log_of(Level::Warn).is_empty());
}

fn text_with_line_breaks(_: Transport) {
    let line = "log text=\"one\ntwo\n\nthree \\\"quoted\\\" 1\",x=1i 1";
    let stopped = run(&[line.as_bytes(), b"cpu a=2i 2"]);
    assert_eq!(stopped.lines().len(), 5);
    let mut points = LineReader::new(&*stopped.output, Grouping::default());
    let point = points.next_point().expect("a valid line").expect("a point");
    let text = point.as_point().string("text").map(str::to_owned);
    assert_eq!(text.expect("a text"), "one\ntwo\n\nthree \"quoted\" 1");
    let point = points.next_point().expect("a valid line").expect("a point");
    assert_eq!(point.as_point().time(), 2);
}

fn invalid_lines(_: Transport) {
    let lines: [&[u8]; 7] =
        [b"cpu a=1i 1", b"cpu", b"cpu a=", b"cpu a=1i 1x", b"# a comment", b"", b"cpu a=2i 2"];
    let stopped = mirrors(&lines, &["cpu a=1i 1", "cpu a=2i 2"]);
    warns(&stopped, 3, "skipped a line of stdin");
}

fn lines_that_are_not_text(_: Transport) {
    let lines: [&[u8]; 4] = [b"cpu a=1i 1", b"cpu,h=\xff\xfe a=1i 1", b"\0\x80 = 5", b"cpu a=2i 2"];
    let stopped = mirrors(&lines, &["cpu a=1i 1", "cpu a=2i 2"]);
    warns(&stopped, 2, "skipped a line of stdin");
}

fn a_line_of_4_mib(_: Transport) {
    let long = format!("log text=\"{}\" 1", "x".repeat(4 << 20));
    mirrors(&[long.as_bytes(), b"cpu a=2i 2"], &[&long, "cpu a=2i 2"]);
}

fn many_invalid_lines(_: Transport) {
    let telegraf = Telegraf::start(&mirror(&[]));
    for number in 0..10_000 {
        telegraf.write_all([format!("cpu a= {number}"), format!("cpu a=1i {number}")]);
    }
    let stopped = telegraf.stop();
    assert_eq!(stopped.lines().len(), 10_000);
    assert!((2..1000).contains(&stopped.log.len()), "{} lines", stopped.log.len());
    let end = stopped.log_of(Level::Info).into_iter().rev().find(|line| line.contains("ended"));
    assert!(end.is_some_and(|line| line.contains("10000 lines skipped")), "{end:?}");
}

fn a_write_that_is_cut(_: Transport) {
    let telegraf = Telegraf::start(&mirror(&[]));
    telegraf.write_all(["cpu a=1i 1"]);
    telegraf.write_raw(b"cpu a=2i 2345");
    let stopped = telegraf.stop();
    assert_lines(&stopped.lines(), &["cpu a=1i 1"]);
    warns(&stopped, 1, "it has no line end");
}

fn text_on_stdout(_: Transport) {
    let telegraf = Telegraf::start(&troubled("print", &[]));
    telegraf.write_all(["cpu a=1i 1", "cpu trouble=true 2", "cpu a=3i 3"]);
    telegraf.wait_for_log(Level::Unknown, "printed to stdout");
    let stopped = telegraf.stop();
    assert_lines(&stopped.all_lines(), &["cpu a=1i 1", "cpu trouble=true 2", "cpu a=3i 3"]);
}

fn a_long_line_of_a_program(_: Transport) {
    if !has_python() {
        return;
    }
    for flags in [&[][..], &["--supervise"]] {
        let args = ["--at", "point", "--do", "log", "--amount", "204800"];
        let telegraf = Telegraf::start(&plain(flags, &args));
        telegraf.write_all(["cpu,host=a value=1,trouble=true 1"]);
        telegraf.wait_for_lines(1);
        telegraf.write_all(["cpu,host=a value=1 2"]);
        let stopped = telegraf.stop_and(|telegraf| assert!(!telegraf.gave_up()));
        assert!(stopped.log.iter().any(|line| line.text.contains("xxxx")), "{:#?}", stopped.log);
        assert!(stopped.log.iter().all(|line| line.level != Level::Unknown));
    }
}

fn metrics_that_are_passed_on(_: Transport) {
    let telegraf = Telegraf::start(&crate::udfs::moving_avg(&["--keep-original"]));
    telegraf.write_all(metrics(0..1000));
    let stopped = telegraf.stop();
    let lines = stopped.lines();
    let (originals, averages): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.contains(" value="));
    assert_lines(&originals, &metrics(0..1000));
    assert_lines(&averages, &crate::udfs::averages(0..1000));
    let place = |wanted: &str| lines.iter().position(|line| *line == wanted).expect("a line");
    for number in 0..1000 {
        assert!(place(originals[number]) < place(averages[number]), "{}", originals[number]);
    }

    // As it came: with its order, its unsigned fields, and without blanks at the end.
    let telegraf = Telegraf::start(&mirror(&["--keep-original"]));
    telegraf.write_all(["cpu,z=1,a=2 z=5u,a=1 1"]);
    let expected = ["cpu,z=1,a=2 z=5u,a=1 1", "cpu,a=2,z=1 a=1.0,z=5i 1"];
    assert_lines(&telegraf.stop().lines(), &expected);
}

fn values_that_no_line_can_hold(_: Transport) {
    for (kind, lines) in [("nan", 3), ("infinite", 3), ("empty", 2)] {
        let telegraf = Telegraf::start(&troubled(kind, &[]));
        telegraf.write_all(["cpu,h=x trouble=true 1", "cpu a=2i 2"]);
        let stopped = telegraf.stop();
        assert_eq!(stopped.lines().len(), lines, "{kind}: {:?}", stopped.lines());
        warns(&stopped, 1, "dropped a");
    }
}
