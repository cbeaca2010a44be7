//! The examples of this kit supervise themselves, and are killed from outside.

use std::fs::{self, File};
use std::time::Duration;

use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::cases::BOTH;
use udf_tests::process::state;
use udf_tests::program::{Transport, frame};

use crate::cases;
use crate::front::{Front, RESTARTS, Udf, kill, program, send, wait_until};
use crate::kapacitor::decode;
use crate::plan::{
    assert_same, batch, batch_points, begin, direct, end, info, init_of, large, points, snapshot,
};

cases! {
    moving_avg_killed_between_points, BOTH, "After each kill of `moving_avg --supervise`, the averages are those of a run without kills.";
    mirror_killed_between_points, BOTH, "The same holds for `mirror`, which has no state.";
    outliers_killed_between_batches, BOTH, "The same holds for `outliers`, between batches and within them.";
    moving_avg_under_the_command, BOTH, "The same holds for `udf supervise -- moving_avg`.";
    an_example_killed_before_init, BOTH, "A worker that is killed before Init, at once after its start, is replaced.";
    an_example_killed_in_restore, BOTH, "The same holds for a worker that is about to restore a large state.";
    an_example_killed_within_a_response, BOTH, "A worker that is killed while a half of its response fills the pipe is replaced, and the response arrives once.";
    an_example_killed_within_a_request, BOTH, "A worker that is stopped, and then killed with a half of a request in its input, gets the whole one again.";
    an_example_killed_after_the_end, BOTH, "A worker that is killed after Kapacitor has ended the input is replaced: nothing is lost.";
    kapacitors_snapshot_after_kills, BOTH, "A snapshot after kills, restored in a UDF without a front, goes on as if there had been no kill.";
}

/// Sends pieces, reads the answers to each, and kills the worker after each. The output must be
/// that of a run without a front.
fn is_killed_between(udf: &Udf, alone: &Udf, pieces: &[(Vec<u8>, usize)], on: Transport) {
    let flags = [&RESTARTS[..], &["--checkpoint-bytes", "3000"]].concat();
    let mut front = Front::start(udf, on, &flags);
    let mut requests = [info(), frame(init_of(alone))].concat();
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(2);
    let mut worker = 0;
    for (piece, answers) in pieces {
        worker = front.worker_but(worker);
        front.kapacitor.send(piece);
        found.extend(front.kapacitor.take(*answers));
        requests.extend(piece);
        kill(worker);
    }
    found.extend(front.finish());
    assert_same(&found, &direct(alone, &requests));
}

fn pieces_of_a_stream() -> Vec<(Vec<u8>, usize)> {
    (0..8).map(|piece| (points(50 * piece..50 * piece + 50), 50)).collect()
}

fn moving_avg_killed_between_points(on: Transport) {
    let udf = Udf::Example("moving_avg");
    is_killed_between(&udf, &udf, &pieces_of_a_stream(), on);
}

fn mirror_killed_between_points(on: Transport) {
    let udf = Udf::Example("mirror");
    is_killed_between(&udf, &udf, &pieces_of_a_stream(), on);
}

fn outliers_killed_between_batches(on: Transport) {
    let udf = Udf::Example("outliers");
    // Of 20 points, two are outliers.
    let whole = (0..3).map(|number| (batch(number), 4));
    let begun = [batch(3), begin(4, false), batch_points(4, 0..9)].concat();
    let rest = [batch_points(4, 9..20), end(4, false), begin(5, false)].concat();
    let last = [batch_points(5, 0..20), end(5, false)].concat();
    let pieces = whole.chain([(begun, 4), (rest, 4), (last, 4), (batch(6), 4)]);
    is_killed_between(&udf, &udf, &pieces.collect::<Vec<_>>(), on);
}

fn moving_avg_under_the_command(on: Transport) {
    let alone = Udf::Example("moving_avg");
    let path = udf_tests::program::example("moving_avg");
    let udf = program(path.to_str().expect("the path is text"), &[]);
    is_killed_between(&udf, &alone, &pieces_of_a_stream(), on);
}

fn an_example_killed_before_init(on: Transport) {
    for name in ["moving_avg", "mirror", "outliers"] {
        let udf = Udf::Example(name);
        let mut front = Front::start(&udf, on, &RESTARTS);
        // A front may start its worker at once, or for the first request.
        front.kapacitor.send(&info());
        kill(front.worker());
        let some = if name == "outliers" { batch(1) } else { points(0..10) };
        let requests = [frame(init_of(&udf)), some].concat();
        front.kapacitor.send(&requests);
        let found = front.finish();
        assert_same(&found, &direct(&udf, &[info(), requests].concat()));
    }
}

fn an_example_killed_in_restore(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &RESTARTS);
    let before = [frame(init_of(&udf)), points(0..3000)].concat();
    front.kapacitor.send(&before);
    let mut found = front.kapacitor.take(3001);
    front.kapacitor.send(&snapshot());
    assert!(matches!(front.kapacitor.answer(), Answer::Snapshot(_)));
    let mut worker = front.worker();
    for _ in 0..4 {
        let last = worker;
        kill(last);
        worker = front.worker_but(last);
        // It is killed during its start, in Init, in Restore, or within the replay.
    }
    front.kapacitor.send(&points(3000..3100));
    found.extend(front.finish());
    assert_same(&found, &direct(&udf, &[before, points(3000..3100)].concat()));
}

