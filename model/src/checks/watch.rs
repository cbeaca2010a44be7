//! The watchdog, while connections open, close and call their handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Check;
use super::Tries::Preemptions;
use super::wire::{Seen, Wire};
use crate::agent::link::Link;
use crate::agent::pulse::Call;
use crate::agent::sync::{AtomicU64, Condvar, Mutex, lock, thread, time_out};
use crate::agent::transport::{Report, Transport};
use crate::watchdog::{Watch, WatchLimits, Watchdog};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_new_connection_wakes_the_watchdog",
        promise: "The watchdog sees a connection that opens while the watchdog falls asleep.",
        tries: Preemptions(5),
        threads: a_new_connection_wakes_the_watchdog,
    },
    Check {
        name: "a_connection_that_has_ended_is_left_alone",
        promise: "After a watch is dropped, the watchdog no longer looks at its connection.",
        tries: Preemptions(5),
        threads: a_connection_that_has_ended_is_left_alone,
    },
    Check {
        name: "only_work_that_lasts_is_shown",
        promise: "A keepalive is sent for work that two looks have seen, and never if there was a rest between.",
        tries: Preemptions(5),
        threads: only_work_that_lasts_is_shown,
    },
    Check {
        name: "a_call_that_lasts_is_shown",
        promise: "A long call causes keepalives from the second look on, regardless of earlier calls.",
        tries: Preemptions(5),
        threads: a_call_that_lasts_is_shown,
    },
    Check {
        name: "calls_that_follow_each_other_are_shown",
        promise: "Calls without a rest between them cause keepalives from the second look on.",
        tries: Preemptions(5),
        threads: calls_that_follow_each_other_are_shown,
    },
    Check {
        name: "input_that_keeps_coming_is_shown",
        promise: "Continuous input, and a wait within a batch, cause keepalives from the second look on. A wait \
                  between two messages does not.",
        tries: Preemptions(2),
        threads: input_that_keeps_coming_is_shown,
    },
    Check {
        name: "a_connection_that_was_left_is_given_up",
        promise: "A connection is abandoned once, if its input has ended and its output has not moved for the \
                  timeout, and not while its output moves or its input is open.",
        tries: Preemptions(1),
        threads: a_connection_that_was_left_is_given_up,
    },
    Check {
        name: "a_look_waits_for_all_connections_as_long_as_for_one",
        promise: "However many connections have more to be read ahead, a look waits no longer for it; each time, \
                  another connection comes first. One without an Init is not waited for.",
        tries: Preemptions(1),
        threads: a_look_waits_for_all_connections_as_long_as_for_one,
    },
];

/// Creates a watchdog. Each order has its own.
fn watchdog() -> &'static Watchdog {
    Box::leak(Box::new(Watchdog::default()))
}

/// Returns a link without a peer, and a transport that calls `room`.
fn link(room: impl Fn() -> bool + Send + 'static) -> (Arc<Link>, Box<dyn Transport>) {
    (Arc::new(Link::new(Box::new(std::io::sink()))), Box::new(Asked(room)))
}

struct Asked<F>(F);

impl<F: Fn() -> bool + Send> Transport for Asked<F> {
    fn has_room(&self) -> bool {
        self.0()
    }

    fn has_hung_up(&self) -> bool {
        false
    }

    fn give_up(&self, _: Report) {}
}

/// Returns a wire, its link, and a watch over the link.
fn watched(watchdog: &'static Watchdog) -> (Wire, Arc<Link>, Watch) {
    let wire = Wire::new();
    let link = Arc::new(Link::new(Box::new(wire.writer())));
    let watch = watchdog.watch(Arc::clone(&link), Box::new(Seen(wire.clone())), FOR_EVER);
    (wire, link, watch)
}

const FOR_EVER: WatchLimits =
    WatchLimits { busy: None, hangup: None, stop: Duration::ZERO, reads_batches: false };

fn a_new_connection_wakes_the_watchdog() {
    let watchdog = watchdog();
    // `look` blocks until a connection is watched.
    let looking = thread::spawn(|| watchdog.look());
    let (link, transport) = link(|| true);
    let watch = watchdog.watch(link, transport, FOR_EVER);
    looking.join().expect("the thread does not panic");
    drop(watch);
}

