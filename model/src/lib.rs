//! The runtime's own files, compiled with the locks, threads and clocks of a model checker.
//!
//! Each of the [checks] runs a few threads in every possible order, up to a number of preemptions.

#![allow(
    clippy::duplicate_mod,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_imports,
    reason = "the files belong to the runtime, which checks them: here, not all of them is used or published"
)]

pub mod checks;
mod orders;
mod sync;

#[path = "../../udf-runtime/src/agent/mod.rs"]
mod agent;
#[path = "../../udf-runtime/src/allowance.rs"]
mod allowance;
#[path = "../../udf-runtime/src/counters.rs"]
mod counters;
#[path = "../../udf-runtime/src/edge.rs"]
mod edge;
#[path = "../../udf-runtime/src/emitter.rs"]
mod emitter;
#[path = "../../udf-runtime/src/error_text.rs"]
mod error_text;
#[path = "../../udf-runtime/src/handler.rs"]
mod handler;
#[path = "../../udf-runtime/src/input.rs"]
mod input;
#[path = "../../udf-runtime/src/linger.rs"]
mod linger;
#[path = "../../udf-runtime/src/link.rs"]
mod link;
#[path = "../../udf-runtime/src/metrics.rs"]
mod metrics;
#[path = "../../udf-runtime/src/pulse.rs"]
mod pulse;
#[path = "../../udf-runtime/src/rate_limit.rs"]
mod rate_limit;
#[path = "../../udf-runtime/src/server/mod.rs"]
mod server;
#[path = "../../udf-runtime/src/shortage.rs"]
mod shortage;
#[path = "../../udf-runtime/src/stop.rs"]
mod stop;
#[path = "../../udf-runtime/src/transport.rs"]
mod transport;

// Children of the crate, so that the checks can access their private items.
#[path = "../../udf-runtime/src/server/connection.rs"]
mod connection;
#[path = "../../udf-runtime/src/watchdog.rs"]
mod dog;
#[path = "../../udf-runtime/src/server/refusal.rs"]
mod refusal;
#[path = "../../udf-runtime/src/agent/ticker.rs"]
mod ticker;

use agent::{Agent, AgentError};
use edge::{Batch, Edge, Stream};
use emitter::{Emitter, Remote};
use handler::{Handler, Verdict};
use link::OnUnfit;
use metrics::Metrics;
use server::{Accepter, Limits, ServeError};
use udf_proto::Point;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = (), E = Error> = std::result::Result<T, E>;

/// A watchdog without a thread for the agents: the real one is a global that outlives a check.
mod watchdog {
    use std::io;
    use std::sync::Arc;

    pub(crate) use crate::dog::Budgets;
    use crate::link::Link;
    use crate::transport::Transport;

    pub(crate) struct Watch(Arc<Link>);

    impl Watch {
        pub(crate) fn new(link: Arc<Link>, _: Box<dyn Transport>, _: Budgets) -> io::Result<Self> {
            Ok(Watch(link))
        }

        pub(crate) fn close_output(&self) {}
    }

    pub(crate) fn start() -> io::Result<()> {
        Ok(())
    }
}
