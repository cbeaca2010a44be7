//! The task that a UDF serves, and its threads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::crew::{Crew, Threads};
use crate::agent::edge::Edge;
use crate::agent::emitter::Remote;
use crate::agent::error::Result;

/// The task that a UDF serves.
pub struct Task<E: Edge> {
    task_id: String,
    node_id: String,
    remote: Remote<E>,
    crew: Arc<Crew>,
}

impl<E: Edge> Task<E> {
    pub(crate) fn new(
        task_id: String,
        node_id: String,
        remote: Remote<E>,
        crew: Arc<Crew>,
    ) -> Self {
        Task { task_id, node_id, remote, crew }
    }

    /// Returns the name of the task.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// Returns the name of the node within the task.
    pub fn node_id(&self) -> &str {
        &self.node_id
    }

    /// Returns a handle that sends from other threads and at later times, as long as the task runs.
    ///
    /// To start a thread, use [`spawn`](Self::spawn): the task then waits for its output.
    pub fn remote(&self) -> &Remote<E> {
        &self.remote
    }

    /// Starts a thread that belongs to the task. The log shows `name`.
    ///
    /// The thread calls `work` when the Init has been accepted. If `work` returns an error or
    /// panics, the task fails with the text. Log lines of the thread name the task and the node.
    ///
    /// When the input has ended, or the task has failed, [`is_stopped`](TaskThread::is_stopped)
    /// becomes true and [`wait`](TaskThread::wait) returns. The kit then calls the UDF's `finish`,
    /// and waits until the thread has returned. All output of the thread is sent. If the thread
    /// does not return within the shutdown timeout (10 seconds by default), the task ends without
    /// the thread, with an error that names the thread.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, testing, udf};
    ///
    /// /// Passes points on, and sends a heartbeat.
    /// #[udf(wants = stream, provides = stream)]
    /// struct Beat {
    ///     /// Time between two heartbeats.
    ///     #[option(default = "10s", range = "1ms"..)]
    ///     every: Duration,
    /// }
    ///
    /// impl StreamUdf for Beat {
    ///     fn init(&mut self, task: &Task<Stream>) -> Result<()> {
    ///         let every = self.every;
    ///         task.spawn("heartbeat", move |thread| {
    ///             while thread.wait(every) {
    ///                 thread.remote().emit(|out| out.build("beat").field("alive", true).send())?;
    ///             }
    ///             Ok(())
    ///         })
    ///     }
    ///
    ///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
    ///         Ok(out.pass(point)?)
    ///     }
    /// }
    ///
    /// let mut task = testing::udf::<Beat>().option("every=1ms").start();
    /// task.emits_within(Duration::from_secs(10), "beat alive=true");
    /// task.end();
    /// ```
    ///
    /// # Errors
    /// Returns an error if the system has no thread left.
    pub fn spawn(
        &self,
        name: &str,
        work: impl FnOnce(&TaskThread<E>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let threads = self.crew.threads();
        let thread = TaskThread { threads: Arc::clone(threads), remote: self.remote.clone() };
        Ok(threads.spawn(name, move || work(&thread))?)
    }
}

impl<E: Edge> fmt::Debug for Task<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("task_id", &self.task_id)
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}

/// The task, as a thread of [`Task::spawn`] sees it.
pub struct TaskThread<E: Edge> {
    threads: Arc<Threads>,
    remote: Remote<E>,
}

impl<E: Edge> TaskThread<E> {
    /// Returns whether the thread must return, because the task ends.
    pub fn is_stopped(&self) -> bool {
        self.threads.is_stopped()
    }

    /// Sleeps for `time`, or until the thread must return. Returns whether the thread goes on.
    pub fn wait(&self, time: Duration) -> bool {
        self.threads.wait(time)
    }

    /// Returns a handle that sends.
    pub fn remote(&self) -> &Remote<E> {
        &self.remote
    }
}

impl<E: Edge> fmt::Debug for TaskThread<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskThread").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}
