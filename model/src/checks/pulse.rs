//! The watchdog's view of a handler.

use std::sync::Arc;

use super::Check;
use super::Tries::Preemptions;
use crate::agent::pulse::{Call, Pulse};
use crate::agent::sync::thread;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_look_sees_a_call_as_it_was",
        promise: "The number and the method that one look returns belong to one call, and later looks return no \
                  earlier call.",
        tries: Preemptions(5),
        threads: a_look_sees_a_call_as_it_was,
    },
    Check {
        name: "a_call_that_hangs_is_no_rest",
        promise: "A call that has not returned is visible to every look.",
        tries: Preemptions(5),
        threads: a_call_that_hangs_is_no_rest,
    },
];

const METHODS: [Call; 3] = [Call::Init, Call::Point, Call::Tick];

fn handle(pulse: &Pulse) {
    for (place, method) in METHODS.into_iter().enumerate() {
        pulse.call(method);
        // Some calls follow without a rest.
        if place == 0 {
            pulse.rest();
        }
    }
}

fn a_look_sees_a_call_as_it_was() {
    let pulse = Arc::new(Pulse::default());
    let handler = thread::spawn({
        let pulse = Arc::clone(&pulse);
        move || handle(&pulse)
    });
    let mut last = 0;
    for _ in 0..3 {
        if let Some((number, method)) = pulse.present() {
            assert_eq!(METHODS.get(number as usize - 1), Some(&method), "call {number}");
            assert!(number >= last, "call {number} behind {last}");
            last = number;
        }
    }
    handler.join().expect("the thread does not panic");
}

fn a_call_that_hangs_is_no_rest() {
    let pulse = Arc::new(Pulse::default());
    let looks = thread::spawn({
        let pulse = Arc::clone(&pulse);
        move || [pulse.present(), pulse.present(), pulse.present()]
    });
    pulse.call(Call::Init);
    pulse.rest();
    pulse.call(Call::Point);
    let looks = looks.join().expect("the thread does not panic");
    let hangs = Some((2, Call::Point));
    let first = looks.iter().position(|look| *look == hangs).unwrap_or(looks.len());
    assert!(looks[first..].iter().all(|look| *look == hangs), "{looks:?}");
    assert_eq!(pulse.present(), hangs);
}
