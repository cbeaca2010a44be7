//! Calls a function at intervals on its own thread, until the ticker is dropped.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::agent::sync::thread::{self, JoinHandle};
use crate::agent::sync::{Condvar, Instant, Mutex, lock};

pub(super) struct Ticker {
    ended: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Calls `tick` every `period` until it returns false. Late ticks are skipped: after a tick
    /// that exceeds the period, a whole period passes, so that other threads get the lock that
    /// ticks hold.
    pub(super) fn start(
        period: Duration,
        tick: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let thread = thread::Builder::new().name("ticker".to_owned()).spawn({
            let ended = Arc::clone(&ended);
            move || {
                let mut next = Instant::now().checked_add(period);
                // If the clock cannot represent the next time, no tick follows.
                while let Some(due) = next
                    && wait_until(due, &ended)
                {
                    if !tick() {
                        return;
                    }
                    let (due, now) = (due.checked_add(period), Instant::now());
                    next = if due > Some(now) { due } else { now.checked_add(period) };
                }
            }
        })?;
        Ok(Ticker { ended, thread: Some(thread) })
    }
}

/// Waits until `then`. Returns false if the ticker was dropped meanwhile.
fn wait_until(then: Instant, (ended, changed): &(Mutex<bool>, Condvar)) -> bool {
    let mut ended = lock(ended);
    loop {
        let left = then.saturating_duration_since(Instant::now());
        if *ended || left.is_zero() {
            return !*ended;
        }
        let waited = changed.wait_timeout(ended, left);
        ended = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *lock(&self.ended.0) = true;
        self.ended.1.notify_one();
        if let Some(thread) = self.thread.take() {
            // A tick that panicked has reported that to its agent.
            let _ = thread.join();
        }
    }
}