fn a_connection_that_has_ended_is_left_alone() {
    let watchdog = watchdog();
    let ended = Arc::new(AtomicU64::new(0));
    let (busy, transport) = link({
        let ended = Arc::clone(&ended);
        move || {
            assert_eq!(
                ended.load(Ordering::SeqCst),
                0,
                "the watchdog looks at an ended connection"
            );
            true
        }
    });
    busy.pulse.call(Call::Point);
    // A second connection keeps the watchdog awake.
    let (idle, silence) = link(|| true);
    let other = watchdog.watch(idle, silence, FOR_EVER);
    let watch = watchdog.watch(busy, transport, FOR_EVER);
    let looking = thread::spawn(|| {
        for _ in 0..3 {
            watchdog.look();
        }
    });
    drop(watch);
    ended.store(1, Ordering::SeqCst);
    looking.join().expect("the thread does not panic");
    drop(other);
}

fn only_work_that_lasts_is_shown() {
    let watchdog = watchdog();
    let shown = Arc::new(AtomicUsize::new(0));
    let (link, transport) = link({
        let shown = Arc::clone(&shown);
        move || shown.fetch_add(1, Ordering::Relaxed) == usize::MAX
    });
    let watch = watchdog.watch(Arc::clone(&link), transport, FOR_EVER);
    let handle = |calls: fn(&Link)| {
        let link = Arc::clone(&link);
        thread::spawn(move || calls(&link))
    };
    let first = handle(|link| link.pulse.call(Call::Point));
    watchdog.look();
    first.join().expect("the thread does not panic");
    link.pulse.rest();
    link.pulse.call(Call::Point);
    // The first look has seen no call or the first call. The second look sees the second or the
    // third call.
    let third = handle(|link| {
        link.pulse.rest();
        link.pulse.call(Call::Point);
    });
    watchdog.look();
    third.join().expect("the thread does not panic");
    assert_eq!(shown.load(Ordering::Relaxed), 0, "a rest counts as work");
    drop(watch);
}

fn calls_that_follow_each_other_are_shown() {
    let watchdog = watchdog();
    let (wire, link, watch) = watched(watchdog);
    link.pulse.call(Call::Point);
    watchdog.look();
    let calls = thread::spawn({
        let link = Arc::clone(&link);
        move || {
            link.pulse.call(Call::Point);
            link.pulse.call(Call::EndBatch);
        }
    });
    watchdog.look();
    let (signs, whole) = wire.messages();
    assert!(whole && signs.len() == 1 && link.take_flush_request(), "{signs:?}");
    calls.join().expect("the thread does not panic");
    drop(watch);
}

fn a_call_that_lasts_is_shown() {
    let watchdog = watchdog();
    let (wire, link, watch) = watched(watchdog);
    let looking = thread::spawn(|| watchdog.look());
    link.pulse.call(Call::Init);
    link.pulse.rest();
    link.pulse.call(Call::Point);
    looking.join().expect("the thread does not panic");
    watchdog.look();
    let before = wire.messages().0.len();
    watchdog.look();
    let (signs, whole) = wire.messages();
    assert!(whole && signs.len() == before + 1, "{signs:?}");
    drop(watch);
}

fn input_that_keeps_coming_is_shown() {
    let watchdog = watchdog();
    let (wire, link, watch) = watched(watchdog);
    let reading = thread::spawn({
        let link = Arc::clone(&link);
        move || {
            link.pulse.take_input();
            link.pulse.wait_for_input(true);
        }
    });
    watchdog.look();
    watchdog.look();
    reading.join().expect("the thread does not panic");
    watchdog.look();
    let before = wire.messages().0.len();
    watchdog.look();
    assert_eq!(wire.messages().0.len(), before + 1, "a wait within a batch sends no keepalive");
    link.pulse.take_input();
    link.pulse.wait_for_input(false);
    // This look still sees the input.
    watchdog.look();
    let before = wire.messages().0.len();
    watchdog.look();
    assert_eq!(wire.messages().0.len(), before, "a wait between messages sends a keepalive");
    drop(watch);
}

