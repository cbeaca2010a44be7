//! The loop of one connection: reads requests, calls the handler, writes the answers.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use udf_proto::EdgeType;
use udf_proto::frame::FrameReader;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::core::{BEFORE_INIT, Core, End, Requests};
use crate::agent::counters::Count;
use crate::agent::edge::Edge;
use crate::agent::error::panic_text;
use crate::agent::handler::Handler;
use crate::agent::limits::Limits;
use crate::agent::link::{Link, OnUnfit};
use crate::agent::pulse::Call;
use crate::agent::shortage;
use crate::agent::stop::Stopped;
use crate::agent::sync::thread::{self, JoinHandle};
use crate::agent::sync::{Mutex, lock};
use crate::agent::ticker::Ticker;
use crate::agent::transport::{Transport, Writer};
use crate::agent::watchdog::{Watch, WatchLimits};

/// Serves one connection with a handler, over any reader and writer.
///
/// When the input ends, what was read is answered, then the writer is dropped, then the handler's `stop`
/// is called. When something fails, what was earned is written first, then an ErrorResponse with the reason.
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
#[must_use = "an agent serves nobody before `run` or `start` is called"]
pub struct Agent<H: Handler> {
    reader: FrameReader<Requests>,
    link: Arc<Link>,
    core: Core<H>,
    /// What the watchdog needs, if the connection is to be watched.
    watched: Option<(Box<dyn Transport>, WatchLimits)>,
    /// The limit of frames before Init, if it is another than behind it.
    init_limit: Option<usize>,
}

impl<H: Handler> Agent<H> {
    /// An agent that has not started.
    pub fn new(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        handler: H,
    ) -> Self {
        let link = Arc::new(Link::new(Box::new(writer)));
        let core = Core::new(handler, Arc::clone(&link));
        let reader = FrameReader::new(Box::new(reader) as Requests);
        Agent { reader, link, core, watched: None, init_limit: None }
    }

    /// Refuses frames of more than `limit` bytes; 64 MiB unless it is set.
    ///
    /// A snapshot that would be larger is left out, with an error in the log: it could not be restored.
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

    /// Keeps Kapacitor hearing from this connection while its handler is busy with one call for up to
    /// `budget`, or for ever, and while it is busy with many.
    ///
    /// While there is more input to handle, what was emitted goes out a few times a second.
    ///
    /// `writer` has the descriptor that the agent's writer writes to: it is asked whether there is room, so
    /// that a sign of life never waits.
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

    /// Sets up an agent as every home of a UDF does: with its limits and policies, and watched.
    pub(crate) fn limits(
        mut self,
        limits: &Limits,
        transport: impl Transport + 'static,
        allowance: &Arc<Allowance>,
    ) -> Self {
        let budgets = WatchLimits {
            busy: limits.busy,
            hangup: limits.hangup,
            stop: limits.shutdown,
            reads_batches: H::Wants::TYPE == EdgeType::Batch,
        };
        let peer = transport.peer();
        self.watched = Some((Box::new(transport), budgets));
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

    /// Serves the connection on a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(self) -> Result<RunningAgent, AgentError> {
        let thread = thread::Builder::new().name("agent".to_owned()).spawn(|| self.run());
        let thread = thread.map_err(shortage::of("no thread could be started for the connection"));
        Ok(RunningAgent { thread: thread.map_err(AgentError::Thread)? })
    }

