//! The limits of a front: its memory, and the lines of its log.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::iter;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::cases::BOTH;
use udf_tests::ends::Ends;
use udf_tests::process::{children, descriptors, peak_memory, state};
use udf_tests::program::{Program, Transport, frame};

use crate::cases;
use crate::front::{Front, Mark, Udf, has_python, kill, launch, plain, send, wait_until};
use crate::kapacitor::{Kapacitor, decode};
use crate::plan::{assert_same, direct, init_of, large, points, trouble};

cases! {
    a_kapacitor_that_does_not_read, BOTH, "When Kapacitor does not read, the front stops reading, so its memory is bounded. When Kapacitor reads again, nothing is missing.";
    a_kapacitor_that_reads_late, BOTH, "A Kapacitor that has not read for longer than `--hangup-timeout` before it ends its input gets all output.";
    a_worker_that_does_not_read, BOTH, "When the worker does not read, the front stops reading at its limit. When the worker reads again, nothing is missing.";
    a_worker_that_does_not_read_and_is_killed, BOTH, "A worker that is killed at this limit is replaced, and nothing is missing.";
    a_checkpoint_that_is_not_answered, BOTH, "Memory is bounded while the worker does not answer a checkpoint.";
    output_without_end_for_one_point, BOTH, "Memory is bounded for any number of outputs of one point.";
    a_point_over_the_limit, BOTH, "A point that is larger than the limit of kept input is passed on.";
    a_line_of_200_kib_on_stderr, BOTH, "A long line on the stderr of a worker is cut, so that Kapacitor reads on; the next line is whole.";
    the_descriptors_of_a_worker, BOTH, "A worker has its stdin, its stdout and its stderr, and no other descriptor of the front.";
    descriptors_after_many_kills, BOTH, "After many kills, the front has as many descriptors as before.";
}

/// Small limits, so that tests reach them soon.
const SMALL: [&str; 4] = ["--memory-limit", "4194304", "--checkpoint-bytes", "1048576"];

/// The maximum input that a front with these limits reads: its own, and those of the buffers. A
/// worker reads ahead while its output is stuck, and busy connections have large pipes.
const READ: u64 = 32 << 20;

/// The maximum memory of a front with these limits.
const MEMORY: u64 = 48 << 20;

/// The time without reading. Long enough for a front that is able to continue.
const SILENCE: Duration = Duration::from_millis(500);

fn start(udf: &Udf, on: Transport, flags: &[&str]) -> (Program, Ends) {
    let mut program = launch(udf, on, flags);
    let ends = match on {
        Transport::Pipe => program.pipes(),
        Transport::Socket => program.ends(),
    };
    (program, ends)
}

fn large_points(count: i64) -> impl Iterator<Item = Vec<u8>> {
    (1..=count).map(|time| frame(Ask::Point(large(time, 1000))))
}

/// Writes until the front does not read, and then calls `act`. After that, all output must arrive.
fn is_bounded(udf: &Udf, alone: &Udf, first: Vec<u8>, on: Transport, act: impl FnOnce(&Program)) {
    let (program, mut ends) = start(udf, on, &SMALL);
    let mut sent = Vec::new();
    let mut pieces =
        iter::once(first).chain(large_points(40_000)).inspect(|piece| sent.extend(piece));
    let (written, rest) =
        ends.input.write_while_read(&mut pieces, SILENCE).expect("the front lives");
    drop(pieces);
    assert!(written < READ, "{written} bytes were read");
    let peak = peak_memory(program.pid());
    assert!(peak < MEMORY, "{peak} bytes of memory");
    act(&program);
    let mut kapacitor = Kapacitor::new(ends);
    kapacitor.send(&rest);
    kapacitor.end_input();
    assert_same(&kapacitor.rest(), &direct(alone, &sent));
    if on == Transport::Pipe {
        let mut program = program;
        assert!(program.wait().success());
    }
}

fn a_kapacitor_that_does_not_read(on: Transport) {
    for name in ["mirror", "moving_avg"] {
        let udf = Udf::Example(name);
        is_bounded(&udf, &udf, frame(init_of(&udf)), on, |_| {});
    }
}

