//! Workers that are busy, hang, or emit without input; and Kapacitor's keepalives meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, Point};
use udf_tests::cases::{BOTH, PIPE, SOCKET};
use udf_tests::process::{children, processor_time};
use udf_tests::program::{TIMEOUT, Transport, frame};

use crate::cases;
use crate::front::{Front, Mark, Udf, has_python, kill, plain, send};
use crate::kapacitor::decode;
use crate::plan::{assert_same, direct, init_of, points, snapshot, trouble};

cases! {
    a_worker_that_hangs, BOTH, "A worker without progress for `--busy-budget` is killed and replaced; the log has the reason. Nothing is lost.";
    a_worker_that_hangs_in_a_snapshot, BOTH, "The same holds within a snapshot.";
    a_worker_that_hangs_at_the_end, BOTH, "The same holds after the end of the input.";
    keepalives_while_a_worker_is_busy, BOTH, "Kapacitor gets keepalives while the worker is stopped.";
    keepalives_while_a_worker_starts, BOTH, "The same holds while a new worker starts, in Init and in Restore.";
    an_init_that_takes_its_time, SOCKET, "A worker may take longer to accept Init than `--init-timeout`, which limits Kapacitor. The front sleeps meanwhile.";
    upgrades_that_overlap, BOTH, "A request for an upgrade that comes during an upgrade is followed after it. The front sleeps meanwhile.";
    a_worker_that_takes_its_time, BOTH, "A worker that takes longer than the budget in all, but makes progress, lives on.";
    a_worker_without_output, BOTH, "The same holds for a worker that emits nothing, and whose input fits into the pipe.";
    a_worker_without_input, BOTH, "A worker without input for longer than the budget lives on.";
    a_worker_whose_output_nobody_reads, BOTH, "The time that a worker waits for Kapacitor to read does not count for its budget.";
    points_of_a_thread, BOTH, "With points from a thread of the author between them, the outputs that follow from the input arrive exactly once after kills.";
    thousands_of_points_of_a_thread, BOTH, "The same holds if a thread sends thousands of points at once.";
    a_udf_that_does_not_repeat_itself, BOTH, "If a UDF never repeats its output, each input is answered once, and the log reports the difference.";
    a_udf_that_does_not_repeat_itself_and_at_least_once, BOTH, "With `--at-least-once`, such output arrives at least once.";
    the_guarantee_in_the_log, PIPE, "The front logs at its start which guarantee holds for such output.";
}

/// A budget that is longer than the start of a worker takes on a busy machine.
const BUDGET: &str = "4s";

fn keepalive(time: i64) -> Vec<u8> {
    frame(Ask::Keepalive(KeepaliveRequest { time }))
}

impl Front {
    /// Sends keepalives, as Kapacitor does. Kapacitor must hear something after each: it aborts a
    /// task that is silent.
    fn hears_keepalives(&mut self) {
        for time in 1..4 {
            self.kapacitor.send(&keepalive(time));
            self.kapacitor.keepalive();
        }
    }
}

fn init() -> Vec<u8> {
    frame(init_of(&plain(&[])))
}

/// Plays points to a UDF that hangs once. It must be replaced.
fn hangs_in(stage: &str, on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", stage, "--do", "hang", "--times", "1", "--dir", mark.path()];
    let odd = frame(Ask::Point(trouble(10)));
    let requests = [init(), points(0..10), odd, points(11..20), snapshot(), points(20..30)];
    let requests = requests.concat();
    let mut front = Front::start(&plain(&args), on, &["--busy-budget", BUDGET]);
    front.kapacitor.send(&requests);
    front.kapacitor.end_input();
    front.program.wait_for_log(&format!("no progress for {BUDGET}"));
    front.program.wait_for_log("took over after");
    assert_same(&front.kapacitor.rest(), &direct(&plain(&[]), &requests));
    front.ends(0);
    mark.wait_until_nothing_is_left();
}

fn a_worker_that_hangs(on: Transport) {
    hangs_in("point", on);
    hangs_in("init", on);
}

fn a_worker_that_hangs_in_a_snapshot(on: Transport) {
    hangs_in("snapshot", on);
}

fn a_worker_that_hangs_at_the_end(on: Transport) {
    hangs_in("finish", on);
    hangs_in("within_finish", on);
}

fn keepalives_while_a_worker_is_busy(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", "point", "--times", "1", "--dir", mark.path()];
    let mut front = Front::start(&plain(&args), on, &[]);
    let requests = [init(), points(0..10), frame(Ask::Point(trouble(10))), points(11..20)].concat();
    front.kapacitor.send(&requests);
    let worker = front.stopped_worker();
    front.hears_keepalives();
    send(worker, Signal::CONT);
    // The worker answers what the front has not answered.
    front.kapacitor.wait_for_keepalive(3);
    assert_same(&front.finish(), &direct(&plain(&[]), &requests));
}

