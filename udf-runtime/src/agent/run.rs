//! The loop of one connection: reads requests, calls the handler, writes the answers.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use udf_proto::frame::FrameReader;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::any::AnyHandler;
use crate::agent::core::{Core, End, Requests};
use crate::agent::counters::Count;
use crate::agent::crew::Attend;
use crate::agent::error::panic_text;
use crate::agent::guard::guard;
use crate::agent::handler::Handler;
use crate::agent::limits::Limits;
use crate::agent::link::{Link, OnUnfit};
use crate::agent::pulse::Call;
use crate::agent::shortage;
use crate::agent::stop::Stopped;
use crate::agent::sync::thread::{self, JoinHandle};
use crate::agent::sync::{Mutex, lock};
use crate::agent::talk::BEFORE_INIT;
use crate::agent::ticks::{self, if_free};
use crate::agent::transport::{Transport, Writer};
use crate::agent::watchdog::{Watch, WatchLimits};

/// Serves one connection with a handler, over any reader and writer.
///
/// When the input ends, the agent answers the requests that it has read, drops the writer, and then
/// calls the handler's `stop`. When something fails, it sends all previous output, and then an
/// ErrorResponse with the reason.
///
/// ```
/// use std::io::{empty, sink};
/// # use std::collections::BTreeMap;
/// # use udf_runtime::{Emitter, Point, Remote, Result, Stream, Init, ValueType};
/// use udf_runtime::{Agent, Handler, Verdict};
///
/// struct Mirror;
///
/// impl Handler for Mirror {
///     type Wants = Stream;
///     type Provides = Stream;
///     fn info(&self) -> BTreeMap<String, Vec<ValueType>> { BTreeMap::new() }
///     fn init(&mut self, _: Init, _: &Remote<Stream>) -> Result<Verdict> { Ok(Verdict::Accepted) }
///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
///         Ok(out.pass(point)?)
///     }
/// }
///
/// let agent = Agent::new(empty(), sink(), Mirror).start()?;
/// agent.wait()?;
/// # Ok::<(), udf_runtime::AgentError>(())
/// ```
#[must_use = "an agent does nothing until `run` or `start` is called"]
pub struct Agent {
    reader: FrameReader<Requests>,
    link: Arc<Link>,
    core: Core,
    /// The transport and the limits for the watchdog, if the connection is watched.
    watched: Option<(Box<dyn Transport>, WatchLimits)>,
    /// The frame limit before Init, if it differs from the limit after Init.
    init_limit: Option<usize>,
    /// The time that the threads of a UDF have to return after the end of the input.
    grace: Duration,
}

impl Agent {
    /// Creates an agent that has not started.
    pub fn new(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        handler: impl Handler,
    ) -> Self {
        Agent::of_any(Box::new(reader), Box::new(writer), Box::new(handler))
    }

    /// Creates an agent as [`new`](Self::new) does.
    pub(crate) fn of_any(
        reader: Requests,
        writer: Box<dyn Write + Send>,
        handler: Box<dyn AnyHandler>,
    ) -> Self {
        let link = Arc::new(Link::new(writer));
        let core = Core::new(handler.connect(&link), Arc::clone(&link));
        let reader = FrameReader::new(reader);
        let grace = Limits::default().shutdown;
        Agent { reader, link, core, watched: None, init_limit: None, grace }
    }

    /// Sets the maximum length of a frame in bytes. Longer frames are refused. Defaults to 64 MiB.
    ///
    /// The agent skips a larger snapshot and logs an error, because the snapshot could not be
    /// restored.
    pub fn frame_limit(mut self, limit: usize) -> Self {
        self.reader = self.reader.limit(limit);
        self.core.set_frame_limit(limit);
        self
    }

    /// Sets what happens to points that Kapacitor cannot store. Defaults to [`OnUnfit::Drop`].
    pub fn unfit_points(self, on_unfit: OnUnfit) -> Self {
        self.link.set_on_unfit(on_unfit);
        self
    }