/// Returns the Init, and a point at which the UDF in Python stops itself.
fn a_kapacitor_that_reads_late(on: Transport) {
    let udf = Udf::Example("mirror");
    let (program, mut ends) = start(&udf, on, &["--hangup-timeout", "5s"]);
    // More than the buffers of the output hold.
    let requests: Vec<_> = iter::once(frame(init_of(&udf))).chain(large_points(400)).collect();
    let mut pieces = requests.iter().cloned();
    let (_, rest) = ends.input.write_while_read(&mut pieces, SILENCE).expect("the front lives");
    assert!(rest.is_empty(), "the front reads all input");
    // The output is stuck for longer than the limit before the input ends.
    thread::sleep(Duration::from_millis(5500));
    let Ends { input, output } = ends;
    drop(input);
    // A part of the limit. The end of the input has then been noticed.
    thread::sleep(Duration::from_millis(500));
    assert_same(&Kapacitor::reading(output).rest(), &direct(&udf, &requests.concat()));
    drop(program);
}

fn init_and_trouble() -> Vec<u8> {
    [frame(init_of(&plain(&[]))), frame(Ask::Point(trouble(0)))].concat()
}

fn stopped(program: &Program) -> u32 {
    let mut worker = None;
    wait_until("the worker has stopped itself", || {
        worker = children(program.pid()).into_iter().find(|child| state(*child) == Some('T'));
        worker.is_some()
    });
    worker.expect("the worker has stopped itself")
}

fn a_worker_that_does_not_read(on: Transport) {
    if has_python() {
        let mark = Mark::new();
        let udf = plain(&["--at", "point", "--times", "1", "--dir", mark.path()]);
        is_bounded(&udf, &plain(&[]), init_and_trouble(), on, |program| {
            send(stopped(program), Signal::CONT);
        });
    }
}

fn a_worker_that_does_not_read_and_is_killed(on: Transport) {
    if has_python() {
        let mark = Mark::new();
        let udf = plain(&["--at", "point", "--times", "1", "--dir", mark.path()]);
        is_bounded(&udf, &plain(&[]), init_and_trouble(), on, |program| kill(stopped(program)));
    }
}

fn a_checkpoint_that_is_not_answered(on: Transport) {
    if has_python() {
        let mark = Mark::new();
        let udf = plain(&["--at", "snapshot", "--times", "1", "--dir", mark.path()]);
        let (program, ends) = start(&udf, on, &SMALL);
        let Ends { mut input, output } = ends;
        let mut kapacitor = Kapacitor::new(Ends { input: dummy(), output });
        let mut sent = frame(init_of(&plain(&[])));
        input.write_all(&sent).expect("the front reads");
        let accepted = kapacitor.next();
        let mut points = large_points(100_000);
        let is_stopped = |pid| children(pid).into_iter().any(|pid| state(pid) == Some('T'));
        while !is_stopped(program.pid()) {
            let some: Vec<_> = points.by_ref().take(50).flatten().collect();
            input.write_all(&some).expect("the front reads");
            sent.extend(some);
        }
        let mut pieces = points.inspect(|piece| sent.extend(piece));
        let (written, rest) =
            input.write_while_read(&mut pieces, SILENCE).expect("the front lives");
        drop(pieces);
        assert!(written < READ, "{written} bytes were read");
        assert!(peak_memory(program.pid()) < MEMORY);
        send(stopped(&program), Signal::CONT);
        input.write_all(&rest).expect("the front reads again");
        drop(input);
        kapacitor.end_input();
        let found = [vec![accepted], kapacitor.rest()].concat();
        assert_same(&found, &direct(&plain(&[]), &sent));
    }
}

/// Returns an input that nobody reads.
fn dummy() -> udf_tests::ends::Input {
    let (one, _) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    udf_tests::ends::Input::Socket(one)
}