    /// Serves the connection until it ends.
    ///
    /// # Errors
    /// When it ended before its input did; Kapacitor was told why, if it still listens.
    pub fn run(self) -> Result<(), AgentError> {
        let Agent { mut reader, link, core, watched, init_limit } = self;
        let watch = watched
            .map(|(transport, budgets)| Watch::new(Arc::clone(&link), transport, budgets))
            .transpose();
        let (watch, is_watched) = match watch {
            Ok(watch) => (watch, Ok(())),
            Err(error) => (None, Err(AgentError::Thread(error))),
        };
        let core = Arc::new(Mutex::new(core));
        let mut ticker = None;
        let exchanged = is_watched
            .and_then(|()| guard(&link, || exchange(&mut reader, &core, &link, &mut ticker)));
        let exchanged = exchanged.map_err(|error| match init_limit {
            Some(limit) if !link.pulse.is_started() => error.before_init(limit).of_writer(),
            _ => error.of_writer(),
        });
        drop(ticker);
        // What it has of a request that is not handled is given back, before `stop` takes its time.
        drop(reader);
        // Only now: until then a tick can fail.
        let mut ended = exchanged.and_then(|end| lock(&core).take_failure().map(|()| end));
        if ended.is_ok() {
            ended = guard(&link, || lock(&core).finish()).and(ended);
        }
        let told = lock(&core).last_words(&ended);
        let closed = link.close().map_err(AgentError::from);
        if let Some(watch) = &watch {
            watch.close_output();
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
        // Only now: closing waits for a thread that writes, and Kapacitor for the end of a process.
        drop(watch);
        let result = ended.and(told).and(closed).and(stopped).and(dropped);
        if result.is_err() {
            link.counters.add(Count::Errors, 1);
        }
        result
    }

    /// What others may see of the connection.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

/// Reads and handles until the input ends.
fn exchange<H: Handler>(
    reader: &mut FrameReader<Requests>,
    core: &Arc<Mutex<Core<H>>>,
    link: &Arc<Link>,
    ticker: &mut Option<Ticker>,
) -> Result<End, AgentError> {
    let tick_due = lock(core).tick_due();
    loop {
        // It could be shorter than the frame that it seems to announce, and wait for an answer.
        if !link.pulse.is_started() && is_http(reader.rest()) {
            return Err(AgentError::Http);
        }
        // Nobody holds the lock while the reader waits.
        let mut held = lock(core);
        let drained = guard(link, || held.drain(reader));
        if drained.is_err() {
            // Still under the lock: a handler that has failed is called no more, by a tick either.
            held.end_ticks();
        }
        let is_within_batch = held.is_within_batch();
        drop(held);
        if let Some(period) = drained? {
            *ticker = Some(start_ticks(period, core, link)?);
        }
        if tick_due.load(Ordering::SeqCst) {
            continue;
        }
        link.pulse.wait_for_input(is_within_batch || reader.is_within_frame());
        match reader.fill() {
            Ok(true) => link.pulse.take_input(),
            Ok(false) => return Ok(End::Closed),
            Err(error) => match Stopped::of(&error) {
                // Kapacitor may have been within a message, which is not its mistake.
                Some(stopped) => return Ok(End::Stopped(stopped.to_string())),
                None => return Err(AgentError::of_reader(error)),
            },
        }
    }
}

/// Returns whether this is the begin of a request of HTTP. No request of Kapacitor begins with these bytes: they would
/// be a field that none has.
fn is_http(input: &[u8]) -> bool {
    ["GET ", "HEAD ", "POST ", "PUT ", "OPTIONS "]
        .iter()
        .any(|method| input.starts_with(method.as_bytes()))
}

/// Makes the handler tick every `period`: on the ticker's thread while the agent waits for input, else on the agent's
/// own, between two requests.
fn start_ticks<H: Handler>(
    period: Duration,
    core: &Arc<Mutex<Core<H>>>,
    link: &Arc<Link>,
) -> Result<Ticker, AgentError> {
    let (core, link) = (Arc::clone(core), Arc::clone(link));
    let due = lock(&core).tick_due();
    let tick = move || {
        let _entered = link.span.enter();
        // Before the lock is tried: whoever holds it looks at this once more when it is free.
        due.store(true, Ordering::SeqCst);
        let mut core = match core.try_lock() {
            Ok(core) => core,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return true,
        };
        if core.ticks_have_ended() {
            return false;
        }
        match guard(&link, || core.tick_if_due()) {
            Ok(()) => true,
            Err(error) => {
                // Still under the lock: a handler that has failed is called no more.
                core.fail(error);
                false
            }
        }
    };
    let ticker = Ticker::start(period, tick);
    ticker.map_err(shortage::of("no thread could be started for ticks")).map_err(AgentError::Thread)
}

/// Makes an error of a panic of the handler.
fn guard<T>(link: &Link, work: impl FnOnce() -> Result<T, AgentError>) -> Result<T, AgentError> {
    // Behind the panic, only the answer about it and `stop` are asked of the core.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(AgentError::Panicked { call: link.pulse.last_call(), message: panic_text(&*panic) })
    })
}

/// An agent on a thread of its own.
#[derive(Debug)]
#[must_use = "only `wait` tells how the connection ends"]
pub struct RunningAgent {
    thread: JoinHandle<Result<(), AgentError>>,
}

impl RunningAgent {
    /// Waits until the connection has ended.
    ///
    /// # Errors
    /// Those of [`Agent::run`].
    pub fn wait(self) -> Result<(), AgentError> {
        self.thread.join().unwrap_or_else(|panic| {
            Err(AgentError::Panicked { call: Call::Drop, message: panic_text(&*panic) })
        })
    }
}
