//! What a home serves a connection with: an agent with a handler, or the front of a supervised UDF.

use std::io::Write;
use std::sync::Arc;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::any::AnyHandler;
use crate::agent::core::Requests;
use crate::agent::limits::Limits;
use crate::agent::link::Link;
use crate::agent::run::Agent;
use crate::agent::stop::Stopping;
use crate::agent::transport::Transport;

/// Serves one connection.
pub(crate) trait Service: Send {
    /// Prepares to serve the connection with these ends.
    fn open(self: Box<Self>, ends: Ends, limits: &Limits, allowance: &Arc<Allowance>) -> Opened;
}

/// The ends of a connection.
pub(crate) struct Ends {
    pub(crate) reader: Requests,
    pub(crate) writer: Box<dyn Write + Send>,
    pub(crate) transport: Box<dyn Transport>,
    /// Ends the input of the reader.
    #[cfg_attr(not(feature = "main"), allow(dead_code, reason = "only a supervisor needs it"))]
    pub(crate) stopping: Stopping,
}

/// A connection that can be served.
pub(crate) struct Opened {
    pub(crate) link: Arc<Link>,
    /// Serves the connection until it ends; see [`Agent::run`].
    pub(crate) run: Box<dyn FnOnce() -> Result<(), AgentError>>,
}

impl Service for Box<dyn AnyHandler> {
    fn open(self: Box<Self>, ends: Ends, limits: &Limits, allowance: &Arc<Allowance>) -> Opened {
        let agent = Agent::of_any(ends.reader, ends.writer, *self);
        let agent = agent.limits(limits, ends.transport, allowance);
        Opened { link: agent.link(), run: Box::new(move || agent.run()) }
    }
}
