//! Workers that handle points at the same time, and threads of a task.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use udf_proto::messages::response::Message as Answer;

use super::Check;
use super::Tries::Preemptions;
use super::wire::Wire;
use crate::agent::agent_error::AgentError;
use crate::agent::crew::{Crew, Done};
use crate::agent::edge::Stream;
use crate::agent::link::Link;
use crate::agent::sync::{Mutex, lock, thread, time_out};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "output_of_workers_keeps_the_order",
        promise: "Output of workers is written once, in the order of the points, and before the pool is settled.",
        tries: Preemptions(1),
        threads: output_of_workers_keeps_the_order,
    },
    Check {
        name: "workers_hold_back_a_large_point",
        promise: "A point waits until earlier points leave room for it, and is then handled.",
        tries: Preemptions(3),
        threads: workers_hold_back_a_large_point,
    },
    Check {
        name: "a_point_that_fails_is_the_last",
        promise: "A point that fails is reported once, after the output of earlier points and without that of later ones.",
        tries: Preemptions(2),
        threads: a_point_that_fails_is_the_last,
    },
    Check {
        name: "a_wire_that_breaks_ends_the_workers",
        promise: "If the peer disconnects, nobody waits for workers any more, and the error is reported.",
        tries: Preemptions(2),
        threads: a_wire_that_breaks_ends_the_workers,
    },
    Check {
        name: "a_busy_pool_can_be_dismissed",
        promise: "Workers that are busy, wait, or have not begun return when they are dismissed, and handle no later point.",
        tries: Preemptions(2),
        threads: a_busy_pool_can_be_dismissed,
    },
    Check {
        name: "an_alarm_is_seen_by_an_agent_that_waits_or_works",
        promise: "The error of a thread reaches its agent, which waits for input or is at work, exactly once.",
        tries: Preemptions(3),
        threads: an_alarm_is_seen_by_an_agent_that_waits_or_works,
    },
    Check {
        name: "the_end_waits_for_threads",
        promise: "A thread of a task begins only after the Init, sees its end, and has returned after the join.",
        tries: Preemptions(3),
        threads: the_end_waits_for_threads,
    },
    Check {
        name: "a_refused_init_ends_its_threads",
        promise: "A thread of a refused Init returns without having begun.",
        tries: Preemptions(4),
        threads: a_refused_init_ends_its_threads,
    },
];

fn crew(wire: &Wire, workers: usize) -> Arc<Crew> {
    let crew = Crew::new(&Arc::new(Link::new(Box::new(wire.writer()))));
    crew.hire(workers).expect("the number is in range");
    crew
}

/// Hands in a point of `bytes`, which emits its number, or fails.
fn submit(crew: &Crew, number: i64, bytes: usize, handled: &Arc<AtomicUsize>, fails: bool) {
    let (link, handled) = (Arc::clone(crew.link()), Arc::clone(handled));
    let job = move || {
        Done::by::<Stream>(&link, number, |out| {
            handled.fetch_add(1, Ordering::SeqCst);
            out.build("p").field("v", true).send()?;
            if fails { Err("it fails".into()) } else { Ok(()) }
        })
    };
    crew.submit(bytes, || Box::new(job)).expect("a thread starts");
}

/// Returns the times of the points that were written.
fn times(wire: &Wire) -> Vec<i64> {
    let (messages, whole) = wire.messages();
    assert!(whole, "a frame is incomplete");
    let time = |message| match message {
        Answer::Point(point) => point.time,
        other => panic!("the workers sent {other:?} among the points"),
    };
    messages.into_iter().map(time).collect()
}

fn output_of_workers_keeps_the_order() {
    let (wire, handled) = (Wire::new(), Arc::default());
    let crew = crew(&wire, 2);
    (1..=3).for_each(|number| submit(&crew, number, 1, &handled, false));
    crew.settle();
    assert_eq!(times(&wire), [1, 2, 3]);
    assert_eq!(crew.link().pulse.present(), None, "the watchdog sees work that has ended");
    crew.dismiss();
    assert_eq!(handled.load(Ordering::SeqCst), 3);
    assert!(!crew.has_failed());
}

fn workers_hold_back_a_large_point() {
    let (wire, handled) = (Wire::new(), Arc::default());
    let crew = crew(&wire, 1);
    submit(&crew, 1, 1 << 20, &handled, false);
    submit(&crew, 2, 1 << 20, &handled, false);
    // The first point was handled, and takes only the room of its output.
    assert!(handled.load(Ordering::SeqCst) > 0, "both points are in the pool");
    crew.settle();
    assert_eq!(times(&wire), [1, 2]);
    crew.dismiss();
}

