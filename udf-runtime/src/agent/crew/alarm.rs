//! Reports the error of a worker or a thread to the agent.

use std::sync::Arc;

use crate::agent::agent_error::AgentError;
use crate::agent::link::Link;
use crate::agent::sync::{Mutex, lock};

/// Takes an error if the agent waits for input. Returns the error if the agent is at work: it then
/// looks at the alarm itself before it waits.
pub(crate) type Attend = Box<dyn Fn(AgentError) -> Option<AgentError> + Send>;

/// The first error of the workers and threads of a connection.
pub(super) struct Alarm {
    link: Arc<Link>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_raised: bool,
    /// The error, until the agent has it.
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
        // The agent blocks here before it waits for input, so it cannot miss the error. Whoever
        // attends only tries the lock of the core, which the agent may hold.
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.is_raised, true) {
            return;
        }
        state.error = match &state.attend {
            Some(attend) => attend(error),
            None => Some(error),
        };
        // An agent with more input to handle looks at the error before the next frame.
        self.link.request_flush();
    }

    pub(super) fn is_raised(&self) -> bool {
        lock(&self.state).is_raised
    }

    pub(super) fn take(&self) -> Option<AgentError> {
        lock(&self.state).error.take()
    }

    /// Forgets the agent, which may then be dropped.
    pub(super) fn close(&self) {
        lock(&self.state).attend = None;
    }
}
