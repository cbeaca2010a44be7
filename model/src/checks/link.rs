//! The output of a connection, shared by several threads.

use std::sync::Arc;

use super::Check;
use super::Tries::Preemptions;
use super::wire::{Wire, frame};
use crate::agent::link::{EmitError, Link, Sign};
use crate::agent::sync::thread;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "frames_stay_whole",
        promise: "Concurrent output is written whole, once, in the order of each thread. So are keepalives.",
        tries: Preemptions(3),
        threads: frames_stay_whole,
    },
    Check {
        name: "a_close_ends_it",
        promise: "Output during a close is written whole or refused, and nothing is written after the close.",
        tries: Preemptions(3),
        threads: a_close_ends_it,
    },
    Check {
        name: "a_broken_wire_is_told",
        promise: "If the peer disconnects, every thread gets an error, and nothing follows half a frame.",
        tries: Preemptions(3),
        threads: a_broken_wire_is_told,
    },
    Check {
        name: "a_sign_of_life_never_waits",
        promise: "If the peer does not read, a keepalive does not wait, even while another thread does.",
        tries: Preemptions(3),
        threads: a_sign_of_life_never_waits,
    },
];

/// The number in a keepalive.
const SIGN: i64 = 99;

fn link(wire: &Wire) -> Arc<Link> {
    Arc::new(Link::new(Box::new(wire.writer())))
}

fn frames_stay_whole() {
    let wire = Wire::new();
    let link = link(&wire);
    let emit = |frames: Vec<u8>| {
        let link = Arc::clone(&link);
        thread::spawn(move || link.write(&frames).expect("the descriptor is open"))
    };
    let emitters = [emit([frame(1), frame(2)].concat()), emit(frame(3))];
    let sign = link.show_life(SIGN, || wire.has_room());
    for emitter in emitters {
        emitter.join().expect("the thread does not panic");
    }
    let mut numbers = wire.numbers();
    let place = |number| numbers.iter().position(|other| *other == number);
    assert_eq!(place(1).map(|first| first + 1), place(2), "{numbers:?}");
    let signs = match sign {
        Sign::Sent => vec![SIGN],
        Sign::Full => vec![],
        Sign::Gone => panic!("the link is open"),
    };
    numbers.sort_unstable();
    assert_eq!(numbers, [&[1, 2, 3], &signs[..]].concat());
}

fn a_close_ends_it() {
    let wire = Wire::new();
    let link = link(&wire);
    let emitter = thread::spawn({
        let link = Arc::clone(&link);
        move || link.write(&frame(1))
    });
    let watchdog = thread::spawn({
        let (link, wire) = (Arc::clone(&link), wire.clone());
        move || link.show_life(SIGN, || wire.has_room())
    });
    link.close().expect("nothing is lost");
    assert!(wire.is_closed() && link.is_closed());
    let written = wire.len();
    let emitted = emitter.join().expect("the thread does not panic");
    let sign = watchdog.join().expect("the thread does not panic");
    assert_eq!(wire.len(), written);
    let mut expected = Vec::new();
    match emitted {
        Ok(()) => expected.push(1),
        Err(error) => assert!(matches!(error, EmitError::Closed), "{error}"),
    }
    expected.extend((sign == Sign::Sent).then_some(SIGN));
    let mut numbers = wire.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, expected);
}

fn a_broken_wire_is_told() {
    let whole = frame(1).len();
    let wire = Wire::that_breaks(whole + 1);
    let link = link(&wire);
    let emitters = [1, 2].map(|number| {
        let link = Arc::clone(&link);
        thread::spawn(move || link.write(&frame(number)).is_ok())
    });
    let signs = [(); 2].map(|()| link.show_life(SIGN, || wire.has_room()));
    let emitted = emitters.map(|emitter| emitter.join().expect("the thread does not panic"));
    let told = emitted.into_iter().chain(signs.map(|sign| sign == Sign::Sent));
    let written = told.filter(|written| *written).count();
    let half = wire.len() - written * whole;
    assert!(written <= 1 && half < whole, "{written} are written, and {half} bytes");
    assert_eq!(wire.messages().0.len(), written, "refused output was written");
}

fn a_sign_of_life_never_waits() {
    let wire = Wire::with_room(frame(1).len());
    let link = link(&wire);
    let emitter = thread::spawn({
        let link = Arc::clone(&link);
        move || link.write(&frame(1)).and_then(|()| link.write(&frame(2)))
    });
    // If the keepalive waited here, no thread would make room.
    let sign = link.show_life(SIGN, || wire.has_room());
    let writing = link.is_writing();
    wire.read_on();
    emitter.join().expect("the thread does not panic").expect("the descriptor is open");
    let mut numbers = wire.numbers();
    numbers.retain(|number| *number != SIGN);
    assert_eq!(numbers, [1, 2], "{sign:?}, {writing}");
}
