//! What the drivers of partitions and of splitters share.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Fuse, FusedFuture as _};

use super::Counters;
use super::context::Report;
use super::event::{Event, Refused};

/// The pauses before a worker that was fenced starts again.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Reports that the server refused a write, for the time after `before` others without progress.
/// Returns the pause before the next start.
pub(crate) fn fenced(
    before: &mut usize,
    what: Refused,
    counters: &Counters,
    report: Report<'_>,
) -> Duration {
    counters.fenced.add(u64::from(what != Refused::Gone));
    let pause = PAUSES[(*before).min(PAUSES.len() - 1)];
    *before += 1;
    report.event(&Event::Fenced { what, pause });
    pause
}

/// Lets `timer` end at `due`, or never. `at` is the time at which it ends now.
pub(crate) fn arm<F: Future<Output = ()>>(
    mut timer: Pin<&mut Fuse<F>>,
    at: &mut Option<Duration>,
    due: Option<Duration>,
    sleep_until: impl FnOnce(Duration) -> F,
) {
    if due != *at || timer.is_terminated() {
        *at = due;
        timer.set(due.map_or_else(Fuse::terminated, |due| sleep_until(due).fuse()));
    }
}
