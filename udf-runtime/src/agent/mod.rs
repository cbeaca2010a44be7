//! The loop of one connection: reads requests, calls the handler, writes the answers.

mod core;
mod ticker;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use udf_proto::EdgeType;
use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::request::RequestError;

use self::core::Core;
use self::ticker::Ticker;
use crate::allowance::Allowance;
use crate::counters::Count;
use crate::error_text::{chain, panic_text};
use crate::link::{EmitError, Link, OnUnfit, lock};
pub use crate::pulse::Call;
use crate::shortage;
use crate::stop::Stopped;
use crate::sync::Mutex;
use crate::sync::thread::{self, JoinHandle};
use crate::transport::{Transport, Writer};
use crate::watchdog::{Budgets, Watch};
use crate::{Edge, Error, Handler, Limits};

/// Why an agent ended before its input did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// What came is not framed messages; where the next one begins is not known.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A request is over the limit that holds before Init.
    #[error(
        "a request of {length} bytes came before Init, over the limit of {limit} bytes until then; raise \
         --init-limit if a task has options of that size"
    )]
    LongBeforeInit {
        /// The length of the request.
        length: u64,
        /// The limit.
        limit: usize,
    },
    /// No Init has come in time.
    #[error(
        "no Init has come within {within:?} since the connection was opened; raise --init-timeout if it needs longer"
    )]
    NoInit {
        /// The time.
        within: Duration,
    },
    /// A request that needs memory beyond the connection's own buffer has not come whole in time.
    #[error(
        "a large request was not complete {within:?} after its begin; raise --request-timeout if it needs longer"
    )]
    Unfinished {
        /// The time.
        within: Duration,
    },
    /// A frame is not a request of this protocol.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The other side speaks HTTP.
    #[error(
        "malformed request: it is HTTP, but this socket takes requests of Kapacitor only; --metrics serves counts over \
         HTTP"
    )]
    Http,
    /// A request came when it must not.
    #[error("unexpected {request}: {reason}")]
    OutOfOrder {
        /// What came.
        request: &'static str,
        /// What is wrong about it.
        reason: &'static str,
    },
    /// A method of the handler returned an error.
    #[error("{}", chain(error.as_ref()))]
    Handler {
        /// The method.
        call: Call,
        /// Its error.
        error: Error,
    },
    /// A method of the handler panicked.
    #[error("the handler panicked in {call}: {message}")]
    Panicked {
        /// The method.
        call: Call,
        /// What it said.
        message: String,
    },
    /// Answers could not be written.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A thread could not be started.
    #[error("{0}")]
    Thread(io::Error),
}

impl AgentError {
    /// The error of a reader that has failed, which may be one of ours.
    fn of_reader(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => {
                error.downcast().unwrap_or_else(|error| FrameError::Io(error).into())
            }
            error => error.into(),
        }
    }

    /// The error of a writer that has failed, which may have waited for the other side until Init was overdue.
    fn of_writer(self) -> Self {
        let overdue = match &self {
            AgentError::Emit(EmitError::Write(error)) => error.get_ref(),
            _ => None,
        };
        match overdue.and_then(|error| error.downcast_ref()) {
            Some(&AgentError::NoInit { within }) => AgentError::NoInit { within },
            _ => self,
        }
    }

    /// Names the limit that holds before Init, where that was `limit`.
    fn before_init(self, limit: usize) -> Self {
        match self {
            AgentError::Frame(FrameError::TooLong { length, limit: found }) if found == limit => {
                AgentError::LongBeforeInit { length, limit }
            }
            other => other,
        }
    }

    /// Whether the other side was waited for in vain.
    pub(crate) fn is_overdue(&self) -> bool {
        matches!(self, AgentError::NoInit { .. } | AgentError::Unfinished { .. })
    }

    /// What failed, for the log: whoever speaks another protocol does so from the start.
    pub(crate) fn told(&self, link: &Link) -> String {
        let strange = match self {
            AgentError::Frame(error) => matches!(
                error,
                FrameError::TooLong { .. } | FrameError::BadLength | FrameError::Cut { .. }
            ),
            AgentError::Request(_) | AgentError::LongBeforeInit { .. } => true,
            _ => false,
        };
        match strange && !link.pulse.is_started() {
            true => format!("{self}; no task was started, so the other side may not be Kapacitor"),
            false => self.to_string(),
        }
    }
}

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
    reader: FrameReader<Input>,
    link: Arc<Link>,
    core: Core<H>,
    /// What the watchdog needs, if the connection is to be watched.
    watched: Option<(Box<dyn Transport>, Budgets)>,
    /// The limit of frames before Init, if it is another than behind it.
    init_limit: Option<usize>,
}

/// A connection that has had no Init has buffers of about this size: anybody can open many.
const BEFORE_INIT: usize = 16 << 10;

/// Boxed, so that the loop is compiled once for a handler; a call for each read is nothing beside the read.
type Input = Box<dyn Read + Send>;

impl<H: Handler> Agent<H> {
    /// An agent that has not started.
    pub fn new(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        handler: H,
    ) -> Self {
        let link = Arc::new(Link::new(Box::new(writer)));
        let core = Core::new(handler, Arc::clone(&link));
        let reader = FrameReader::new(Box::new(reader) as Input);
        Agent { reader, link, core, watched: None, init_limit: None }
    }

    /// Refuses frames of more than `limit` bytes; 64 MiB unless it is set.
    ///
    /// A snapshot that would be larger is left out, with an error in the log: it could not be restored.
    pub fn with_frame_limit(mut self, limit: usize) -> Self {
        self.reader = self.reader.with_limit(limit);
        self.core.set_frame_limit(limit);
        self
    }

    /// Sets what happens to points that Kapacitor cannot store. Defaults to [`OnUnfit::Drop`].
    pub fn with_unfit_points(self, on_unfit: OnUnfit) -> Self {
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
    pub fn with_liveness(
        mut self,
        writer: impl AsFd + Send + 'static,
        budget: Option<Duration>,
    ) -> Self {
        self.watched = Some((
            Box::new(Writer::new(writer)),
            Budgets { busy: budget, hangup: None, stop: Duration::ZERO, reads_batches: false },
        ));
        self
    }

    /// Sets up an agent as every home of a UDF does: with its limits and policies, and watched.
    pub(crate) fn with_limits(
        mut self,
        limits: &Limits,
        transport: impl Transport + 'static,
        allowance: &Arc<Allowance>,
    ) -> Self {
        let budgets = Budgets {
            busy: limits.busy,
            hangup: limits.hangup,
            stop: limits.farewell,
            reads_batches: H::Wants::TYPE == EdgeType::Batch,
        };
        self.watched = Some((Box::new(transport), budgets));
        let mut agent = self.with_frame_limit(limits.frame).with_unfit_points(limits.unfit_points);
        agent.core.set_allowance(Arc::clone(allowance));
        agent.reader = agent.reader.with_room(allowance.room());
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

/// How the input has ended when nothing has failed.
enum End {
    /// The other side has closed it.
    Closed,
    /// We were asked to stop, for this reason.
    Stopped(String),
}

/// Reads and handles until the input ends.
fn exchange<H: Handler>(
    reader: &mut FrameReader<Input>,
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
