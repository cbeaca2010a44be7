//! The end of a front: no process is left, and nobody waits.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::cases::{BOTH, PIPE, SOCKET};
use udf_tests::process::{children, state};
use udf_tests::program::{Program, Transport, frame};

use crate::cases;
use crate::front::{
    Front, Mark, Udf, command, has_python, is_gone, kill, launch, plain, send, wait_until,
};
use crate::plan::{init_of, large, points, trouble};

cases! {
    a_front_that_is_killed, BOTH, "When the front is killed, its worker ends at once, even if it is busy or stopped.";
    a_front_of_an_example_that_is_killed, BOTH, "The same holds for a UDF of this kit that supervises itself.";
    a_front_that_is_killed_and_a_child_of_its_worker, BOTH, "A process that the worker has started finds its stdin ended.";
    a_front_that_is_killed_while_a_worker_starts, BOTH, "The same holds for a worker that is just being started.";
    a_front_that_is_stopped_by_a_signal, BOTH, "A SIGTERM ends the connection as without a front, and the worker is gone.";
    a_front_that_is_stopped_while_its_worker_hangs, BOTH, "A SIGTERM ends the front within `--shutdown-timeout` even if the worker hangs; the worker is killed.";
    a_kapacitor_that_disconnects, SOCKET, "When Kapacitor disconnects, the worker is gone.";
    a_kapacitor_that_aborts, BOTH, "When Kapacitor ends the input and does not read, the front gives up after `--hangup-timeout`; the worker is gone.";
    a_kapacitor_that_aborts_while_a_worker_hangs, BOTH, "The same holds while the worker hangs: Kapacitor, which waits for the process, goes on.";
    an_interrupt_of_the_terminal, PIPE, "Ctrl-C reaches the front only, not the worker, so that the front ends in order.";
    a_neighbour_that_dies, SOCKET, "The death of a worker affects no other connection of the daemon.";
    a_connection_that_only_asks_for_info, BOTH, "A connection for Info alone, as Kapacitor opens it at its start, ends without an error and leaves no worker.";
}

fn start(mark: &Mark, on: Transport, action: &str) -> Front {
    let udf = plain(&["--at", "point", "--do", action, "--dir", mark.path()]);
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..3)].concat());
    front.kapacitor.take(4);
    front
}

fn a_front_that_is_killed(on: Transport) {
    if !has_python() {
        return;
    }
    for action in ["none", "hang", "stop"] {
        let mark = Mark::new();
        let mut front = start(&mark, on, action);
        let worker = front.worker();
        if action != "none" {
            front.kapacitor.ask(Ask::Point(trouble(3)));
        }
        if action == "stop" {
            front.stopped_worker();
        }
        kill(front.pid());
        wait_until("the worker ends", || is_gone(worker));
        mark.wait_until_nothing_is_left();
    }
}

fn a_front_of_an_example_that_is_killed(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..3)].concat());
    front.kapacitor.take(4);
    // The worker that was started later, by another thread of the front, ends as well.
    kill(front.worker());
    front.kapacitor.send(&points(3..6));
    front.kapacitor.take(3);
    let worker = front.worker();
    send(worker, Signal::STOP);
    wait_until("the worker has stopped", || state(worker) == Some('T'));
    kill(front.pid());
    wait_until("the worker ends", || is_gone(worker));
}

fn a_front_that_is_killed_and_a_child_of_its_worker(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let mut front = start(&mark, on, "child");
    front.kapacitor.ask(Ask::Point(trouble(3)));
    let worker = front.stopped_worker();
    assert_eq!(children(worker).len(), 1);
    kill(front.pid());
    mark.wait_until_nothing_is_left();
}

fn a_front_that_is_killed_while_a_worker_starts(on: Transport) {
    if !has_python() {
        return;
    }
    for stage in ["start", "info", "init"] {
        let mark = Mark::new();
        let udf = plain(&["--at", stage, "--do", "hang", "--dir", mark.path()]);
        let mut front = Front::start(&udf, on, &[]);
        front.kapacitor.send(&frame(init_of(&udf)));
        let worker = front.worker();
        kill(front.pid());
        wait_until("the worker ends", || is_gone(worker));
        mark.wait_until_nothing_is_left();
    }
}

fn a_front_that_is_stopped_by_a_signal(on: Transport) {
    for udf in [Udf::Example("moving_avg"), plain(&[])] {
        if matches!(udf, Udf::Program(_)) && !has_python() {
            return;
        }
        let mut front = Front::start(&udf, on, &[]);
        front.kapacitor.send(&[frame(init_of(&udf)), points(0..3)].concat());
        front.kapacitor.take(4);
        let worker = front.worker();
        front.program.signal("TERM");
        let (_, error) = front.kapacitor.rest_and_error();
        assert!(error.contains("the UDF was stopped (SIGTERM)"), "{error}");
        let log = front.program.rest_of_log();
        assert_eq!(front.program.wait().code(), Some(0), "{log:#?}");
        assert!(is_gone(worker));
    }
}

