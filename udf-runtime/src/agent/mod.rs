//! Serves one connection: reads requests, calls the handler, writes responses, and sends
//! keepalives.
//!
//! | module | contents |
//! | --- | --- |
//! | `run`, `guard` | [`Agent`](run::Agent), the loop of a connection |
//! | `core`, `talk`, `handler`, `any`, `ticks`, `ticker` | the requests and ticks of a connection, and their handler |
//! | `crew` | the workers and threads of a task |
//! | `edge`, `emitter`, `group`, `link` | the output, and the writing side |
//! | `input`, `allowance` | the reading side, with its limits of time and memory |
//! | `watchdog`, `pulse`, `transport`, `ready` | detection of busy, hanging and abandoned connections |
//! | `stop`, `linger` | the end of a connection |
//! | `worker` | the worker of a supervised UDF |
//! | `counters`, `metrics`, `own_metrics` | counts and metrics, and those of the author |
//! | `limits`, `error`, `agent_error`, `shortage`, `rate_limit`, `sync` | shared by all of them |

pub(crate) mod agent_error;
pub(crate) mod allowance;
pub(crate) mod any;
pub(crate) mod core;
pub(crate) mod counters;
pub(crate) mod crew;
pub(crate) mod edge;
pub(crate) mod emitter;
pub(crate) mod error;
pub(crate) mod group;
pub(crate) mod guard;
pub(crate) mod handler;
pub(crate) mod input;
pub(crate) mod limits;
pub(crate) mod linger;
pub(crate) mod link;
pub(crate) mod metrics;
pub(crate) mod own_metrics;
pub(crate) mod pulse;
pub(crate) mod rate_limit;
pub(crate) mod ready;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod shortage;
pub(crate) mod stop;
pub(crate) mod sync;
pub(crate) mod talk;
#[cfg(test)]
mod tests;
pub(crate) mod ticker;
mod ticks;
pub(crate) mod transport;
pub(crate) mod watchdog;
pub(crate) mod worker;
