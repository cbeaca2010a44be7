//! Handlers without their types: with these, the server and the homes of a UDF are compiled once,
//! and not in the crate of each author.

use std::io::Write;
use std::sync::Arc;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::core::Requests;
use crate::agent::handler::Handler;
use crate::agent::limits::Limits;
use crate::agent::link::Link;
use crate::agent::run::Agent;
use crate::agent::transport::Transport;

/// A handler of any type.
pub(crate) trait AnyHandler: Send {
    /// Returns the agent of a connection with this handler; see [`Agent::limits`].
    fn agent(self: Box<Self>, ends: Ends, limits: &Limits, allowance: &Arc<Allowance>) -> AnyAgent;
}

/// The ends of a connection.
pub(crate) struct Ends {
    pub(crate) reader: Requests,
    pub(crate) writer: Box<dyn Write + Send>,
    pub(crate) transport: Box<dyn Transport>,
}

/// An agent with a handler of any type.
pub(crate) struct AnyAgent {
    pub(crate) link: Arc<Link>,
    /// Serves the connection; see [`Agent::run`].
    pub(crate) run: Box<dyn FnOnce() -> Result<(), AgentError>>,
}

impl<H: Handler> AnyHandler for H {
    fn agent(self: Box<Self>, ends: Ends, limits: &Limits, allowance: &Arc<Allowance>) -> AnyAgent {
        let agent = Agent::new(ends.reader, ends.writer, *self);
        let agent = agent.limits(limits, ends.transport, allowance);
        AnyAgent { link: agent.link(), run: Box::new(move || agent.run()) }
    }
}
