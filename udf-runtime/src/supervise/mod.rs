//! Supervises a UDF: a front between Kapacitor and a worker process, which restarts a worker that
//! has died without loss.

mod settings;

use std::sync::Arc;

pub(crate) use self::settings::{OnError, Poison, Program, Settings};
use crate::agent::any::{AnyAgent, AnyHandler, Ends};
use crate::agent::allowance::Allowance;
use crate::agent::limits::Limits;

/// A supervised UDF. All connections of the process share it.
#[derive(Debug, Clone)]
pub(crate) struct Supervision(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: Program,
    settings: Settings,
}

impl Supervision {
    pub(crate) fn new(program: Program, settings: Settings) -> Self {
        Supervision(Arc::new(Shared { program, settings }))
    }

    /// Returns the front of a new connection.
    pub(crate) fn front(&self) -> Box<dyn AnyHandler> {
        Box::new(Front { supervision: self.clone() })
    }

    /// Replaces the worker of each connection by one of the present program.
    pub(crate) fn upgrade(&self) {}
}

/// The front of one connection.
struct Front {
    supervision: Supervision,
}

impl AnyHandler for Front {
    fn agent(self: Box<Self>, ends: Ends, limits: &Limits, allowance: &Arc<Allowance>) -> AnyAgent {
        let _ = (ends, limits, allowance, &self.supervision.0);
        todo!()
    }
}
