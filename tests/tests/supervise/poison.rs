//! Input that kills every worker, and workers that die too often.

use std::fs;

use udf_proto::messages::request::Message as Ask;
use udf_tests::cases::BOTH;
use udf_tests::program::{Transport, frame};

use crate::cases;
use crate::front::{Front, Mark, RESTARTS, Udf, has_python, kill, plain};
use crate::plan::{
    assert_same, batch, batch_points, begin, direct, end, init_of, points, snapshot, trouble,
};

cases! {
    a_point_that_kills_every_worker, BOTH, "A point that has killed three workers stops the task. The error names the point and the way of the death; the points before it are answered.";
    a_point_that_hangs_every_worker, BOTH, "The same holds for a point at which every worker hangs.";
    a_point_that_is_skipped, BOTH, "With `--poison skip`, the point is written to the file and left out. The output is that of the other points.";
    two_points_that_are_skipped, BOTH, "Each of several such points is found and skipped.";
    a_point_in_the_middle_of_a_crowd, BOTH, "Such a point is found among many that were sent at once, also if the worker reads ahead.";
    a_search, BOTH, "The log says when such a search begins, and what it has cost when it is over: the input that all workers got again.";
    a_batch_that_kills_every_worker, BOTH, "A batch that kills every worker stops the task. Kapacitor gets no part of it.";
    a_batch_that_is_skipped, BOTH, "With `--poison skip`, the whole batch is left out.";
    a_snapshot_that_kills_every_worker, BOTH, "A worker that dies in every snapshot is no reason to skip a point: the task stops with an error.";
    a_full_disk, BOTH, "If the file of skipped points cannot be written, the task stops with an error that names it: no point is lost in silence.";
    a_poison_file_that_is_missing, BOTH, "`--poison skip` without a file is a usage error, before anything starts.";
    restarts_without_end, BOTH, "More than `--restarts` deaths within the window stop the task. The error has the reason of the last one.";
    deaths_at_different_points, BOTH, "Deaths at different points are restarts, and not held against any point.";
}

fn of_trouble(action: &str) -> Udf {
    plain(&["--at", "point", "--do", action])
}

fn requests(troubles: &[i64]) -> (Vec<u8>, Vec<u8>) {
    let init = frame(init_of(&plain(&[])));
    let (mut all, mut good) = (init.clone(), init);
    for time in 0..60 {
        if troubles.contains(&time) {
            all.extend(frame(Ask::Point(trouble(time))));
        } else {
            all.extend(points(time..time + 1));
            good.extend(points(time..time + 1));
        }
    }
    (all, good)
}

/// Expects an error that names the point.
fn is_named(action: &str, flags: &[&str], on: Transport, with: &str) {
    if !has_python() {
        return;
    }
    let (all, good) = requests(&[30]);
    let mut front = Front::start(&of_trouble(action), on, flags);
    front.kapacitor.send(&all);
    let (found, error) = front.kapacitor.rest_and_error();
    for part in ["cpu", "host=a", "30", with] {
        assert!(error.contains(part), "`{part}` is not in `{error}`");
    }
    let expected = direct(&plain(&[]), &good);
    assert_same(&found, &expected[..31]);
    front.ends(1);
}

fn a_point_that_kills_every_worker(on: Transport) {
    is_named("fail", &RESTARTS, on, "exit status: 3");
    is_named("abort", &[], on, "SIGABRT");
    is_named("empty", &RESTARTS, on, "");
}

fn a_point_that_hangs_every_worker(on: Transport) {
    is_named("hang", &["--busy-budget", "3s", "--restart-window", "1ms"], on, "");
}

/// Plays points, of which some kill every worker. They must be skipped. Returns the file.
fn are_skipped(troubles: &[i64], flags: &[&str], on: Transport) -> Option<Vec<u8>> {
    if !has_python() {
        return None;
    }
    let mark = Mark::new();
    let file = mark.file("poison");
    let (all, good) = requests(troubles);
    let skip = ["--poison", "skip", "--poison-file", &file];
    let flags = [&RESTARTS[..], &skip, flags].concat();
    let mut front = Front::start(&of_trouble("fail"), on, &flags);
    front.kapacitor.send(&all);
    let found = front.finish();
    assert_same(&found, &direct(&plain(&[]), &good));
    Some(fs::read(file).expect("the file of skipped input is there"))
}

fn count(text: &[u8], part: &str) -> usize {
    String::from_utf8_lossy(text).matches(part).count()
}

fn a_point_that_is_skipped(on: Transport) {
    if let Some(file) = are_skipped(&[30], &[], on) {
        assert_eq!(count(&file, "trouble"), 1, "{}", String::from_utf8_lossy(&file));
    }
}

fn two_points_that_are_skipped(on: Transport) {
    if let Some(file) = are_skipped(&[3, 30, 31, 59], &["--checkpoint-bytes", "2000"], on) {
        assert_eq!(count(&file, "trouble"), 4, "{}", String::from_utf8_lossy(&file));
    }
}

fn a_point_in_the_middle_of_a_crowd(on: Transport) {
    if !has_python() {
        return;
    }
    let init = frame(init_of(&plain(&[])));
    let odd = frame(Ask::Point(trouble(2000)));
    let good = [init, points(0..2000)].concat();
    let after = points(2000..3000);
    let mark = Mark::new();
    let file = mark.file("poison");
    let flags = [&RESTARTS[..], &["--poison", "skip", "--poison-file", &file]].concat();
    let mut front = Front::start(&of_trouble("abort"), on, &flags);
    front.kapacitor.send(&[good.clone(), odd, after.clone()].concat());
    let found = front.finish();
    assert_same(&found, &direct(&plain(&[]), &[good, after].concat()));
}

