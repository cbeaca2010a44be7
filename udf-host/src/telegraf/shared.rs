//! The parts of a run that its threads share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Summary;
use super::event::{Event, TelegrafError};
use super::stdout::Stdout;

/// The parts that all threads use.
pub(super) struct Shared {
    pub(super) log: Box<dyn Fn(&Event<'_>) + Send + Sync>,
    pub(super) counts: Counts,
    pub(super) stdout: Mutex<Stdout>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) points_in: AtomicU64,
    pub(super) points_out: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) unwritable: AtomicU64,
}

impl Shared {
    pub(super) fn log(&self, event: &Event<'_>) {
        (self.log)(event);
    }

    pub(super) fn summary(&self) -> Summary {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { points_in, points_out, skipped, unwritable } = &self.counts;
        Summary {
            points_in: of(points_in),
            points_out: of(points_out),
            skipped: of(skipped),
            unwritable: of(unwritable),
        }
    }
}

/// Reports to the thread that decides.
pub(super) enum Report {
    /// All of stdin is read.
    StdinEnded,
    /// The UDF has got all input.
    InputEnded(Result<(), TelegrafError>),
    /// The UDF has closed its output, or its output cannot be written.
    OutputEnded,
    Signal,
}

pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
