//! Keeps the time: sends keepalives, gives up a silent UDF, kills one that does not let go.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::shared::{Phase, Shared};
use crate::Error;

/// Watches until the connection is over.
pub(crate) fn run(shared: &Arc<Shared>) {
    let timeout = shared.settings.timeout;
    let mut keepalive_at = Instant::now() + timeout / 2;
    let mut state = shared.state();
    while !state.is_over() {
        let now = Instant::now();
        let next = match state.phase {
            Phase::Running if !timeout.is_zero() => {
                let silent_at = shared.heard() + timeout;
                // While the owner does not read, nobody listens to the UDF.
                let deaf = shared.is_deaf();
                if now >= silent_at && !deaf {
                    drop(state);
                    shared.abort(Error::KeepaliveTimedout { timeout });
                    state = shared.state();
                    continue;
                }
                if now >= keepalive_at {
                    shared.outbox.keepalive(nanos_since_epoch());
                    keepalive_at = now + timeout / 2;
                }
                Some(if deaf { keepalive_at } else { keepalive_at.min(silent_at) })
            }
            Phase::Aborted { since } if state.killed.is_none() => {
                let kill_at = since + shared.grace();
                if now >= kill_at {
                    drop(state);
                    shared.killed();
                    state = shared.state();
                    continue;
                }
                Some(kill_at)
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