    /// Sends keepalives to Kapacitor while the handler is busy with one call for up to `budget`, or
    /// with many calls. `None` is no limit.
    ///
    /// While there is more input to handle, output is flushed a few times per second.
    ///
    /// `writer` must be the descriptor that the agent's writer writes to. The watchdog asks it for
    /// room, so that a keepalive never blocks.
    pub fn liveness(
        mut self,
        writer: impl AsFd + Send + 'static,
        budget: Option<Duration>,
    ) -> Self {
        self.watched = Some((
            Box::new(Writer::new(writer)),
            WatchLimits { busy: budget, hangup: None, stop: Duration::ZERO, reads_batches: false },
        ));
        self
    }

    /// Sets the limits and policies of an agent, and watches it. Every home of a UDF uses this.
    pub(crate) fn limits(
        mut self,
        limits: &Limits,
        transport: Box<dyn Transport>,
        allowance: &Arc<Allowance>,
    ) -> Self {
        let budgets = WatchLimits {
            busy: limits.busy,
            hangup: limits.hangup,
            stop: limits.shutdown,
            reads_batches: self.core.reads_batches(),
        };
        let peer = transport.peer();
        self.watched = Some((transport, budgets));
        self.grace = limits.shutdown;
        let mut agent = self.frame_limit(limits.frame).unfit_points(limits.unfit_points);
        agent.core.set_allowance(Arc::clone(allowance));
        agent.reader = agent.reader.room(allowance.room(peer));
        agent.reader.set_base(BEFORE_INIT);
        if limits.init_frame < limits.frame {
            agent.reader.set_limit(limits.init_frame);
            agent.init_limit = Some(limits.init_frame);
        }
        agent
    }

    /// Serves the connection on its own thread.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub fn start(self) -> Result<RunningAgent, AgentError> {
        let thread = thread::Builder::new().name("agent".to_owned()).spawn(|| self.run());
        let thread = thread.map_err(shortage::of("cannot start a thread for the connection"));
        Ok(RunningAgent { thread: thread.map_err(AgentError::Thread)? })
    }

    /// Serves the connection until it ends.
    ///
    /// # Errors
    /// Returns an error if the connection ended before its input did. If Kapacitor still reads, it
    /// was sent the reason.
    pub fn run(self) -> Result<(), AgentError> {
        let Agent { mut reader, link, core, watched, init_limit, grace } = self;
        let watch = watched
            .map(|(transport, budgets)| Watch::new(Arc::clone(&link), transport, budgets))
            .transpose();
        let (watch, is_watched) = match watch {
            Ok(watch) => (watch, Ok(())),
            Err(error) => (None, Err(AgentError::Thread(error))),
        };
        let core = Arc::new(Mutex::new(core));
        lock(&core).set_attend(attend(&core));
        let mut ticker = None;
        let exchanged = is_watched.and_then(|()| {
            guard(&link, || {
                exchange(&mut reader, &core, &link, |every| {
                    ticker = Some(ticks::start(every, &core, &link)?);
                    Ok(())
                })
            })
        });
        let exchanged = exchanged.map_err(|error| match init_limit {
            Some(limit) if !link.pulse.is_started() => error.before_init(limit).of_writer(),
            _ => error.of_writer(),
        });
        drop(ticker);
        // Return the memory of an unhandled request before `stop`, which may be slow.
        drop(reader);
        // Check only now: a tick could fail until ticks ended.
        let mut ended = exchanged.and_then(|end| lock(&core).take_failure().map(|()| end));
        let crew = lock(&core).crew_at_end();
        if ended.is_ok() {
            ended = guard(&link, || lock(&core).finish(grace)).and(ended);
        } else if let Some(crew) = &crew {
            // The output of points from before the error goes out before it.
            crew.settle();
        }
        let told = lock(&core).last_words(&ended);
        let closed = link.close().map_err(AgentError::from);
        if let Some(watch) = &watch {
            watch.close_output();
        }
        if let Some(crew) = &crew {
            crew.stop();
            crew.leave();
            crew.dismiss();
        }
        let stopped = guard(&link, || {
            lock(&core).stop();
            Ok(())
        });
        let dropped = guard(&link, || {
            link.pulse.call(Call::Drop);
            drop(core);
            Ok(())
        });
        // After the drop: a thread may wait for a channel whose sender the UDF has.
        let joined = match crew {
            Some(crew) if !matches!(ended, Err(AgentError::NotReturned { .. })) => crew.join(grace),
            _ => Ok(()),
        };
        // Watch until here: `close` blocks while a thread writes, and Kapacitor waits for a process
        // to exit. Only the watchdog can end both waits.
        drop(watch);
        let result = ended.and(told).and(closed).and(stopped).and(dropped).and(joined);
        if result.is_err() {
            link.counters.add(Count::Errors, 1);
        }
        result
    }

    /// Returns the part of the connection that other threads may use.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

