//! The threads that work for a connection beside its agent: workers that handle points, and threads
//! of the author.
//!
//! | module | contents |
//! | --- | --- |
//! | `pool` | workers, which handle points at the same time and keep the order of the output |
//! | `threads` | threads that a UDF starts for its task |
//! | `alarm` | reports their errors to the agent |

mod alarm;
mod pool;
mod threads;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::agent::agent_error::AgentError;
use crate::agent::error::Result;
use crate::agent::link::Link;

use alarm::Alarm;
pub(crate) use alarm::Attend;
use pool::Pool;
pub(crate) use pool::{Done, Job};
pub(crate) use threads::Threads;

/// The maximum number of workers of one task.
pub(crate) const MOST_WORKERS: usize = 1024;

/// The workers and the threads of one task.
pub struct Crew {
    link: Arc<Link>,
    alarm: Arc<Alarm>,
    pool: OnceLock<Arc<Pool>>,
    threads: Arc<Threads>,
}

impl Crew {
    pub(crate) fn new(link: &Arc<Link>) -> Arc<Self> {
        let alarm = Arc::new(Alarm::new(link));
        Arc::new(Crew {
            link: Arc::clone(link),
            threads: Arc::new(Threads::new(link, &alarm)),
            alarm,
            pool: OnceLock::new(),
        })
    }

    /// Allows this many workers. A worker's thread starts when there is work for it.
    ///
    /// # Errors
    /// Returns an error if the number is out of range.
    pub(crate) fn hire(&self, workers: usize) -> Result<()> {
        if !(1..=MOST_WORKERS).contains(&workers) {
            return Err(format!(
                "the UDF asks for {workers} workers: the number must be from 1 to {MOST_WORKERS}"
            )
            .into());
        }
        self.pool.get_or_init(|| Arc::new(Pool::new(&self.link, &self.alarm, workers)));
        Ok(())
    }

    /// Returns whether there are workers or threads.
    pub(crate) fn is_used(&self) -> bool {
        self.pool.get().is_some() || !self.threads.is_empty()
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(crate) fn threads(&self) -> &Arc<Threads> {
        &self.threads
    }

    /// Hands a point of `bytes` to the workers. Blocks while the workers are at their limits.
    ///
    /// # Errors
    /// Returns an error if there is no worker, and none can be started.
    pub(crate) fn submit(&self, bytes: usize, job: impl FnOnce() -> Job) -> io::Result<()> {
        match self.pool.get() {
            Some(pool) => pool.submit(bytes, job),
            None => Ok(()),
        }
    }

    /// Waits until the output of all points is written, or until a point has failed.
    pub(crate) fn settle(&self) {
        if let Some(pool) = self.pool.get() {
            pool.settle();
        }
    }

    /// Lets the threads begin. From now on, `attend` gets the error of a worker or a thread.
    pub(crate) fn begin(&self, attend: Attend) {
        self.alarm.attend(attend);
        self.threads.begin();
    }

    /// Returns whether a worker or a thread has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.alarm.is_raised()
    }

    /// Returns the error of a worker or a thread, once.
    pub(crate) fn take_failure(&self) -> Option<AgentError> {
        self.alarm.take()
    }

    /// Requests the threads to return.
    pub(crate) fn stop(&self) {
        self.threads.stop();
    }

    /// Waits until the threads have returned.
    ///
    /// # Errors
    /// Returns an error that names the threads that have not returned within `limit`.
    pub(crate) fn join(&self, limit: Duration) -> Result<(), AgentError> {
        self.threads.join(limit)
    }

    /// Ends the workers. Busy workers finish their points, and the output of these points is lost.
    pub(crate) fn dismiss(&self) {
        if let Some(pool) = self.pool.get() {
            pool.dismiss();
        }
    }

    /// Reports no more errors to the agent.
    pub(crate) fn leave(&self) {
        self.alarm.close();
    }
}