/// A transport with an input that may have ended, and with a number of unread bytes.
struct Left {
    has_hung_up: bool,
    unread: Arc<AtomicU64>,
    given_up: Arc<AtomicUsize>,
}

impl Transport for Left {
    fn has_room(&self) -> bool {
        true
    }

    fn has_hung_up(&self) -> bool {
        self.has_hung_up
    }

    fn unread(&self) -> u64 {
        self.unread.load(Ordering::SeqCst)
    }

    fn give_up(&self, _: Report) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }
}

fn a_connection_that_was_left_is_given_up() {
    let limits = WatchLimits { hangup: Some(Duration::from_secs(3)), ..FOR_EVER };
    for (has_hung_up, moves, expected) in [(true, false, 1), (true, true, 0), (false, false, 0)] {
        time_out(4);
        let watchdog = watchdog();
        let (given_up, unread) = (Arc::default(), Arc::new(AtomicU64::new(100)));
        let left =
            Left { has_hung_up, unread: Arc::clone(&unread), given_up: Arc::clone(&given_up) };
        let link = Arc::new(Link::new(Box::new(std::io::sink())));
        let watch = watchdog.watch(Arc::clone(&link), Box::new(left), limits);
        link.write(&[0; 100]).expect("the descriptor is open");
        for _ in 0..4 {
            let reading = thread::spawn({
                let unread = Arc::clone(&unread);
                move || unread.fetch_sub(u64::from(moves), Ordering::SeqCst)
            });
            watchdog.look();
            reading.join().expect("the thread does not panic");
            pass(Duration::from_secs(1));
        }
        watchdog.look();
        assert_eq!(given_up.load(Ordering::Relaxed), expected, "{has_hung_up}, {moves}");
        drop(watch);
    }
}

/// A transport whose peer does not read. Its `read_ahead` uses all of the given time.
struct Trickle(Arc<Mutex<Vec<(usize, Duration)>>>, usize);

impl Transport for Trickle {
    fn has_room(&self) -> bool {
        false
    }

    fn has_hung_up(&self) -> bool {
        false
    }

    fn unread(&self) -> u64 {
        1
    }

    fn make_way(&self, left: &mut Duration) {
        lock(&self.0).push((self.1, std::mem::take(left)));
    }

    fn give_up(&self, _: Report) {}
}

fn a_look_waits_for_all_connections_as_long_as_for_one() {
    time_out(1);
    let watchdog = watchdog();
    let waits = Arc::default();
    let limits =
        WatchLimits { hangup: Some(Duration::from_secs(3)), reads_batches: true, ..FOR_EVER };
    let watches: Vec<_> = (0..5)
        .map(|number| {
            let link = Arc::new(Link::new(Box::new(std::io::sink())));
            if number > 0 {
                link.pulse.name_task("task", "node");
            }
            watchdog.watch(link, Box::new(Trickle(Arc::clone(&waits), number)), limits)
        })
        .collect();
    // One look sees that the bytes stand still. A later look sees that they have stood still for a
    // while.
    let looking = thread::spawn(|| watchdog.look());
    watchdog.look();
    looking.join().expect("it does not panic");
    pass(Duration::from_secs(2));
    let mut first = Vec::new();
    for _ in 0..5 {
        watchdog.look();
        let waits = std::mem::take(&mut *lock(&waits));
        assert_eq!(waits.len(), 4, "each that was started is read ahead: {waits:?}");
        let all: Duration = waits.iter().map(|(_, waited)| *waited).sum();
        assert!(all > Duration::ZERO && all <= Duration::from_millis(10), "{waits:?}");
        first.push(waits[0].0);
    }
    first.sort();
    first.dedup();
    assert_eq!(first, [1, 2, 3, 4]);
    drop(watches);
}

/// Advances the clock.
fn pass(time: Duration) {
    let (nothing, never) = (Mutex::new(()), Condvar::new());
    let _ = never.wait_timeout(lock(&nothing), time);
}
