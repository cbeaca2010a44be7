//! Batches of the windows of time, and timers.

use std::time::Duration;

use udf_tests::cases::PIPE;
use udf_tests::program::Transport;

use crate::cases;
use crate::double::Telegraf;
use crate::pipes::Level;
use crate::udfs::{assert_lines, batches, has_python, of_example, plain, troubled};

cases! {
    points_out_of_order, PIPE, "Points of one window may come in any order: their batch has them by time.";
    points_that_come_late, PIPE, "A point within the grace period is in its window. A later one is dropped with a warning.";
    a_window_that_the_clock_ends, PIPE, "A window ends by the clock if no later points come.";
    outliers_of_a_window, PIPE, "A UDF of batches gets a batch for each group of each window.";
    a_time_of_the_future, PIPE, "A metric from a clock that is ahead does not end the windows of others. One that is ahead by more than the grace period is dropped with a warning.";
    a_udf_with_ticks, PIPE, "A UDF emits at its ticks while no metrics arrive, with the time of the clock.";
    a_udf_with_a_timer, PIPE, "The same holds for a UDF in any language. A point without fields is dropped with a warning.";
}

const SECOND: i64 = 1_000_000_000;

/// Returns a metric at a time in seconds.
fn at(seconds: i64) -> String {
    format!("cpu value=1.5 {}", seconds * SECOND)
}

fn lines(seconds: &[i64]) -> Vec<String> {
    seconds.iter().copied().map(at).collect()
}

fn windows(grace: &str) -> Telegraf {
    Telegraf::start(&batches(&["--every", "10s", "--grace", grace]))
}

fn points_out_of_order(_: Transport) {
    let telegraf = windows("5s");
    telegraf.write_all(lines(&[7, 3, 9, 12, 1]));
    telegraf.write_all(lines(&[15]));
    telegraf.wait_for_lines(4);
    assert_lines(&telegraf.stop().lines(), &lines(&[1, 3, 7, 9, 12, 15]));
}

fn points_that_come_late(_: Transport) {
    let telegraf = windows("5s");
    telegraf.write_all(lines(&[3, 14, 9, 15]));
    telegraf.wait_for_lines(2);
    telegraf.write_all(lines(&[8, 4]));
    let warning = telegraf.wait_for_log(Level::Warn, "after the end of its window");
    assert!(warning.contains("--grace"), "{warning}");
    let stopped = telegraf.stop();
    assert_lines(&stopped.lines(), &lines(&[3, 9, 14, 15]));
    assert_eq!(stopped.log_of(Level::Warn).len(), 2);
}

fn a_window_that_the_clock_ends(_: Transport) {
    let telegraf = windows("100ms");
    telegraf.write_all(lines(&[3, 4]));
    // Nothing else comes.
    telegraf.wait_for_lines(2);
    assert_eq!(telegraf.exits(), 0);
    assert_lines(&telegraf.stop().lines(), &lines(&[3, 4]));
}

fn outliers_of_a_window(_: Transport) {
    let options = ["-o", "field=value", "--every", "60s", "--grace", "5s", "--group-by", "host"];
    let telegraf = Telegraf::start(&of_example("outliers", &options));
    let metric = |host: &str, value: i64, second: i64| {
        format!("cpu,host={host} value={value}.5 {}", second * SECOND)
    };
    for second in 0..120 {
        let odd = second % 50 == 25;
        telegraf.write_all([
            metric("a", if odd { 900 } else { second % 7 }, second),
            metric("b", 1000 * i64::from(!odd), second),
        ]);
    }
    let expected =
        [metric("a", 900, 25), metric("b", 0, 25), metric("a", 900, 75), metric("b", 0, 75)];
    assert_lines(&telegraf.stop().lines(), &expected);
}

fn a_time_of_the_future(_: Transport) {
    let telegraf = windows("1h");
    let since = std::time::UNIX_EPOCH.elapsed().expect("the clock is right");
    // The begin of a window of ten minutes ago, which its grace period still holds open.
    let past = since.as_secs().cast_signed() / 10 * 10 - 600;
    let (soon, far) = (past + 1800, past + 100_000);
    telegraf.write_all(lines(&[past + 3, soon, past + 5, far, past + 12, soon + 1, past + 4]));
    let stopped = telegraf.stop();
    let expected = [past + 3, past + 4, past + 5, past + 12, soon, soon + 1];
    assert_lines(&stopped.lines(), &lines(&expected));
    let [warning] = stopped.log_of(Level::Warn)[..] else { panic!("{:#?}", stopped.log) };
    assert!(warning.contains("in the future"), "{warning}");
}

fn a_udf_with_ticks(_: Transport) {
    let since = || std::time::UNIX_EPOCH.elapsed().expect("the clock is right").as_nanos();
    for flags in [&[][..], &["--supervise"]] {
        let begun = since();
        let telegraf = Telegraf::start(&troubled("pointTick", flags));
        telegraf.write_all(["cpu trouble=1i 7"]);
        telegraf.wait_for_lines(2);
        let stopped = telegraf.stop();
        let lines = stopped.lines();
        let time = lines[1].strip_prefix("tick,by=clock late=false ").map(str::parse::<u128>);
        let time = time.unwrap_or_else(|| panic!("{lines:?}")).expect("a time");
        assert!(lines.len() == 2 && (begun..since()).contains(&time), "{lines:?}");
    }
}

fn a_udf_with_a_timer(_: Transport) {
    if !has_python() {
        return;
    }
    // Each timer emits a point without fields, which no line can hold.
    let telegraf = Telegraf::start(&plain(&[], &["--tick", "20"]));
    telegraf.wait_for_log(Level::Warn, "line protocol cannot express");
    assert!(!telegraf.exits_within(Duration::ZERO));
    telegraf.stop();
}
