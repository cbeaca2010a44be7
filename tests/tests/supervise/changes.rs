//! The program of a UDF changes while it runs: upgrades with SIGHUP, and other programs at a
//! restart.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::process::Signal;
use udf_proto::messages::request::Message as Ask;
use udf_tests::cases::BOTH;
use udf_tests::program::{Transport, example, frame};

use crate::cases;
use crate::front::{Front, Mark, Udf, has_python, is_gone, kill, plain, program, send, wait_until};
use crate::plan::{
    assert_same, batch, batch_points, begin, direct, end, info, init_of, large, points,
};

cases! {
    an_upgrade_under_load, BOTH, "Upgrades by SIGHUP while points arrive lose and double nothing: output and state are those of a run without.";
    an_upgrade_of_an_example_under_load, BOTH, "The same holds for a UDF of this kit that supervises itself.";
    an_upgrade_within_a_batch, BOTH, "The same holds for an upgrade while Kapacitor has sent a half of a batch.";
    an_upgrade_to_a_program_that_starts_slowly, BOTH, "While a new worker starts, in Info and in Init, the old one serves and checkpoints are taken: any amount of input passes.";
    an_upgrade_while_a_worker_starts, BOTH, "A request for an upgrade that comes while a worker starts is not forgotten: the worker may have loaded the old program.";
    an_upgrade_to_another_program, BOTH, "After an upgrade, a worker of the new program serves the task, with the state of the old one.";
    an_upgrade_to_a_program_that_fails, BOTH, "If the new program does not start, the old worker stays, and the log has the reason.";
    an_upgrade_to_a_program_without_an_option, BOTH, "If the new program lacks an option, the old worker stays, and the log has the reason.";
    an_upgrade_to_a_program_with_another_edge, BOTH, "If the new program wants batches and not points, the old worker stays, and the log has the reason.";
    an_upgrade_to_a_program_that_refuses_the_state, BOTH, "If the new program refuses the state, the old worker stays, and the log has the reason.";
    an_upgrade_while_idle, BOTH, "An upgrade of a connection without input, before and after Init, succeeds.";
    a_kill_during_an_upgrade, BOTH, "A worker that is killed during an upgrade costs nothing.";
    a_program_that_is_replaced, BOTH, "If the file of the program is replaced, a worker that dies is replaced by one of the new file, with its state.";
    a_program_that_is_removed, BOTH, "If the file of the program is gone when a worker dies, the start is tried again, as often as `--restarts` allows. Then the task stops with an error that names the file.";
    options_that_are_added, BOTH, "If the new program has more options at a restart, the task goes on.";
    options_that_are_removed, BOTH, "If the new program lacks an option at a restart, the task stops with an error that says so.";
    an_edge_that_changes, BOTH, "If the new program wants batches and not points, the task stops with an error that says so.";
}

fn init() -> Vec<u8> {
    frame(init_of(&plain(&[])))
}

/// Upgrades a UDF several times while points arrive.
fn is_upgraded_under_load(udf: &Udf, alone: &Udf, on: Transport) {
    let mut front = Front::start(udf, on, &[]);
    front.kapacitor.send(&frame(init_of(alone)));
    let mut found = front.kapacitor.take(1);
    let mut input = front.kapacitor.take_input();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        let mut all = Vec::new();
        for time in 0.. {
            let some = points(50 * time..50 * time + 50);
            std::io::Write::write_all(&mut input, &some).expect("the front reads");
            all.extend(some);
            if stopped.try_recv().is_ok() {
                break;
            }
        }
        all
    });
    let mut worker = front.worker();
    for _ in 0..4 {
        front.program.signal("HUP");
        wait_until("the old worker is gone", || is_gone(worker));
        worker = front.worker_but(worker);
        found.extend(front.kapacitor.take(20));
    }
    stop.send(()).expect("the writer lives");
    let requests = writer.join().expect("the writer does not fail");
    found.extend(front.kapacitor.rest());
    let log = front.ends(0).join("\n");
    assert!(!log.contains("died"), "{log}");
    assert_same(&found, &direct(alone, &[frame(init_of(alone)), requests].concat()));
}

fn an_upgrade_under_load(on: Transport) {
    if has_python() {
        is_upgraded_under_load(&plain(&[]), &plain(&[]), on);
    }
}

fn an_upgrade_of_an_example_under_load(on: Transport) {
    for name in ["moving_avg", "mirror"] {
        is_upgraded_under_load(&Udf::Example(name), &Udf::Example(name), on);
    }
}

fn an_upgrade_within_a_batch(on: Transport) {
    let mut udfs = vec![Udf::Example("outliers")];
    if has_python() {
        udfs.push(plain(&["--batch"]));
    }
    for udf in udfs {
        let before = [init(), batch(1), begin(2, false), batch_points(2, 0..10)].concat();
        let after = [batch_points(2, 10..20), end(2, false), batch(3)].concat();
        let mut front = Front::start(&udf, on, &[]);
        front.kapacitor.send(&before);
        let mut found = front.kapacitor.take(5);
        let worker = front.worker();
        front.program.signal("HUP");
        front.kapacitor.send(&after);
        wait_until("the old worker is gone", || is_gone(worker));
        found.extend(front.finish());
        assert_same(&found, &direct(&udf, &[before, after].concat()));
    }
}