fn a_point_that_fails_is_the_last() {
    let (wire, handled) = (Wire::new(), Arc::default());
    let crew = crew(&wire, 2);
    let attended = Arc::new(AtomicUsize::new(0));
    crew.begin(Box::new({
        let attended = Arc::clone(&attended);
        move |_| {
            attended.fetch_add(1, Ordering::SeqCst);
            None
        }
    }));
    submit(&crew, 1, 1, &handled, false);
    submit(&crew, 2, 1, &handled, true);
    crew.settle();
    // The agent must see the error as soon as it sees the end of the pool.
    assert!(crew.has_failed());
    assert_eq!(attended.load(Ordering::SeqCst), 1);
    assert_eq!(times(&wire), [1, 2]);
    submit(&crew, 3, 1, &handled, false);
    crew.dismiss();
    assert_eq!(times(&wire), [1, 2]);
}

fn a_wire_that_breaks_ends_the_workers() {
    let (wire, handled) = (Wire::that_breaks(5), Arc::default());
    let crew = crew(&wire, 2);
    (1..=2).for_each(|number| submit(&crew, number, 1 << 20, &handled, false));
    crew.settle();
    assert!(matches!(crew.take_failure(), Some(AgentError::Emit(_))));
    assert!(crew.take_failure().is_none());
    crew.dismiss();
}

fn a_busy_pool_can_be_dismissed() {
    time_out(1);
    let (wire, handled) = (Wire::new(), Arc::default());
    let crew = crew(&wire, 2);
    (1..=2).for_each(|number| submit(&crew, number, 1, &handled, false));
    crew.dismiss();
    let (before, written) = (handled.load(Ordering::SeqCst), times(&wire));
    assert!([&[][..], &[1], &[1, 2]].contains(&&written[..]), "{written:?}");
    submit(&crew, 3, 1, &handled, false);
    crew.settle();
    assert_eq!((handled.load(Ordering::SeqCst), times(&wire)), (before, written));
}

fn an_alarm_is_seen_by_an_agent_that_waits_or_works() {
    let wire = Wire::new();
    let crew = Crew::new(&Arc::new(Link::new(Box::new(wire.writer()))));
    crew.threads().spawn("fails", || Err("it fails".into())).expect("a thread starts");
    // The lock of an agent, and the error that was delivered while the agent did not hold it.
    let core = Arc::new(Mutex::new(None));
    let working = lock(&core);
    crew.begin(Box::new({
        let core = Arc::clone(&core);
        move |error| match core.try_lock() {
            Ok(mut core) => core.replace(error),
            Err(_) => Some(error),
        }
    }));
    drop(working);
    // The agent looks at the alarm before it waits, and waits only if there is none.
    let looks = crew.has_failed();
    crew.stop();
    crew.join(Duration::MAX).expect("it returns");
    let (delivered, left) = (lock(&core).take().is_some(), crew.take_failure().is_some());
    assert!(delivered != left, "an error is lost or told twice");
    assert!(looks || delivered, "an agent that waits does not get the error");
    crew.leave();
}

fn the_end_waits_for_threads() {
    let wire = Wire::new();
    let crew = Crew::new(&Arc::new(Link::new(Box::new(wire.writer()))));
    let (began, returned) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = {
        let (threads, began, returned) =
            (Arc::clone(crew.threads()), Arc::clone(&began), Arc::clone(&returned));
        move || {
            assert_eq!(began.load(Ordering::SeqCst), 1, "it begins before the Init is answered");
            while threads.wait(Duration::MAX) {}
            returned.store(1, Ordering::SeqCst);
            Ok(())
        }
    };
    crew.threads().spawn("waits", work).expect("a thread starts");
    began.store(1, Ordering::SeqCst);
    crew.begin(Box::new(Some));
    let stopper = thread::spawn({
        let crew = Arc::clone(&crew);
        move || crew.stop()
    });
    crew.join(Duration::MAX).expect("it returns");
    assert!(!crew.has_failed());
    stopper.join().expect("it does not panic");
}

fn a_refused_init_ends_its_threads() {
    let wire = Wire::new();
    let crew = Crew::new(&Arc::new(Link::new(Box::new(wire.writer()))));
    let begins = || panic!("a thread of a refused Init has begun");
    crew.threads().spawn("never", begins).expect("a thread starts");
    crew.stop();
    crew.join(Duration::MAX).expect("it returns");
    assert!(!crew.has_failed());
}
