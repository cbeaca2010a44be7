//! A ticker that is dropped at any moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Check;
use super::Tries::Preemptions;
use crate::agent::sync::{AtomicU64, time_out};
use crate::ticker::Ticker;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_ticker_that_waits_can_be_dropped",
        promise: "Dropping a waiting ticker returns, and the ticker has not ticked.",
        tries: Preemptions(5),
        threads: || drop_behind(0, true),
    },
    Check {
        name: "a_ticker_that_ticks_can_be_dropped",
        promise: "Dropping a ticker during a tick returns, and the ticker never ticks again.",
        tries: Preemptions(5),
        threads: || drop_behind(2, true),
    },
    Check {
        name: "a_tick_can_end_its_ticker",
        promise: "A tick that ends its ticker is the last one, and dropping that ticker returns.",
        tries: Preemptions(5),
        threads: || drop_behind(2, false),
    },
];

/// Drops a ticker after at most `most` ticks. `goes_on` is the result of each tick.
fn drop_behind(most: u32, goes_on: bool) {
    time_out(most);
    let (ticks, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tick = {
        let (ticks, dropped) = (Arc::clone(&ticks), Arc::clone(&dropped));
        move || {
            assert_eq!(dropped.load(Ordering::SeqCst), 0, "the ticker ticks after its drop");
            let before = ticks.fetch_add(1, Ordering::SeqCst);
            assert!(goes_on || before == 0, "the ticker ticks after its end");
            goes_on
        }
    };
    let ticker = Ticker::start(Duration::from_secs(1), tick).expect("a thread starts");
    drop(ticker);
    dropped.store(1, Ordering::SeqCst);
    assert!(ticks.load(Ordering::SeqCst) <= u64::from(most));
}
