//! A worker is killed at every stage of a connection.

use udf_proto::messages::request::Message as Ask;
use udf_tests::cases::{BOTH, PIPE};
use udf_tests::program::{Transport, frame};

use crate::cases;
use crate::examples::waiting_input;
use crate::front::{Front, Killer, Mark, Udf, has_python, kill, plain, wait_until};
use crate::plan::{
    assert_same, batch, batch_points, begin, direct, end, info, init_of, large, point, points,
    snapshot, trouble,
};

cases! {
    a_kill_before_info, BOTH, "A worker that is killed before it has read anything is replaced, and Kapacitor gets all answers.";
    a_kill_in_info, BOTH, "The same holds within Info.";
    a_kill_in_init, BOTH, "The same holds within Init: Kapacitor gets one answer.";
    a_kill_after_init, BOTH, "The same holds after Init.";
    a_kill_within_a_request, BOTH, "A request of which the dead worker has read a part is sent again as a whole.";
    a_kill_within_a_response, BOTH, "A response of which the dead worker has written a part is discarded; Kapacitor gets the whole one of the next worker.";
    a_kill_before_an_output, BOTH, "A point that was handled, but not answered, is answered once, and counts once.";
    a_kill_after_an_output, BOTH, "A point that was answered is not answered again, and counts once.";
    a_kill_in_a_snapshot, BOTH, "Kapacitor's request for a snapshot is answered by the next worker, with the state of the same input.";
    a_kill_within_the_answer_to_a_snapshot, BOTH, "The same holds if a part of the answer was written.";
    a_kill_in_a_checkpoint, BOTH, "A checkpoint that the worker dies in has no effect.";
    a_kill_within_the_answer_to_a_checkpoint, BOTH, "A checkpoint of which a part was written has no effect.";
    a_kill_in_restore, BOTH, "A worker that dies while it restores the state of its predecessor is replaced in turn.";
    a_kill_after_restore, BOTH, "The same holds before the replay.";
    a_kill_in_kapacitors_restore, BOTH, "A worker that dies in Kapacitor's Restore is replaced; Kapacitor gets one answer.";
    a_kill_at_the_end_of_input, BOTH, "A worker that dies after its input has ended is replaced, and finishes.";
    a_kill_within_the_last_outputs, BOTH, "Of the outputs after the end of the input, each arrives once.";
    a_kill_before_a_batch, BOTH, "A worker that dies at the begin of a batch is replaced; Kapacitor gets whole batches.";
    a_kill_after_the_begin_of_a_batch, BOTH, "The same holds after the worker has begun to emit the batch.";
    a_kill_within_a_batch, BOTH, "The same holds while Kapacitor has sent a half of the batch.";
    a_kill_at_the_end_of_a_batch, BOTH, "The same holds at the end of the batch.";
    a_kill_while_the_input_is_full, BOTH, "A request of which the front has written a part is sent again as a whole.";
    kills_after_each_other, BOTH, "After each of many kills, state and output are those of a run without.";
    no_kill, PIPE, "Without a kill, the answers are those of a run without a front, byte by byte.";
}

/// A stream with a point that makes the UDF in Python misbehave in each of its parts.
fn stream() -> Vec<u8> {
    let odd = |time| frame(Ask::Point(trouble(time)));
    let init = frame(init_of(&plain(&[])));
    [info(), init, points(0..10), odd(10), points(11..20), snapshot(), points(20..30), odd(30)]
        .into_iter()
        .chain([points(31..40), snapshot(), points(40..50)])
        .collect::<Vec<_>>()
        .concat()
}

fn batches() -> Vec<u8> {
    let init = frame(init_of(&plain(&[])));
    let odd = [begin(3, true), batch_points(3, 0..20), end(3, true)].concat();
    [init, batch(1), batch(2), snapshot(), odd, batch(4), batch(5)].concat()
}

