//! Runs the ticks of a handler between two reads of its agent.

use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use crate::agent::agent_error::AgentError;
use crate::agent::core::Core;
use crate::agent::guard::guard;
use crate::agent::link::Link;
use crate::agent::shortage;
use crate::agent::sync::{Mutex, MutexGuard, lock};
use crate::agent::ticker::Ticker;

/// Makes the handler tick, `every` so often. Dropping the result ends the ticks, and waits for one
/// that is running.
///
/// An agent blocks in a read, over any reader, which has no timeout. So a thread of the ticker ticks
/// while the agent waits for input. While the agent handles input, the ticker only sets a flag, and
/// the agent ticks between two requests. Points thus cost a look at the flag instead of a look at the
/// clock, and ticks do not wait for the end of a backlog.
pub(super) fn start(
    every: Duration,
    core: &Arc<Mutex<Core>>,
    link: &Arc<Link>,
) -> Result<Ticker, AgentError> {
    let (core, link) = (Arc::clone(core), Arc::clone(link));
    let due = lock(&core).tick_due();
    let on_time = move || {
        let _entered = link.span.enter();
        // Set this before trying the lock: the thread that holds the lock checks it again after
        // releasing it, so the tick is not lost. The lock is only tried because a long call may
        // hold it.
        due.store(true, Ordering::SeqCst);
        match if_free(&core) {
            Some(held) => tick(&core, held, &link),
            None => true,
        }
    };
    let ticker = Ticker::start(every, on_time);
    ticker.map_err(shortage::of("cannot start a thread for ticks")).map_err(AgentError::Thread)
}

/// Ticks, unless the handler has failed. Returns whether it may tick again.
fn tick(core: &Mutex<Core>, mut held: MutexGuard<'_, Core>, link: &Link) -> bool {
    let goes_on = attempt(&mut held, link, Core::tick_if_due);
    let crew = held.crew();
    drop(held);
    // A thread that failed during the tick has found the core held, and the agent may wait for
    // input. If the agent holds the core now, it looks for the error itself.
    if crew.is_some_and(|crew| crew.has_failed())
        && let Some(mut held) = if_free(core)
    {
        return attempt(&mut held, link, Core::take_failure);
    }
    goes_on
}

/// Does something between two reads, unless the handler has failed. Returns whether the handler
/// may tick again.
fn attempt(
    core: &mut Core,
    link: &Link,
    work: impl FnOnce(&mut Core) -> Result<(), AgentError>,
) -> bool {
    if !core.ticks_have_ended()
        && let Err(error) = guard(link, || work(core))
    {
        // Under the same lock, so that nothing can call a handler that has failed.
        core.fail(error);
    }
    !core.ticks_have_ended()
}

/// Returns the core, unless another thread holds it.
pub(super) fn if_free(core: &Mutex<Core>) -> Option<MutexGuard<'_, Core>> {
    match core.try_lock() {
        Ok(core) => Some(core),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