fn an_upgrade_to_a_program_that_starts_slowly(on: Transport) {
    if !has_python() {
        return;
    }
    for stage in ["info", "init"] {
        let script = Script::of(&[]);
        let flags = ["--memory-limit", "2000000", "--checkpoint-bytes", "500000"];
        let (mut front, mut found) = script.start(on, &flags);
        let old = front.worker();
        script.replace(&Script::line(&["--at", stage]));
        front.program.signal("HUP");
        let new = front.stopped_worker();
        let mut requests = [init(), points(0..10)].concat();
        for time in 10..100 {
            // All in all more than the limit.
            let some = frame(Ask::Point(large(time, 100_000)));
            front.kapacitor.send(&some);
            found.extend(front.kapacitor.take(1));
            requests.extend(some);
        }
        assert!(!is_gone(old) && !is_gone(new));
        send(new, Signal::CONT);
        wait_until("the old worker is gone", || is_gone(old));
        front.kapacitor.send(&points(100..120));
        requests.extend(points(100..120));
        found.extend(front.finish());
        assert_same(&found, &direct(&plain(&[]), &requests));
    }
}

/// A program that tests replace: a shell script that runs another one.
struct Script {
    mark: Mark,
    path: PathBuf,
}

impl Script {
    fn new(line: &str) -> Self {
        let mark = Mark::new();
        let path = PathBuf::from(mark.file("udf"));
        let script = Script { mark, path };
        script.replace(line);
        script
    }

    fn of(args: &[&str]) -> Self {
        Script::new(&Script::line(args))
    }

    /// Returns the line that runs the UDF in Python with these arguments.
    fn line(args: &[&str]) -> String {
        let Udf::Program(command) = plain(args) else { panic!("a program") };
        format!("exec {}", command.join(" "))
    }

    /// Replaces the file, as a package manager does.
    fn replace(&self, line: &str) {
        let new = self.mark.file("new");
        fs::write(&new, format!("#!/bin/sh\n{line}\n")).expect("the file is writable");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&new, mode).expect("the file is there");
        fs::rename(new, &self.path).expect("the file can be renamed");
    }

    fn udf(&self) -> Udf {
        program(self.path.to_str().expect("the path is text"), &[])
    }

    /// Starts a front whose worker has answered ten points.
    fn start(&self, on: Transport, flags: &[&str]) -> (Front, Vec<Vec<u8>>) {
        let mut front = Front::start(&self.udf(), on, flags);
        front.kapacitor.send(&[init(), points(0..10)].concat());
        let found = front.kapacitor.take(11);
        (front, found)
    }
}

/// The output must be that of a run without anything between the first ten points and the others.
fn goes_on(mut front: Front, mut found: Vec<Vec<u8>>) {
    front.kapacitor.send(&points(10..30));
    found.extend(front.finish());
    assert_same(&found, &direct(&plain(&[]), &[init(), points(0..30)].concat()));
}

fn an_upgrade_to_another_program(on: Transport) {
    if !has_python() {
        return;
    }
    let script = Script::of(&[]);
    let (front, found) = script.start(on, &[]);
    let worker = front.worker();
    script.replace(&Script::line(&["--dir", "the-new-one"]));
    front.program.signal("HUP");
    wait_until("the old worker is gone", || is_gone(worker));
    let new = front.worker_but(worker);
    let line = fs::read(format!("/proc/{new}/cmdline")).expect("the new worker lives");
    assert!(String::from_utf8_lossy(&line).contains("the-new-one"));
    goes_on(front, found);
}

fn an_upgrade_while_a_worker_starts(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let script = Script::of(&["--at", "start", "--times", "1", "--dir", mark.path()]);
    let mut front = Front::start(&script.udf(), on, &[]);
    front.kapacitor.send(&[init(), points(0..10)].concat());
    let worker = front.stopped_worker();
    script.replace(&Script::line(&["--dir", "the-new-one"]));
    front.program.signal("HUP");
    send(worker, Signal::CONT);
    let found = front.kapacitor.take(11);
    wait_until("the old worker is gone", || is_gone(worker));
    let new = front.worker_but(worker);
    let line = fs::read(format!("/proc/{new}/cmdline")).expect("the new worker lives");
    assert!(String::from_utf8_lossy(&line).contains("the-new-one"));
    goes_on(front, found);
}

/// Upgrades to a program that cannot take over. The old worker must stay.
fn stays(line: &str, on: Transport, with: &str) {
    if !has_python() {
        return;
    }
    let script = Script::of(&[]);
    let (front, found) = script.start(on, &[]);
    let worker = front.worker();
    script.replace(line);
    front.program.signal("HUP");
    let said = front.program.wait_for_log(with);
    assert!(said.contains("ERROR"), "{said}");
    // The task goes on.
    assert!(!said.contains("disable"), "{said}");
    assert_eq!(front.worker(), worker);
    goes_on(front, found);
}