/// Kills the first worker that reaches this stage. The output must be that of a run without a
/// front.
fn is_survived(stage: &str, more: &[&str], requests: &[u8], on: Transport, flags: &[&str]) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = [&["--at", stage, "--times", "1", "--dir", mark.path()], more].concat();
    let mut front = Front::start(&plain(&args), on, flags);
    let killer = Killer::of(&front);
    front.kapacitor.send(requests);
    let found = front.finish();
    assert_eq!(killer.killed(), 1);
    assert_same(&found, &direct(&plain(more), requests));
    mark.wait_until_nothing_is_left();
}

fn in_a_stream(stage: &str, on: Transport) {
    is_survived(stage, &[], &stream(), on, &[]);
}

fn in_a_batch(stage: &str, on: Transport) {
    is_survived(stage, &["--batch"], &batches(), on, &[]);
}

fn a_kill_before_info(on: Transport) {
    in_a_stream("start", on);
}

fn a_kill_in_info(on: Transport) {
    in_a_stream("info", on);
}

fn a_kill_in_init(on: Transport) {
    in_a_stream("init", on);
}

fn a_kill_after_init(on: Transport) {
    in_a_stream("after_init", on);
}

fn a_kill_within_a_request(on: Transport) {
    is_survived("half_request", &["--skip", "20"], &stream(), on, &[]);
}

fn a_kill_within_a_response(on: Transport) {
    in_a_stream("half_response", on);
    is_survived("half_response", &["--skip", "1"], &stream(), on, &[]);
}

fn a_kill_before_an_output(on: Transport) {
    in_a_stream("point", on);
    is_survived("point", &["--skip", "1"], &stream(), on, &[]);
}

fn a_kill_after_an_output(on: Transport) {
    in_a_stream("after_point", on);
    is_survived("after_point", &["--skip", "1"], &stream(), on, &[]);
}

fn a_kill_in_a_snapshot(on: Transport) {
    in_a_stream("snapshot", on);
    is_survived("snapshot", &["--skip", "1"], &stream(), on, &[]);
}

fn a_kill_within_the_answer_to_a_snapshot(on: Transport) {
    in_a_stream("half_snapshot", on);
}

/// Kills the first worker that reaches this stage in a checkpoint of the front.
fn in_a_checkpoint(stage: &str, skip: &str, on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", stage, "--skip", skip, "--times", "1", "--dir", mark.path()];
    let mut front = Front::start(&plain(&args), on, &["--checkpoint-bytes", "2000"]);
    let killer = Killer::of(&front);
    let mut requests = frame(init_of(&plain(&[])));
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(1);
    for time in 0..10 {
        let some = points(20 * time..20 * time + 20);
        front.kapacitor.send(&some);
        found.extend(front.kapacitor.take(20));
        requests.extend(some);
    }
    found.extend(front.finish());
    assert_eq!(killer.killed(), 1);
    assert_same(&found, &direct(&plain(&[]), &requests));
}

fn a_kill_in_a_checkpoint(on: Transport) {
    in_a_checkpoint("snapshot", "0", on);
    in_a_checkpoint("snapshot", "3", on);
}

fn a_kill_within_the_answer_to_a_checkpoint(on: Transport) {
    in_a_checkpoint("half_snapshot", "0", on);
    in_a_checkpoint("half_snapshot", "3", on);
}

/// Kills a worker after a snapshot and some points, and the next one at this stage.
fn in_the_restore(stage: &str, on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let udf = plain(&["--at", stage, "--times", "1", "--dir", mark.path()]);
    let mut front = Front::start(&udf, on, &[]);
    let before = [frame(init_of(&udf)), points(0..10), snapshot(), points(10..20)].concat();
    let killer = Killer::of(&front);
    front.kapacitor.send(&before);
    let mut found = front.kapacitor.take(22);
    kill(front.worker());
    front.kapacitor.send(&points(20..30));
    found.extend(front.finish());
    assert_eq!(killer.killed(), 1);
    assert_same(&found, &direct(&plain(&[]), &[before, points(20..30)].concat()));
    mark.wait_until_nothing_is_left();
}

