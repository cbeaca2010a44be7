//! Reports the error of a worker or a thread to the agent.

use std::sync::Arc;

use crate::agent::agent_error::AgentError;
use crate::agent::link::Link;
use crate::agent::sync::{Mutex, lock};

/// Gives an error to the agent if the agent waits for input. If the agent is at work or ticks,
/// returns the error: the agent then takes it from the alarm before it waits.
pub(crate) type Attend = Box<dyn Fn(AgentError) -> Option<AgentError> + Send>;

/// The first error of the workers and threads of a connection.
pub(super) struct Alarm {
    link: Arc<Link>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_raised: bool,
    /// The error, until the agent has taken it.
    error: Option<AgentError>,
    attend: Option<Attend>,
}

impl Alarm {
    pub(super) fn new(link: &Arc<Link>) -> Self {
        Alarm { link: Arc::clone(link), state: Mutex::default() }
    }

    pub(super) fn attend(&self, attend: Attend) {
        lock(&self.state).attend = Some(attend);
    }

    /// Fails the task with `error`, unless it has failed already.
    pub(super) fn raise(&self, error: AgentError) {
        // The agent takes this lock before it waits for input, so it cannot miss the error. The
        // agent may hold the lock of the core now, so `attend` only tries that lock.
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.is_raised, true) {
            return;
        }
        state.error = match &state.attend {
            Some(attend) => attend(error),
            None => Some(error),
        };
        // An agent with more input takes the error before the next frame.
        self.link.request_flush();
    }

    pub(super) fn is_raised(&self) -> bool {
        lock(&self.state).is_raised
    }

    pub(super) fn take(&self) -> Option<AgentError> {
        lock(&self.state).error.take()
    }

    /// Drops the function that holds the agent, so that the agent can be dropped.
    pub(super) fn close(&self) {
        lock(&self.state).attend = None;
    }
}
