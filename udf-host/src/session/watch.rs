//! Watches the timeouts: sends keepalives, aborts the connection with a silent UDF, kills a UDF
//! that does not end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::shared::{Phase, Shared};
use crate::error::Error;

/// Watches until the connection is over.
pub(crate) fn run(shared: &Arc<Shared>) {
    let timeout = shared.settings.usable_timeout();
    // Returns `None` for never.
    let after = |from: Instant, time: Option<Duration>| from.checked_add(time?);
    let half = timeout.map(|timeout| timeout / 2);
    let mut keepalive_at = after(Instant::now(), half);
    let mut state = shared.state();
    while !state.is_over() {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let next = match state.phase {
            Phase::Running => {
                let silent_at = after(shared.last_message(), timeout);
                // While the owner does not read, no new message of the UDF is received. So the UDF
                // may not be silent. A sink that returns wakes no thread: the next keepalive is due
                // before the UDF can be silent.
                let deaf = state.is_deaf();
                if let Some(timeout) = timeout.filter(|_| is_due(silent_at) && !deaf) {
                    // `abort` locks the state itself.
                    drop(state);
                    shared.abort(Error::KeepaliveTimedout { timeout });
                    state = shared.state();
                    continue;
                }
                if is_due(keepalive_at) {
                    shared.outbox.keepalive(nanos_since_epoch());
                    keepalive_at = after(now, half);
                }
                let silent_at = silent_at.filter(|_| !deaf);
                [keepalive_at, silent_at].into_iter().flatten().min()
            }
            Phase::Aborted { since } if state.killed.is_none() => {
                let kill_at = after(since, Some(shared.settings.grace()));
                if is_due(kill_at) {
                    // `killed` locks the state itself.
                    drop(state);
                    shared.killed();
                    state = shared.state();
                    continue;
                }
                kill_at
            }
            _ => None,
        };
        state = shared.wait(state, next.map(|next| next.saturating_duration_since(now)));
    }
}

fn nanos_since_epoch() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
