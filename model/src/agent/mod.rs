//! The room `agent` of the runtime, file by file: with locks and threads of the checker, and
//! without its watchdog.

#[path = "../../../udf-runtime/src/agent/agent_error.rs"]
pub(crate) mod agent_error;
#[path = "../../../udf-runtime/src/agent/allowance.rs"]
pub(crate) mod allowance;
#[path = "../../../udf-runtime/src/agent/any.rs"]
pub(crate) mod any;
#[path = "../../../udf-runtime/src/agent/core.rs"]
pub(crate) mod core;
#[path = "../../../udf-runtime/src/agent/counters.rs"]
pub(crate) mod counters;
#[path = "../../../udf-runtime/src/agent/crew/mod.rs"]
pub(crate) mod crew;
#[path = "../../../udf-runtime/src/agent/edge.rs"]
pub(crate) mod edge;
#[path = "../../../udf-runtime/src/agent/emitter/mod.rs"]
pub(crate) mod emitter;
#[path = "../../../udf-runtime/src/agent/error.rs"]
pub(crate) mod error;
#[path = "../../../udf-runtime/src/agent/guard.rs"]
mod guard;
#[path = "../../../udf-runtime/src/agent/handler.rs"]
pub(crate) mod handler;
#[path = "../../../udf-runtime/src/agent/input.rs"]
pub(crate) mod input;
#[path = "../../../udf-runtime/src/agent/limits.rs"]
pub(crate) mod limits;
#[path = "../../../udf-runtime/src/agent/linger.rs"]
pub(crate) mod linger;
#[path = "../../../udf-runtime/src/agent/link.rs"]
pub(crate) mod link;
#[path = "../../../udf-runtime/src/agent/metrics.rs"]
pub(crate) mod metrics;
#[path = "../../../udf-runtime/src/agent/own_metrics.rs"]
pub(crate) mod own_metrics;
#[path = "../../../udf-runtime/src/agent/pulse.rs"]
pub(crate) mod pulse;
#[path = "../../../udf-runtime/src/agent/rate_limit.rs"]
pub(crate) mod rate_limit;
#[path = "../../../udf-runtime/src/agent/ready.rs"]
pub(crate) mod ready;
#[path = "../../../udf-runtime/src/agent/run.rs"]
pub(crate) mod run;
#[path = "../../../udf-runtime/src/agent/service.rs"]
pub(crate) mod service;
#[path = "../../../udf-runtime/src/agent/shortage.rs"]
pub(crate) mod shortage;
#[path = "../../../udf-runtime/src/agent/stop.rs"]
pub(crate) mod stop;
pub(crate) mod sync;
#[path = "../../../udf-runtime/src/agent/talk.rs"]
pub(crate) mod talk;
#[path = "../../../udf-runtime/src/agent/ticker.rs"]
pub(crate) mod ticker;
#[path = "../../../udf-runtime/src/agent/ticks.rs"]
mod ticks;
#[path = "../../../udf-runtime/src/agent/transport.rs"]
pub(crate) mod transport;

/// A watchdog without a thread for the agents: the real one is a global that outlives a check.
pub(crate) mod watchdog {
    use std::io;
    use std::sync::Arc;

    use crate::agent::link::Link;
    use crate::agent::transport::Transport;
    pub(crate) use crate::watchdog::WatchLimits;

    pub(crate) struct Watch(Arc<Link>);

    impl Watch {
        pub(crate) fn new(
            link: Arc<Link>,
            _: Box<dyn Transport>,
            _: WatchLimits,
        ) -> io::Result<Self> {
            Ok(Watch(link))
        }

        pub(crate) fn close_output(&self) {}
    }

    pub(crate) fn start() -> io::Result<()> {
        Ok(())
    }
}