fn keepalives_while_a_worker_starts(on: Transport) {
    if !has_python() {
        return;
    }
    for stage in ["start", "init", "restore"] {
        let mark = Mark::new();
        let args = ["--at", stage, "--times", "1", "--dir", mark.path()];
        let mut front = Front::start(&plain(&args), on, &[]);
        let before = [init(), points(0..10), snapshot()].concat();
        front.kapacitor.send(&before);
        let mut found = Vec::new();
        if stage == "restore" {
            found.extend(front.kapacitor.take(12));
            kill(front.worker());
        }
        let worker = front.stopped_worker();
        front.hears_keepalives();
        send(worker, Signal::CONT);
        front.kapacitor.send(&points(10..20));
        found.extend(front.finish());
        assert_same(&found, &direct(&plain(&[]), &[before, points(10..20)].concat()));
    }
}

fn an_init_that_takes_its_time(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", "init", "--times", "1", "--dir", mark.path()];
    let mut front = Front::start(&plain(&args), on, &["--init-timeout", "5s"]);
    front.kapacitor.send(&init());
    let worker = front.stopped_worker();
    // The time of the limit, and more.
    thread::sleep(Duration::from_secs(6));
    let before = processor_time(front.pid());
    thread::sleep(Duration::from_secs(3));
    let busy = processor_time(front.pid()) - before;
    assert!(busy < Duration::from_millis(200), "{busy:?} of 3s");
    send(worker, Signal::CONT);
    front.kapacitor.send(&points(0..10));
    let requests = [init(), points(0..10)].concat();
    assert_same(&front.finish(), &direct(&plain(&[]), &requests));
}

fn upgrades_that_overlap(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    // The new worker of the first upgrade stops, while the input waits for it.
    let args = ["--at", "restore", "--times", "1", "--dir", mark.path()];
    let mut front = Front::start(&plain(&args), on, &[]);
    front.kapacitor.send(&[init(), points(0..10)].concat());
    let mut found = front.kapacitor.take(11);
    let old = front.worker();
    front.program.signal("HUP");
    let new = front.stopped_worker();
    front.program.signal("HUP");
    let before = processor_time(front.pid());
    thread::sleep(Duration::from_secs(3));
    let busy = processor_time(front.pid()) - before;
    assert!(busy < Duration::from_millis(600), "{busy:?} of 3s");
    send(new, Signal::CONT);
    for (new, old) in [(Some(new), old), (None, new)] {
        let line = front.program.wait_for_log("upgraded: ");
        assert!(line.contains(&format!("from worker {old} ")), "{line}");
        new.iter().for_each(|new| assert!(line.contains(&format!("worker {new} ")), "{line}"));
    }
    front.kapacitor.send(&points(10..20));
    found.extend(front.finish());
    assert_same(&found, &direct(&plain(&[]), &[init(), points(0..20)].concat()));
}

fn a_worker_that_takes_its_time(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&["--at", "point", "--do", "doze", "--amount", "150"]);
    let slow = (0..40).flat_map(|time| frame(Ask::Point(trouble(time)))).collect::<Vec<_>>();
    let requests = [init(), slow].concat();
    let mut front = Front::start(&udf, on, &["--busy-budget", "3s"]);
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(1);
    let worker = front.worker();
    found.extend(front.kapacitor.take(40));
    assert_eq!(front.worker(), worker);
    found.extend(front.finish());
    assert_same(&found, &direct(&plain(&[]), &requests));
}

fn a_worker_without_output(on: Transport) {
    if !has_python() {
        return;
    }
    let slow = ["--at", "point", "--do", "doze", "--amount", "150", "--read", "100", "--silent"];
    let trouble = (0..40).flat_map(|time| frame(Ask::Point(trouble(time)))).collect::<Vec<_>>();
    let requests = [init(), trouble].concat();
    let mut front = Front::start(&plain(&slow), on, &["--busy-budget", "3s"]);
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(1);
    let worker = front.worker();
    front.kapacitor.send(&keepalive(7));
    front.kapacitor.wait_for_keepalive(7);
    assert_eq!(front.worker(), worker);
    found.extend(front.finish());
    assert_same(&found, &direct(&plain(&["--silent"]), &requests));
}

fn a_worker_without_input(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&[]);
    let mut front = Front::start(&udf, on, &["--busy-budget", BUDGET]);
    front.kapacitor.send(&[init(), points(0..10)].concat());
    front.kapacitor.take(11);
    let worker = front.worker();
    assert!(!front.kapacitor.has_answer_within(Duration::from_secs(5)));
    front.kapacitor.send(&points(10..20));
    front.kapacitor.take(10);
    assert_eq!(front.worker(), worker);
    front.finish();
}