fn output_without_end_for_one_point(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&["--at", "point", "--do", "flood", "--amount", "60000"]);
    let (program, mut ends) = start(&udf, on, &SMALL);
    ends.input.write_all(&init_and_trouble()).expect("the front reads");
    let mut more = (1..10_000).map(|time| points(time..time + 1));
    let (_, rest) = ends.input.write_while_read(&mut more, SILENCE).expect("the front lives");
    assert!(peak_memory(program.pid()) < MEMORY);
    let mut kapacitor = Kapacitor::new(ends);
    assert!(matches!(kapacitor.answer(), Answer::Init(_)));
    for time in 0..60_000 {
        assert!(matches!(kapacitor.answer(), Answer::Point(point) if point.time == time));
    }
    assert!(peak_memory(program.pid()) < MEMORY);
    kapacitor.send(&rest);
    kapacitor.end_input();
    kapacitor.rest();
}

fn a_point_over_the_limit(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &SMALL);
    let huge = |time| frame(Ask::Point(large(time, 6 << 20)));
    let init = frame(init_of(&udf));
    front.kapacitor.send(&init);
    let mut found = front.kapacitor.take(1);
    let more = [points(0..9), huge(9), points(10..20), huge(20), points(21..30)].concat();
    front.kapacitor.send(&more);
    found.extend(front.kapacitor.take(14));
    kill(front.worker());
    found.extend(front.finish());
    assert_same(&found, &direct(&udf, &[init, more].concat()));
}

fn a_line_of_200_kib_on_stderr(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let args = ["--at", "point", "--do", "log", "--amount", "204800", "--each"];
    let args = [&args[..], &["--times", "1", "--dir", mark.path()]].concat();
    let mut front = Front::start(&plain(&args), on, &[]);
    let odd = |time| frame(Ask::Point(trouble(time)));
    let requests = [frame(init_of(&plain(&[]))), odd(1), points(2..9)].concat();
    front.kapacitor.send(&requests);
    assert_same(&front.kapacitor.take(9), &direct(&plain(&[]), &requests)[..9]);
    front.kapacitor.end_input();
    front.kapacitor.rest();
    let log = front.ends(0);
    let longest = log.iter().map(String::len).max().unwrap_or_default();
    assert!(log.iter().any(|line| line.contains("xxxxxxxx")), "{log:#?}");
    assert!(longest < 64 << 10, "a line of {longest} bytes");
}

fn the_descriptors_of_a_worker(on: Transport) {
    let udf = Udf::Example("mirror");
    let front = Front::start(&udf, on, &[]);
    // A second connection, whose descriptors are not those of the first worker either.
    let other = (on == Transport::Socket).then(|| front.connect());
    check_descriptors(&udf, front);
    drop(other);
    if has_python() {
        let udf = plain(&[]);
        let front = Front::start(&udf, on, &[]);
        check_descriptors(&udf, front);
    }
}

fn check_descriptors(udf: &Udf, mut front: Front) {
    front.kapacitor.send(&frame(init_of(udf)));
    front.kapacitor.take(1);
    kill(front.worker());
    front.kapacitor.send(&points(0..1));
    front.kapacitor.take(1);
    let (worker, front_has) = (links(front.worker()), links(front.pid()));
    // The process that runs the tests may have descriptors that all of its children inherit.
    let inherited = links(std::process::id());
    let mut shared = worker.clone();
    shared.retain(|link| front_has.contains(link) && !inherited.contains(link));
    assert_eq!(shared.len(), 3, "{shared:?} of {worker:?} are also those of the front");
    front.finish();
}

/// Returns what the descriptors of a process stand for.
fn links(pid: u32) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives");
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let links = links.map(|link| link.display().to_string());
    links.filter(|link| link != "/dev/null").collect()
}

fn descriptors_after_many_kills(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &["--restart-window", "1ms"]);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..10)].concat());
    front.kapacitor.take(11);
    let before = descriptors(front.pid());
    let mut worker = 0;
    for time in 10..30 {
        worker = front.worker_but(worker);
        front.kapacitor.send(&points(time..time + 1));
        assert!(matches!(decode(&front.kapacitor.next()), Answer::Point(_)));
        kill(worker);
    }
    front.kapacitor.send(&points(30..31));
    front.kapacitor.take(1);
    wait_until("the descriptors of dead workers are closed", || descriptors(front.pid()) <= before);
    front.finish();
}