fn a_search(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let file = mark.file("poison");
    let flags = [&RESTARTS[..], &["--poison", "skip", "--poison-file", &file]].concat();
    let good = [frame(init_of(&plain(&[]))), points(0..100)].concat();
    let requests = [good.clone(), frame(Ask::Point(trouble(100)))].concat();
    let mut front = Front::start(&of_trouble("fail"), on, &flags);
    front.kapacitor.send(&requests);
    let log = front.program.log_until("took over after");
    let places = ["worker", "worker", "worker", "searching", "worker", "worker", "skipped"];
    let warnings: Vec<_> = log.iter().filter(|line| !line.contains("INFO")).collect();
    let warnings: Vec<_> = warnings.iter().filter(|line| line.contains("connection{")).collect();
    assert_eq!(warnings.len(), places.len() + 1, "{log:#?}");
    warnings.iter().zip(places).for_each(|(line, part)| assert!(line.contains(part), "{log:#?}"));
    // Two workers got all of it, two got it in parts, and the last one does not get the point.
    let bytes = 4 * requests.len() + good.len();
    let line =
        format!("in attempt 5: {bytes} bytes of input sent again, 100 repeated outputs left out");
    assert!(warnings[places.len()].contains(&line), "`{line}` is not in {log:#?}");
    assert_same(&front.finish(), &direct(&plain(&[]), &good));
}

fn bad_batch() -> Vec<u8> {
    [begin(3, true), batch_points(3, 0..20), end(3, true)].concat()
}

fn a_batch_that_kills_every_worker(on: Transport) {
    if !has_python() {
        return;
    }
    let good = [frame(init_of(&plain(&[]))), batch(1), batch(2)].concat();
    let udf = plain(&["--batch", "--at", "end", "--do", "fail"]);
    let mut front = Front::start(&udf, on, &RESTARTS);
    front.kapacitor.send(&[good.clone(), bad_batch(), batch(4)].concat());
    let (found, error) = front.kapacitor.rest_and_error();
    assert!(error.contains("cpu") && error.contains("exit status: 3"), "{error}");
    let expected = direct(&plain(&["--batch"]), &good);
    // The last two messages of the direct run are totals.
    assert_same(&found, &expected[..found.len()]);
    assert_eq!(found.len(), 1 + 2 * 22);
    front.ends(1);
}

fn a_batch_that_is_skipped(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let file = mark.file("poison");
    let init = frame(init_of(&plain(&[])));
    let flags = [&RESTARTS[..], &["--poison", "skip", "--poison-file", &file]].concat();
    let udf = plain(&["--batch", "--at", "end", "--do", "fail"]);
    let mut front = Front::start(&udf, on, &flags);
    front.kapacitor.send(&[init.clone(), batch(1), bad_batch(), batch(2)].concat());
    let found = front.finish();
    assert_same(&found, &direct(&plain(&["--batch"]), &[init, batch(1), batch(2)].concat()));
    assert!(fs::metadata(file).is_ok_and(|file| file.len() > 0));
}

fn a_snapshot_that_kills_every_worker(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&["--at", "snapshot", "--do", "fail"]);
    let mut front = Front::start(&udf, on, &["--restarts", "5"]);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..10), snapshot()].concat());
    let (found, error) = front.kapacitor.rest_and_error();
    assert_eq!(found.len(), 11);
    assert!(error.contains("exit status: 3"), "{error}");
    front.ends(1);
}

fn a_full_disk(on: Transport) {
    if !has_python() {
        return;
    }
    let (all, good) = requests(&[30]);
    let flags = [&RESTARTS[..], &["--poison", "skip", "--poison-file", "/dev/full"]].concat();
    let mut front = Front::start(&of_trouble("fail"), on, &flags);
    front.kapacitor.send(&all);
    let (found, error) = front.kapacitor.rest_and_error();
    assert!(error.contains("/dev/full"), "{error}");
    assert_same(&found, &direct(&plain(&[]), &good)[..31]);
    front.ends(1);
}

fn a_poison_file_that_is_missing(_: Transport) {
    let udf = Udf::Example("mirror");
    let mut command = crate::front::command(&udf, None, &["--poison", "skip"]);
    let output = command.stdin(std::process::Stdio::null()).output().expect("the program starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("--poison-file"), "{log}");
}

fn restarts_without_end(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&[]);
    let mut front = Front::start(&udf, on, &["--restarts", "2"]);
    front.kapacitor.send(&frame(init_of(&udf)));
    let mut found = front.kapacitor.take(1);
    let mut worker = 0;
    for time in 0..3 {
        worker = front.worker_but(worker);
        front.kapacitor.send(&points(time..time + 1));
        found.extend(front.kapacitor.take(1));
        kill(worker);
    }
    let (rest, error) = front.kapacitor.rest_and_error();
    assert_eq!(rest.len(), 0);
    assert!(error.contains("SIGKILL"), "{error}");
    let all = [frame(init_of(&udf)), points(0..3)].concat();
    assert_same(&found, &direct(&udf, &all)[..4]);
    front.ends(1);
}

fn deaths_at_different_points(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let udf =
        plain(&["--at", "point", "--do", "fail", "--times", "1", "--each", "--dir", mark.path()]);
    let (init, clean) = (frame(init_of(&plain(&[]))), plain(&[]));
    let mut requests = init;
    for time in 0..6 {
        requests.extend(points(10 * time..10 * time + 9));
        requests.extend(frame(Ask::Point(trouble(10 * time + 9))));
    }
    let mut front = Front::start(&udf, on, &RESTARTS);
    front.kapacitor.send(&requests);
    assert_same(&front.finish(), &direct(&clean, &requests));
}