fn a_worker_whose_output_nobody_reads(on: Transport) {
    let udf = Udf::Example("mirror");
    let mut program = crate::front::launch(&udf, on, &["--busy-budget", "2s"]);
    let mut ends = match on {
        Transport::Pipe => program.pipes(),
        Transport::Socket => program.ends(),
    };
    let large = |time| frame(Ask::Point(crate::plan::large(time, 10_000)));
    let mut sent = frame(init_of(&udf));
    let mut pieces = std::iter::once(sent.clone())
        .chain((0..20_000).map(large))
        .inspect(|piece| sent.extend(piece));
    // Long enough for the budget to run out.
    let (_, rest) =
        ends.input.write_while_read(&mut pieces, Duration::from_secs(4)).expect("it lives");
    drop(pieces);
    let worker = children(program.pid());
    let mut kapacitor = crate::kapacitor::Kapacitor::new(ends);
    kapacitor.send(&rest);
    kapacitor.send(&points(0..1));
    sent = sent[frame(init_of(&udf)).len()..].to_vec();
    let expected = direct(&udf, &[sent, points(0..1)].concat());
    let found = kapacitor.take(expected.len());
    assert_same(&found, &expected);
    assert_eq!(children(program.pid()), worker, "the worker was replaced");
}

/// Returns the messages without the points of the thread.
fn without_ticks(mut frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    frames.retain(
        |frame| !matches!(decode(frame), Answer::Point(Point { name, .. }) if name == "tick"),
    );
    frames
}

fn points_of_a_thread(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&["--tick", "1"]);
    let flags = ["--restart-window", "1ms", "--checkpoint-bytes", "3000"];
    let mut front = Front::start(&udf, on, &flags);
    let mut requests = init();
    front.kapacitor.send(&requests);
    let (mut found, mut worker) = (Vec::new(), 0);
    for time in 0..5 {
        worker = front.worker_but(worker);
        let some = points(20 * time..20 * time + 20);
        front.kapacitor.send(&some);
        requests.extend(some);
        let (expected, begun) = (1 + 20 * (time as usize + 1), Instant::now());
        while found.len() < expected {
            assert!(begun.elapsed() < TIMEOUT, "{} of {expected} messages", found.len());
            found.extend(without_ticks(front.kapacitor.take(1)));
        }
        kill(worker);
    }
    found.extend(without_ticks(front.finish()));
    assert_same(&found, &direct(&plain(&[]), &requests));
}

fn thousands_of_points_of_a_thread(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    // As the points of a thread, these come once, and no other worker repeats them.
    let flood = ["--at", "after_point", "--do", "flood", "--amount", "3000", "--times", "1"];
    let udf = plain(&[&flood[..], &["--dir", mark.path()]].concat());
    let odd = frame(Ask::Point(trouble(5)));
    let requests = [init(), points(0..5), odd, points(6..20)].concat();
    let mut front = Front::start(&udf, on, &["--checkpoint-every", "1h"]);
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(3021);
    kill(front.worker());
    front.kapacitor.send(&points(20..30));
    found.extend(front.finish());
    let count = found.len();
    found.retain(
        |frame| !matches!(decode(frame), Answer::Point(Point { name, .. }) if name == "flood"),
    );
    assert_eq!(count - found.len(), 3000);
    assert_same(&found, &direct(&plain(&[]), &[requests, points(20..30)].concat()));
}

/// Returns how often each of 40 points was answered by a UDF that does not repeat itself, and the
/// log.
fn answers_of_one_that_differs(on: Transport, flags: &[&str]) -> Option<(Vec<usize>, Vec<String>)> {
    if !has_python() {
        return None;
    }
    let udf = plain(&["--differ"]);
    let mut front = Front::start(&udf, on, flags);
    front.kapacitor.send(&[init(), points(0..10), snapshot(), points(10..20)].concat());
    let mut found = front.kapacitor.take(22);
    kill(front.worker());
    front.kapacitor.send(&points(20..40));
    front.kapacitor.end_input();
    found.extend(front.kapacitor.rest());
    let mut counts = vec![0; 40];
    for frame in found {
        if let Answer::Point(point) = decode(&frame)
            && point.name == "cpu"
        {
            counts[point.time as usize] += 1;
        }
    }
    Some((counts, front.ends(0)))
}

fn a_udf_that_does_not_repeat_itself(on: Transport) {
    if let Some((counts, log)) = answers_of_one_that_differs(on, &[]) {
        assert_eq!(counts, [1; 40]);
        let said = log.iter().filter(|line| line.contains("repeat")).count();
        assert_eq!(said, 1, "{log:#?}");
    }
}

fn a_udf_that_does_not_repeat_itself_and_at_least_once(on: Transport) {
    if let Some((counts, _)) = answers_of_one_that_differs(on, &["--at-least-once"]) {
        let twice = counts.iter().filter(|count| **count == 2).count();
        assert!(counts.iter().all(|count| *count >= 1) && twice > 0, "{counts:?}");
    }
}

fn the_guarantee_in_the_log(on: Transport) {
    let udf = Udf::Example("mirror");
    for (flags, with) in
        [(&[][..], "doubled or missing"), (&["--at-least-once"], "none is dropped")]
    {
        let mut front = Front::start(&udf, on, flags);
        front.kapacitor.send(&frame(init_of(&udf)));
        front.kapacitor.end_input();
        front.kapacitor.rest();
        let log = front.ends(0).join("\n");
        assert!(log.contains(with), "{log}");
    }
}