fn an_example_killed_within_a_response(on: Transport) {
    let udf = Udf::Example("mirror");
    let ends = Front::start(&udf, on, &RESTARTS);
    let Front { mut program, mut kapacitor, .. } = ends;
    kapacitor.send(&frame(init_of(&udf)));
    assert!(matches!(kapacitor.answer(), Answer::Init(_)));
    let big = |time| frame(Ask::Point(large(time, 300_000)));
    let requests = (0..40).flat_map(big).collect::<Vec<_>>();
    let pid = program.pid();
    // Frames are larger than a pipe: a worker that has been killed is within one, mostly.
    let input = kapacitor.take_input();
    let writer = std::thread::spawn(move || {
        let mut input = input;
        std::io::Write::write_all(&mut input, &requests).expect("the other side reads");
        (input, requests)
    });
    let mut found = Vec::new();
    for _ in 0..4 {
        found.extend(kapacitor.take(5));
        let worker = udf_tests::process::children(pid).pop();
        worker.into_iter().for_each(kill);
    }
    let (input, requests) = writer.join().expect("the writer does not fail");
    drop(input);
    found.extend(kapacitor.rest());
    let expected = direct(&udf, &[frame(init_of(&udf)), requests].concat());
    assert_same(&found, &expected[1..]);
    if on == Transport::Socket {
        program.signal("TERM");
    }
    assert!(program.wait().success());
}

fn an_example_killed_within_a_request(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &RESTARTS);
    let mut requests = frame(init_of(&udf));
    front.kapacitor.send(&requests);
    let mut found = front.kapacitor.take(1);
    let worker = front.worker();
    send(worker, rustix::process::Signal::STOP);
    wait_until("the worker has stopped", || state(worker) == Some('T'));
    let more = [frame(Ask::Point(large(0, 300_000))), points(1..10)].concat();
    front.kapacitor.send(&more);
    requests.extend(more);
    // The front has read everything, and written what the pipe holds.
    wait_until("the input of the worker is full", || waiting_input(worker) >= 32 << 10);
    kill(worker);
    found.extend(front.finish());
    assert_same(&found, &direct(&udf, &requests));
}

/// Returns the number of bytes that wait in the input of a process. A UDF of this kit has moved it
/// from stdin to another descriptor.
pub(crate) fn waiting_input(pid: u32) -> u64 {
    // If the process has ended, the caller will notice.
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let pipes = entries.filter(|entry| {
        let path = format!("/proc/{pid}/fdinfo/{}", entry.file_name().display());
        let info = fs::read_to_string(path).unwrap_or_default();
        let is_read = info.lines().any(|line| line.starts_with("flags:") && line.ends_with('0'));
        let link = fs::read_link(entry.path()).unwrap_or_default();
        is_read && link.to_string_lossy().starts_with("pipe:")
    });
    let waiting = pipes.filter_map(|entry| {
        let pipe = File::open(entry.path()).ok()?;
        rustix::io::ioctl_fionread(&pipe).ok()
    });
    waiting.max().unwrap_or_default()
}

fn an_example_killed_after_the_end(on: Transport) {
    let udf = Udf::Example("outliers");
    let requests = [frame(init_of(&udf)), batch(1), batch(2)].concat();
    let mut front = Front::start(&udf, on, &RESTARTS);
    front.kapacitor.send(&requests[..frame(init_of(&udf)).len()]);
    let mut found = front.kapacitor.take(1);
    let worker = front.worker();
    send(worker, rustix::process::Signal::STOP);
    wait_until("the worker has stopped", || state(worker) == Some('T'));
    front.kapacitor.send(&requests[frame(init_of(&udf)).len()..]);
    front.kapacitor.end_input();
    wait_until("the worker has input", || waiting_input(worker) > 0);
    kill(worker);
    found.extend(front.kapacitor.rest());
    assert_same(&found, &direct(&udf, &requests));
    front.ends(0);
}

fn kapacitors_snapshot_after_kills(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &RESTARTS);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..100)].concat());
    front.kapacitor.take(101);
    kill(front.worker());
    front.kapacitor.send(&points(100..200));
    front.kapacitor.take(100);
    front.kapacitor.send(&snapshot());
    kill(front.worker());
    let Answer::Snapshot(taken) = decode(&front.kapacitor.next()) else { panic!("no snapshot") };
    assert!(!front.kapacitor.has_answer_within(Duration::ZERO));
    front.finish();
    let restore = udf_proto::messages::RestoreRequest { snapshot: taken.snapshot };
    let restored = [frame(init_of(&udf)), frame(Ask::Restore(restore)), points(200..300)].concat();
    let found = direct(&udf, &restored);
    let whole = direct(&udf, &[frame(init_of(&udf)), points(0..300)].concat());
    assert_same(&found[2..], &whole[201..]);
}