fn an_upgrade_to_a_program_that_fails(on: Transport) {
    stays("echo broken >&2; exit 4", on, "exit status: 4");
    stays("echo this is not a message", on, "upgrade");
}

/// Returns the line of a UDF with these options.
fn with_options(directory: &Mark, options: &str) -> String {
    let file = directory.file("options");
    fs::write(&file, options).expect("the file is writable");
    Script::line(&["--options", &file])
}

fn an_upgrade_to_a_program_without_an_option(on: Transport) {
    let directory = Mark::new();
    stays(&with_options(&directory, "other"), on, "`field`");
}

fn an_upgrade_to_a_program_with_another_edge(on: Transport) {
    stays(&Script::line(&["--batch"]), on, "it reads a BATCH");
}

fn an_upgrade_to_a_program_that_refuses_the_state(on: Transport) {
    stays(&Script::line(&["--at", "restore", "--do", "refuse"]), on, "this state is too old");
}

fn an_upgrade_while_idle(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&[]);
    let mut front = Front::start(&udf, on, &[]);
    let first = front.worker();
    front.kapacitor.send(&info());
    let mut found = front.kapacitor.take(1);
    // Before Init, an upgrade waits for it.
    front.program.signal("HUP");
    front.kapacitor.send(&init());
    found.extend(front.kapacitor.take(1));
    wait_until("the old worker is gone", || is_gone(first));
    let second = front.worker_but(first);
    front.program.signal("HUP");
    wait_until("the old worker is gone", || is_gone(second));
    front.kapacitor.send(&points(0..10));
    found.extend(front.kapacitor.take(10));
    let third = front.worker_but(second);
    front.program.signal("HUP");
    wait_until("the old worker is gone", || is_gone(third));
    found.extend(front.finish());
    assert_same(&found, &direct(&udf, &[info(), init(), points(0..10)].concat()));
}

fn a_kill_during_an_upgrade(on: Transport) {
    if !has_python() {
        return;
    }
    for stage in ["start", "init", "restore"] {
        let script = Script::of(&[]);
        let (front, found) = script.start(on, &[]);
        let worker = front.worker();
        let args = ["--at", stage, "--times", "1", "--dir", script.mark.path()];
        script.replace(&Script::line(&args));
        front.program.signal("HUP");
        let new = front.stopped_worker();
        // The old worker dies while the new one has not taken over.
        kill(worker);
        kill(new);
        goes_on(front, found);
    }
}

fn a_program_that_is_replaced(on: Transport) {
    if has_python() {
        let script = Script::of(&[]);
        let (front, found) = script.start(on, &[]);
        script.replace(&Script::line(&["--dir", "the-new-one"]));
        let worker = front.worker();
        kill(worker);
        let new = front.worker_but(worker);
        wait_until("the new file runs", || {
            let line = fs::read(format!("/proc/{new}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("the-new-one")
        });
        goes_on(front, found);
    }
    let directory = Mark::new();
    let path = PathBuf::from(directory.file("moving_avg"));
    install("moving_avg", &path, &directory);
    let (udf, alone) = (Udf::At(path.clone()), Udf::Example("moving_avg"));
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&[frame(init_of(&alone)), points(0..10)].concat());
    let mut found = front.kapacitor.take(11);
    install("moving_avg", &path, &directory);
    kill(front.worker());
    front.kapacitor.send(&points(10..20));
    found.extend(front.finish());
    assert_same(&found, &direct(&alone, &[frame(init_of(&alone)), points(0..20)].concat()));
}

/// Copies an example to a path, as a package manager does: the old file is removed.
fn install(name: &str, path: &Path, directory: &Mark) {
    let new = directory.file("new");
    fs::copy(example(name), &new).expect("the example can be copied");
    fs::rename(new, path).expect("the file can be renamed");
}

/// Changes the program and kills the worker. The connection must end with an error that contains
/// `with`.
fn stops(change: impl FnOnce(&Script), on: Transport, with: &str) {
    if !has_python() {
        return;
    }
    let script = Script::of(&[]);
    let (front, _) = script.start(on, &["--restarts", "1"]);
    change(&script);
    kill(front.worker());
    let (rest, error) = front.kapacitor.rest_and_error();
    assert_eq!(rest.len(), 0);
    assert!(error.contains(with), "`{with}` is not in `{error}`");
    front.ends(1);
}

fn a_program_that_is_removed(on: Transport) {
    let with = "/udf: No such file";
    stops(|script| fs::remove_file(&script.path).expect("it is there"), on, with);
}

fn options_that_are_added(on: Transport) {
    if !has_python() {
        return;
    }
    let script = Script::of(&[]);
    let (front, found) = script.start(on, &[]);
    script.replace(&with_options(&script.mark, "another field"));
    kill(front.worker());
    goes_on(front, found);
}

fn options_that_are_removed(on: Transport) {
    stops(|script| script.replace(&with_options(&script.mark, "other")), on, "field");
}

fn an_edge_that_changes(on: Transport) {
    stops(|script| script.replace(&Script::line(&["--batch"])), on, "BATCH");
}
