//! Threads that a UDF starts for its task.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::alarm::Alarm;
use crate::agent::agent_error::AgentError;
use crate::agent::error::Result;
use crate::agent::guard;
use crate::agent::link::Link;
use crate::agent::shortage;
use crate::agent::sync::thread::{self, JoinHandle};
use crate::agent::sync::{Condvar, Mutex, lock};

/// The time after which the log names the threads that the end waits for.
const NOTE_AFTER: Duration = Duration::from_secs(1);

/// The threads of one task.
pub(crate) struct Threads {
    link: Arc<Link>,
    alarm: Arc<Alarm>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether the Init was accepted and answered: a thread must not emit before the answer.
    has_begun: bool,
    is_stopped: bool,
    threads: Vec<Spawned>,
}

struct Spawned {
    name: String,
    handle: Option<JoinHandle<()>>,
    has_returned: bool,
}

impl Threads {
    pub(super) fn new(link: &Arc<Link>, alarm: &Arc<Alarm>) -> Self {
        let (link, alarm) = (Arc::clone(link), Arc::clone(alarm));
        Threads { link, alarm, state: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.state).threads.is_empty()
    }

    /// Starts a thread, which calls `work` when the Init was accepted. If the Init is refused, it
    /// never calls `work`.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let threads = Arc::clone(self);
        let mut state = lock(&self.state);
        let number = state.threads.len();
        let run = move || {
            let _entered = threads.link.span.enter();
            if threads.wait_for_begin() {
                threads.run(number, work);
            }
            lock(&threads.state).threads[number].has_returned = true;
            threads.changed.notify_all();
        };
        // The name may come from an option, and the system takes no NUL.
        let name = name.replace('\0', "\u{fffd}");
        let started = thread::Builder::new().name(name.clone()).spawn(run);
        let handle = started.map_err(shortage::of(&format!("cannot start the thread `{name}`")))?;
        // The thread cannot return before this: it needs the lock.
        state.threads.push(Spawned { name, handle: Some(handle), has_returned: false });
        Ok(())
    }

    /// Calls `work`, whose error or panic fails the task.
    fn run(&self, number: usize, work: impl FnOnce() -> Result<()>) {
        let name = || lock(&self.state).threads[number].name.clone();
        // The closure owns all that it uses.
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.alarm.raise(AgentError::Spawned { name: name(), error }),
            Err(panic) => {
                let message = guard::message(&*panic);
                self.alarm.raise(AgentError::SpawnedPanicked { name: name(), message });
            }
        }
    }

    /// Waits until the Init was answered. Returns whether it was accepted.
    fn wait_for_begin(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.has_begun && !state.is_stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // A thread that starts after the stop still does its work.
        state.has_begun
    }

    pub(super) fn begin(&self) {
        lock(&self.state).has_begun = true;
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        lock(&self.state).is_stopped = true;
        self.changed.notify_all();
    }

    /// Returns whether the threads must return.
    pub(crate) fn is_stopped(&self) -> bool {
        lock(&self.state).is_stopped
    }

    /// Waits for `time`, or until the threads must return. Returns whether the thread goes on.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let goes_on = |state: &mut State| !state.is_stopped;
        let waited = self.changed.wait_timeout_while(lock(&self.state), time, goes_on);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_stopped
    }

    pub(super) fn join(&self, limit: Duration) -> Result<(), AgentError> {
        let mut left = self.wait_for_all(limit.min(NOTE_AFTER));
        if !left.is_empty() && limit > NOTE_AFTER {
            tracing::warn!("waiting for {} to return", named(&left));
            left = self.wait_for_all(limit - NOTE_AFTER);
        }
        let take = |thread: &mut Spawned| thread.handle.take_if(|_| thread.has_returned);
        let returned: Vec<_> = lock(&self.state).threads.iter_mut().filter_map(take).collect();
        for thread in returned {
            // A panic was caught and reported.
            let _ = thread.join();
        }
        match left.is_empty() {
            true => Ok(()),
            false => Err(AgentError::NotReturned { threads: named(&left), within: limit }),
        }
    }

    /// Waits until all threads have returned. Returns the names of those that have not in time.
    fn wait_for_all(&self, limit: Duration) -> Vec<String> {
        let is_left = |thread: &&Spawned| !thread.has_returned;
        let are_left = |state: &mut State| state.threads.iter().any(|thread| is_left(&thread));
        let waited = self.changed.wait_timeout_while(lock(&self.state), limit, are_left);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.threads.iter().filter(is_left).map(|thread| thread.name.clone()).collect()
    }
}

/// Returns the names of threads for a message.
fn named(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        1 => format!("the thread {}", quoted[0]),
        _ => format!("the threads {}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::crew::Crew;

    #[test]
    fn any_text_can_be_the_name_of_a_thread() {
        let crew = Crew::new(&Arc::new(Link::new(Box::new(io::sink()))));
        for name in ["", "a\0b", "a name that is longer than the system shows"] {
            crew.threads().spawn(name, || Ok(())).expect("a thread starts");
        }
        crew.stop();
        crew.join(Duration::MAX).expect("all return");
    }
}