fn a_kill_in_restore(on: Transport) {
    in_the_restore("restore", on);
}

fn a_kill_after_restore(on: Transport) {
    in_the_restore("after_restore", on);
}

fn a_kill_in_kapacitors_restore(on: Transport) {
    let state =
        udf_proto::messages::RestoreRequest { snapshot: br#"{"host=a": [5, 1.5]}"#.to_vec() };
    let restore = frame(Ask::Restore(state));
    let requests = [frame(init_of(&plain(&[]))), restore, points(0..10)].concat();
    is_survived("restore", &[], &requests, on, &[]);
    is_survived("after_restore", &[], &requests, on, &[]);
}

fn a_kill_at_the_end_of_input(on: Transport) {
    in_a_stream("finish", on);
}

fn a_kill_within_the_last_outputs(on: Transport) {
    in_a_stream("within_finish", on);
    is_survived("within_finish", &["--skip", "2"], &stream(), on, &[]);
}

fn a_kill_before_a_batch(on: Transport) {
    in_a_batch("begin", on);
}

fn a_kill_after_the_begin_of_a_batch(on: Transport) {
    in_a_batch("after_begin", on);
}

fn a_kill_within_a_batch(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&["--batch"]);
    let before = [frame(init_of(&udf)), batch(1), begin(2, false), batch_points(2, 0..10)].concat();
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&before);
    let mut found = front.kapacitor.take(1 + 22);
    // The worker has answered the first batch, and has read some of the second one.
    kill(front.worker());
    let after = [batch_points(2, 10..20), end(2, false), batch(3)].concat();
    front.kapacitor.send(&after);
    found.extend(front.finish());
    assert_same(&found, &direct(&udf, &[before, after].concat()));
}

fn a_kill_at_the_end_of_a_batch(on: Transport) {
    in_a_batch("end", on);
}

fn a_kill_while_the_input_is_full(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", "point", "--times", "1", "--dir", mark.path()];
    let mut front = Front::start(&plain(&args), on, &[]);
    // A pipe holds 64 KiB, so the front cannot write the large point as a whole.
    let big = |time| frame(Ask::Point(large(time, 300_000)));
    let requests =
        [frame(init_of(&plain(&[]))), frame(Ask::Point(trouble(0))), big(1), points(2..9), big(9)];
    front.kapacitor.send(&requests.concat());
    let worker = front.stopped_worker();
    wait_until("the input of the worker is full", || waiting_input(worker) >= 32 << 10);
    kill(worker);
    let found = front.finish();
    assert_same(&found, &direct(&plain(&[]), &requests.concat()));
}

fn kills_after_each_other(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&[]);
    let mut front =
        Front::start(&udf, on, &["--restart-window", "1ms", "--checkpoint-bytes", "1024"]);
    let mut requests = frame(init_of(&udf));
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(1);
    let mut worker = 0;
    for time in 0..8 {
        worker = front.worker_but(worker);
        let some = points(20 * time..20 * time + 20);
        front.kapacitor.send(&some);
        found.extend(front.kapacitor.take(20));
        requests.extend(some);
        kill(worker);
    }
    found.extend(front.finish());
    assert_same(&found, &direct(&udf, &requests));
}

fn no_kill(_: Transport) {
    let mut point = point(1);
    point.tags.insert("é".into(), "ü".into());
    let some = [points(0..100), frame(Ask::Point(point)), snapshot(), points(100..200)].concat();
    for name in ["moving_avg", "mirror"] {
        let udf = Udf::Example(name);
        let requests = [info(), frame(init_of(&udf)), some.clone()].concat();
        let mut front = Front::start(&udf, Transport::Pipe, &[]);
        front.kapacitor.send(&requests);
        assert_same(&front.finish(), &direct(&udf, &requests));
    }
}
