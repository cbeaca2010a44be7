//! Stops of Telegraf: everything that was written before is behind the UDF afterwards.

use std::time::Duration;

use rustix::process::Signal;
use udf_tests::cases::PIPE;
use udf_tests::program::Transport;

use crate::cases;
use crate::double::{Asked, Telegraf, wait_until};
use crate::pipes::Level;
use crate::udfs::{
    Words, assert_lines, averages, batches, has_python, metrics, mirror, moving_avg, plain, sums,
    troubled,
};

cases! {
    a_stop_behind_many_metrics, PIPE, "A stop right behind 5,000 metrics loses none of them, and their order stays.";
    a_stop_behind_many_metrics_in_batches, PIPE, "The same holds for a UDF of batches: the end of input ends all windows.";
    a_stop_of_any_program, PIPE, "The same holds for `udf telegraf` with a UDF in Python, also with what it emits at its end.";
    a_stop_before_any_metric, PIPE, "A stop without metrics ends the program without output and without an error.";
    a_reader_that_is_slow, PIPE, "The program does not exit before Telegraf has read its output: nothing is lost in the pipe.";
    a_reader_that_is_slow_for_much_output, PIPE, "The same holds for more output than the pipe holds, which the UDF emits at its end.";
    a_reader_that_never_reads, PIPE, "If Telegraf does not read, the program gives up before SIGKILL, with an error that says so.";
    a_udf_that_hangs_at_its_end, PIPE, "A UDF that does not return at its end is given up before SIGKILL, with an error that says so.";
    a_udf_that_fails_at_its_end, PIPE, "An error of the UDF at its end is an error of the log. Output from before it arrives.";
    signals_while_metrics_arrive, PIPE, "SIGINT and SIGTERM to the whole process group lose nothing: the UDF goes on until the end of input.";
    signals_without_an_end, PIPE, "If input goes on after a signal, the program ends by itself, and all that was written before the signal arrives.";
    hangups, PIPE, "SIGHUP to the process group changes nothing.";
    a_reload, PIPE, "A reload of Telegraf's configuration loses nothing, and one program follows the other.";
    telegraf_is_killed, PIPE, "If Telegraf is killed, the program ends by itself.";
}

/// Stops a program right behind its metrics.
fn stop_behind(command: &Words, metrics: &[String]) -> Vec<String> {
    let telegraf = Telegraf::start(command);
    telegraf.write_all(metrics);
    telegraf.stop().lines().into_iter().map(str::to_owned).collect()
}

fn a_stop_behind_many_metrics(_: Transport) {
    let metrics = metrics(0..5000);
    assert_lines(&stop_behind(&mirror(&[]), &metrics), &metrics);
    assert_lines(&stop_behind(&moving_avg(&[]), &metrics), &averages(0..5000));
    assert_lines(&stop_behind(&mirror(&["--supervise"]), &metrics), &metrics);
    assert_lines(&stop_behind(&moving_avg(&["--supervise"]), &metrics), &averages(0..5000));
}

fn a_stop_behind_many_metrics_in_batches(_: Transport) {
    let metrics = metrics(0..5000);
    for flags in [&["--every", "1us", "--grace", "1h"][..], &["--every", "1us", "--supervise"]] {
        // One group, so that batches follow each other in the order of their times.
        assert_lines(&stop_behind(&batches(flags), &metrics), &metrics);
    }
}

fn a_stop_of_any_program(_: Transport) {
    if !has_python() {
        return;
    }
    for flags in [&[][..], &["--supervise"]] {
        let lines = stop_behind(&plain(flags, &[]), &metrics(0..3000));
        let (points, totals) = lines.split_at(3000);
        assert_lines(points, &sums(0..3000));
        assert_eq!(totals.len(), 3, "{totals:#?}");
        assert!(totals.iter().all(|line| line.ends_with(",count=1000i 0")), "{totals:?}");
    }
}

fn a_stop_before_any_metric(_: Transport) {
    for command in [mirror(&[]), mirror(&["--supervise"]), batches(&["--every", "1s"])] {
        assert!(stop_behind(&command, &[]).is_empty());
    }
}

/// A time after which a program would have exited that does not wait.
const WHILE: Duration = Duration::from_millis(300);

fn a_reader_that_is_slow(_: Transport) {
    for command in [mirror(&[]), mirror(&["--supervise"])] {
        let metrics = metrics(0..500);
        let mut telegraf = Telegraf::start(&command);
        telegraf.output().allow(0);
        telegraf.write_all(&metrics);
        telegraf.begin_stop();
        let bytes = metrics.iter().map(|line| line.len() as u64 + 1).sum::<u64>();
        wait_until("all output is in the pipe", || telegraf.output().unread() == bytes);
        assert!(!telegraf.exits_within(WHILE), "the program has not waited");
        telegraf.output().release();
        assert_lines(&telegraf.stop().lines(), &metrics);
    }
}