/// Reads and handles requests until the input ends. Calls `start_ticks` with their interval if the
/// handler asks for ticks.
fn exchange(
    reader: &mut FrameReader<Requests>,
    core: &Mutex<Core>,
    link: &Link,
    mut start_ticks: impl FnMut(Duration) -> Result<(), AgentError>,
) -> Result<End, AgentError> {
    let tick_due = lock(core).tick_due();
    loop {
        // An HTTP request can be shorter than the frame that its first bytes announce. Waiting for
        // the rest would then last until the time limit.
        if !link.pulse.is_started() && is_http(reader.rest()) {
            return Err(AgentError::Http);
        }
        // Release the lock before the reader blocks for input, so that ticks need not wait for the
        // peer.
        let mut held = lock(core);
        let drained = guard(link, || held.drain(reader));
        if drained.is_err() {
            // Under the same lock, so that no tick can call a handler that has failed.
            held.end_ticks();
        }
        let is_within_batch = held.is_within_batch();
        let crew = held.crew();
        drop(held);
        let has_failed = crew.is_some_and(|crew| crew.has_failed());
        if let Some(every) = drained? {
            start_ticks(every)?;
        }
        // A ticker that found the lock held has set this flag before. Check it now that the lock is
        // free: otherwise the tick would wait for the next input.
        if tick_due.load(Ordering::SeqCst) || has_failed {
            continue;
        }
        link.pulse.wait_for_input(is_within_batch || reader.is_within_frame());
        match reader.fill() {
            Ok(true) => link.pulse.take_input(),
            Ok(false) => return Ok(End::Closed),
            Err(error) => match Stopped::of(&error) {
                // The stop may have cut a message in two. That is not an error of Kapacitor.
                Some(stopped) => return Ok(End::Stopped(stopped.to_string())),
                None => return Err(AgentError::of_reader(error)),
            },
        }
    }
}

/// Returns whether the input begins with an HTTP request. A request of Kapacitor never begins with
/// these bytes, because they would be an unknown field.
fn is_http(input: &[u8]) -> bool {
    ["GET ", "HEAD ", "POST ", "PUT ", "OPTIONS "]
        .iter()
        .any(|method| input.starts_with(method.as_bytes()))
}

/// Returns the function that gets the error of a worker or a thread. It takes the error if the
/// agent waits for input.
fn attend(core: &Arc<Mutex<Core>>) -> Attend {
    let core = Arc::downgrade(core);
    Box::new(move |error| {
        let Some(core) = core.upgrade() else { return Some(error) };
        let Some(mut core) = if_free(&core) else { return Some(error) };
        // Under the same lock, so that no tick can call a handler that has failed.
        core.fail(error);
        None
    })
}

/// An agent that runs on its own thread.
#[derive(Debug)]
#[must_use = "only `wait` tells how the connection ends"]
pub struct RunningAgent {
    thread: JoinHandle<Result<(), AgentError>>,
}

impl RunningAgent {
    /// Blocks until the connection has ended.
    ///
    /// # Errors
    /// Returns the errors of [`Agent::run`].
    pub fn wait(self) -> Result<(), AgentError> {
        self.thread.join().unwrap_or_else(|panic| {
            Err(AgentError::Panicked { call: Call::Drop, message: panic_text(&*panic) })
        })
    }
}