fn a_front_that_is_stopped_while_its_worker_hangs(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let udf = plain(&["--at", "point", "--do", "stop", "--dir", mark.path()]);
    let mut front = Front::start(&udf, on, &["--shutdown-timeout", "1s"]);
    let requests = [frame(init_of(&udf)), frame(Ask::Point(trouble(0))), points(1..9)].concat();
    front.kapacitor.send(&requests);
    front.stopped_worker();
    front.program.signal("TERM");
    front.program.wait();
    mark.wait_until_nothing_is_left();
}

fn a_kapacitor_that_disconnects(_: Transport) {
    let udf = Udf::Example("moving_avg");
    let program = launch(&udf, Transport::Socket, &[]);
    let mut ends = program.ends();
    let init = iter_of(&udf);
    ends.input
        .write_while_read(&mut init.into_iter(), Duration::from_millis(300))
        .expect("it reads");
    ends.output.wait_for(1);
    let pid = program.pid();
    wait_until("there is a worker", || !children(pid).is_empty());
    drop(ends);
    wait_until("the worker ends", || children(pid).is_empty());
}

/// Returns an Init and large points.
fn iter_of(udf: &Udf) -> Vec<Vec<u8>> {
    let points = (0..20_000).map(|time| frame(Ask::Point(large(time, 1000))));
    std::iter::once(frame(init_of(udf))).chain(points).collect()
}

fn a_kapacitor_that_aborts(on: Transport) {
    let udf = Udf::Example("mirror");
    let mut program = launch(&udf, on, &["--hangup-timeout", "1s"]);
    let mut ends = match on {
        Transport::Pipe => program.pipes(),
        Transport::Socket => program.ends(),
    };
    let mut pieces = iter_of(&udf).into_iter();
    ends.input.write_while_read(&mut pieces, Duration::from_millis(400)).expect("it lives");
    drop(ends.input);
    program.wait_for_log("Kapacitor closed the input");
    let pid = program.pid();
    match on {
        Transport::Pipe => assert_eq!(program.wait().code(), Some(1)),
        Transport::Socket => wait_until("the worker ends", || children(pid).is_empty()),
    }
    drop(ends.output);
}

fn a_kapacitor_that_aborts_while_a_worker_hangs(on: Transport) {
    if !has_python() {
        return;
    }
    let mark = Mark::new();
    let udf = plain(&["--at", "point", "--do", "stop", "--dir", mark.path()]);
    let flags = ["--hangup-timeout", "1s", "--busy-budget", "4s", "--restarts", "0"];
    let mut front = Front::start(&udf, on, &flags);
    front.kapacitor.send(&[frame(init_of(&udf)), frame(Ask::Point(trouble(0)))].concat());
    front.stopped_worker();
    front.kapacitor.end_input();
    let pid = front.pid();
    match on {
        Transport::Pipe => assert_eq!(front.program.wait().code(), Some(1)),
        Transport::Socket => wait_until("the worker ends", || children(pid).is_empty()),
    }
    if on == Transport::Pipe {
        mark.wait_until_nothing_is_left();
    }
}

fn an_interrupt_of_the_terminal(_: Transport) {
    // A terminal sends the signal to the whole process group of the front.
    let udf = Udf::Example("moving_avg");
    let mut front = command(&udf, None, &[]);
    std::os::unix::process::CommandExt::process_group(&mut front, 0);
    let mut program = Program::spawn(front.stdin(Stdio::piped()));
    let mut kapacitor = crate::kapacitor::Kapacitor::new(program.pipes());
    kapacitor.send(&[frame(init_of(&udf)), points(0..3)].concat());
    kapacitor.take(4);
    let group = format!("-{}", program.pid());
    let sent = Command::new("kill").args(["-INT", "--", &group]).status();
    assert!(sent.expect("kill runs").success());
    let (_, error) = kapacitor.rest_and_error();
    assert!(error.contains("SIGINT"), "{error}");
    let log = program.rest_of_log().join("\n");
    assert!(!log.contains("died"), "{log}");
    assert_eq!(program.wait().code(), Some(0));
}

fn a_neighbour_that_dies(_: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, Transport::Socket, &["--restarts", "0"]);
    front.kapacitor.send(&frame(init_of(&udf)));
    front.kapacitor.take(1);
    let worker = front.worker();
    let mut other = front.connect();
    other.send(&[frame(init_of(&udf)), points(0..9)].concat());
    other.take(10);
    kill(worker);
    let (_, error) = front.kapacitor.rest_and_error();
    assert!(error.contains("SIGKILL"), "{error}");
    other.send(&points(9..20));
    other.take(11);
    other.end_input();
    assert!(other.rest().is_empty());
    front.ends(1);
}

fn a_connection_that_only_asks_for_info(on: Transport) {
    let udf = Udf::Example("moving_avg");
    let mut front = Front::start(&udf, on, &[]);
    front.kapacitor.send(&crate::plan::info());
    assert!(matches!(front.kapacitor.answer(), Answer::Info(info) if info.options.len() == 3));
    front.kapacitor.end_input();
    assert!(front.kapacitor.rest().is_empty());
    let log = front.ends(0).join("\n");
    assert!(!log.contains("died") && !log.contains("ERROR"), "{log}");
}