fn a_reader_that_is_slow_for_much_output(_: Transport) {
    // 1 MB.
    let count = 40_000;
    let args = ["-o", &*format!("amount={count}")];
    let mut telegraf = Telegraf::start(&troubled("floodFinish", &args));
    telegraf.output().allow(0);
    telegraf.write_all(metrics(0..100));
    telegraf.begin_stop();
    wait_until("the pipe is full", || telegraf.output().unread() >= 60 << 10);
    for _ in 0..4 {
        let before = telegraf.output().so_far().len();
        telegraf.output().allow(50_000);
        wait_until("some is read", || telegraf.output().so_far().len() == before + 50_000);
    }
    assert!(!telegraf.exits_within(WHILE), "the program has not waited");
    telegraf.output().release();
    let stopped = telegraf.stop();
    let lines = stopped.lines();
    assert_eq!(lines.len(), 100 + count);
    assert_eq!(lines.last(), Some(&&*format!("last value=1.0 {}", count - 1)));
}

/// Stops a program that cannot end. Returns its error.
#[track_caller]
fn gives_up(telegraf: Telegraf) -> String {
    let stopped = telegraf.stop();
    assert_ne!(stopped.after, Asked::Kill, "{:#?}", stopped.log);
    assert_eq!(stopped.exits[0].code(), Some(1), "{:#?}", stopped.log);
    let errors = stopped.log_of(Level::Error);
    assert_eq!(errors.len(), 1, "{:#?}", stopped.log);
    errors[0].to_owned()
}

fn a_reader_that_never_reads(_: Transport) {
    let telegraf = Telegraf::start(&mirror(&[]));
    telegraf.output().allow(0);
    telegraf.write_all(metrics(0..100));
    let error = gives_up(telegraf);
    assert!(error.contains("Telegraf has not read the output"), "{error}");
}

fn a_udf_that_hangs_at_its_end(_: Transport) {
    if !has_python() {
        return;
    }
    let telegraf = Telegraf::start(&plain(&[], &["--at", "within_finish", "--do", "hang"]));
    telegraf.write_all(metrics(0..100));
    let error = gives_up(telegraf);
    assert!(error.contains("the UDF has not finished"), "{error}");
}

fn a_udf_that_fails_at_its_end(_: Transport) {
    for kind in ["panicFinish", "errorFinish"] {
        let telegraf = Telegraf::start(&troubled(kind, &[]));
        telegraf.write_all(metrics(0..100));
        let stopped = telegraf.stop();
        assert_eq!((stopped.after, stopped.exits[0].code()), (Asked::EndOfInput, Some(1)));
        assert_lines(&stopped.all_lines(), &metrics(0..100));
        let errors = stopped.log_of(Level::Error);
        assert!(errors.iter().any(|line| line.contains("no end")), "{:#?}", stopped.log);
    }
}

fn signals_while_metrics_arrive(_: Transport) {
    for signal in [Signal::INT, Signal::TERM] {
        for command in [mirror(&[]), mirror(&["--supervise"])] {
            let telegraf = Telegraf::start(&command);
            telegraf.write_all(metrics(0..100));
            telegraf.wait_for_lines(100);
            telegraf.signal_group(signal);
            telegraf.wait_for_log(Level::Info, "a signal has come");
            telegraf.write_all(metrics(100..200));
            telegraf.signal_group(signal);
            telegraf.write_all(metrics(200..300));
            assert_lines(&telegraf.stop().lines(), &metrics(0..300));
        }
    }
}

fn signals_without_an_end(_: Transport) {
    let telegraf = Telegraf::start(&mirror(&[]));
    telegraf.write_all(metrics(0..100));
    telegraf.wait_for_lines(100);
    telegraf.signal_group(Signal::TERM);
    telegraf.write_all(metrics(100..200));
    let status = telegraf.wait_for_exit(1);
    let stopped = telegraf.stop();
    assert_lines(&stopped.all_lines(), &metrics(0..200));
    assert_eq!(status.code(), Some(0), "{:#?}", stopped.log);
}

fn hangups(_: Transport) {
    for command in [mirror(&[]), mirror(&["--supervise"]), moving_avg(&[])] {
        let telegraf = Telegraf::start(&command);
        telegraf.write_all(metrics(0..100));
        telegraf.wait_for_lines(100);
        telegraf.signal_group(Signal::HUP);
        telegraf.write_all(metrics(100..200));
        let stopped = telegraf.stop();
        assert_eq!((stopped.lines().len(), stopped.exits.len()), (200, 1));
    }
}

fn a_reload(_: Transport) {
    for command in [mirror(&[]), mirror(&["--supervise"])] {
        let mut telegraf = Telegraf::start(&command);
        for part in 0..3 {
            telegraf.write_all(metrics(1000 * part..1000 * part + 1000));
            telegraf = telegraf.reload();
        }
        let stopped = telegraf.stop();
        assert_lines(&stopped.lines(), &metrics(0..3000));
        assert_eq!((stopped.exits.len(), stopped.dropped), (4, 0));
    }
}

fn telegraf_is_killed(_: Transport) {
    for flags in [&[][..], &["--supervise"]] {
        let mut telegraf = Telegraf::start(&mirror(flags));
        telegraf.write_all(metrics(0..100));
        telegraf.output().close();
        telegraf.begin_stop();
        telegraf.wait_for_exit(1);
        assert!(telegraf.stop().signal().is_none());
    }
}
