//! Crashes: what Telegraf loses without supervision, and that nothing is lost with it.

use std::time::Duration;

use udf_tests::cases::PIPE;
use udf_tests::process::children;
use udf_tests::program::Transport;

use crate::cases;
use crate::double::{Telegraf, wait_until};
use crate::pipes::Level;
use crate::udfs::{
    assert_lines, averages, has_python, metric, metrics, mirror, moving_avg, plain, troubled,
};

cases! {
    a_crash_loop_under_supervision, PIPE, "With `--supervise`, a UDF that crashes at every tenth metric loses nothing, and repeats nothing.";
    kills_under_supervision, PIPE, "With `--supervise`, kills of the worker lose nothing, and state is as without them.";
    a_worker_that_always_crashes, PIPE, "With `--supervise`, input that kills each worker ends the program with one error. With `--poison skip`, the input is skipped.";
    an_error_without_supervision, PIPE, "Without `--supervise`, an error or a panic of the UDF is an error of the log. Output from before it arrives.";
    a_crash_loop_without_supervision, PIPE, "Without `--supervise`, Telegraf drops the metrics between a crash and the next start.";
    an_upgrade, PIPE, "SIGHUP under `--supervise` replaces the worker, and no metric is lost.";
}

const RESTARTS: [&str; 3] = ["--supervise", "--restart-window", "1ms"];

/// Returns metrics of which every tenth makes a UDF crash.
fn troubling(count: i64) -> Vec<String> {
    let of = |time: i64| match time % 10 {
        5 => metric(time).replace(' ', "\0").replacen('\0', " ", 1).replace('\0', ",trouble=true "),
        _ => metric(time),
    };
    (0..count).map(of).collect()
}

fn a_crash_loop_under_supervision(_: Transport) {
    if !has_python() {
        return;
    }
    let metrics = troubling(60);
    let run = |args: &[&str]| {
        let telegraf = Telegraf::start(&plain(&RESTARTS, args));
        telegraf.write_all(&metrics);
        telegraf.wait_for_lines(metrics.len());
        let stopped = telegraf.stop();
        (
            stopped.exits.len(),
            stopped.all_lines().into_iter().map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let dir = directory.path().to_str().expect("the path is text");
    let (exits, expected) = run(&[]);
    assert_eq!(exits, 1);
    assert!(expected.len() == 63 && expected[5].contains("trouble"), "{:?}", expected[5]);
    for action in ["quit", "abort"] {
        let dir = format!("{dir}/{action}");
        std::fs::create_dir(&dir).expect("the directory is new");
        let args = ["--at", "point", "--do", action, "--times", "1", "--each", "--dir", &dir];
        let (exits, lines) = run(&args);
        assert_lines(&lines, &expected);
        assert_eq!(exits, 1, "the program itself does not crash");
        let crashes = std::fs::read_dir(&dir).expect("the directory is there").count();
        assert_eq!(crashes, 6);
    }
}

fn kills_under_supervision(_: Transport) {
    let mut flags = RESTARTS.to_vec();
    flags.extend(["--checkpoint-bytes", "3000"]);
    let telegraf = Telegraf::start(&moving_avg(&flags));
    let mut last = 0;
    for part in 0..6 {
        telegraf.write_all(metrics(100 * part..100 * part + 100));
        telegraf.wait_for_lines(100 * part as usize + 50);
        let worker = || children(telegraf.pid()).into_iter().find(|worker| *worker != last);
        wait_until("there is a worker", || worker().is_some());
        last = worker().expect("there is a worker");
        telegraf.kill(last);
    }
    let stopped = telegraf.stop();
    assert_lines(&stopped.all_lines(), &averages(0..600));
}

fn a_worker_that_always_crashes(_: Transport) {
    if !has_python() {
        return;
    }
    let args = ["--at", "point", "--do", "fail"];
    let telegraf = Telegraf::start(&plain(&["--supervise"], &args));
    telegraf.write_all(metrics(0..10));
    telegraf.wait_for_lines(10);
    telegraf.write_all(["cpu,host=a value=1,trouble=true 10"]);
    let status = telegraf.wait_for_exit(1);
    let stopped = telegraf.stop();
    assert_eq!(status.code(), Some(1));
    assert_eq!(stopped.all_lines().len(), 10);
    let errors = stopped.log_of(Level::Error);
    assert!(errors.iter().any(|line| line.contains("an error of the author")), "{errors:#?}");

    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = format!("{}/poison", directory.path().display());
    let flags = ["--supervise", "--restarts", "20", "--poison", "skip", "--poison-file", &file];
    let telegraf = Telegraf::start(&plain(&flags, &args));
    telegraf.write_all(metrics(0..10));
    telegraf.write_all(["cpu,host=a value=1,trouble=true 10"]);
    telegraf.write_all(metrics(11..20));
    telegraf.wait_for_lines(19);
    assert_eq!(telegraf.stop().all_lines().len(), 19 + 3);
}

fn an_error_without_supervision(_: Transport) {
    for (kind, text) in [("error", "the file cannot be written"), ("panic", "out of luck")] {
        let telegraf = Telegraf::start(&troubled(kind, &[]));
        telegraf.write_all(metrics(0..1000));
        telegraf.write_all(["cpu,host=a value=1,trouble=true 1000"]);
        let status = telegraf.wait_for_exit(1);
        let stopped = telegraf.stop();
        assert_eq!(status.code(), Some(1), "{:#?}", stopped.log);
        assert_lines(&stopped.all_lines()[..1000], &metrics(0..1000));
        let errors = stopped.log_of(Level::Error);
        assert!(errors.iter().any(|line| line.contains(text)), "{:#?}", stopped.log);
    }
}

fn a_crash_loop_without_supervision(_: Transport) {
    let telegraf = Telegraf::start_with(&troubled("error", &[]), Duration::from_millis(50));
    let metrics = troubling(100);
    let mut delivered = 0;
    for metric in &metrics {
        delivered += usize::from(telegraf.write(metric));
        if metric.contains("trouble") {
            let exits = telegraf.exits();
            wait_until("the program has crashed", || telegraf.exits() > exits || exits == 0);
        }
    }
    let stopped = telegraf.stop();
    assert_eq!(delivered + stopped.dropped, metrics.len());
    assert!(stopped.all_lines().len() <= delivered);
}

fn an_upgrade(_: Transport) {
    let telegraf = Telegraf::start(&mirror(&["--supervise"]));
    telegraf.write_all(metrics(0..100));
    telegraf.wait_for_lines(100);
    let worker = children(telegraf.pid());
    telegraf.hang_up();
    telegraf.write_all(metrics(100..200));
    wait_until("the worker is replaced", || children(telegraf.pid()) != worker);
    telegraf.write_all(metrics(200..300));
    assert_lines(&telegraf.stop().lines(), &metrics(0..300));
}
