//! Answers the requests of a connection with the calls of its handler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use udf_proto::frame;
use udf_proto::messages::{
    ErrorResponse, InitResponse, KeepaliveResponse, RestoreResponse, SnapshotResponse,
    response::Message,
};
use udf_proto::request::Incoming;
use udf_proto::ticks::{self, TickRequest};
use udf_proto::{BeginBatch, EdgeType, EndBatch, Info, Init, Point};

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::any::Connected;
use crate::agent::counters::Count;
use crate::agent::crew::Crew;
use crate::agent::emitter::Output;
use crate::agent::error::{self, MAX_TEXT};
use crate::agent::handler::Verdict;
use crate::agent::link::Link;
use crate::agent::pulse::Call;
use crate::agent::rate_limit::RateLimit;

/// The size of a frame beyond its snapshot: a restored snapshot must fit into one frame.
const FRAME_MARGIN: usize = 32;

/// The approximate size of the buffers before Init. It is small because any peer can open many
/// connections.
pub(super) const BEFORE_INIT: usize = 16 << 10;

/// The shortest interval of ticks. A shorter one would leave little time for points.
pub(crate) const MIN_TICK: Duration = Duration::from_millis(1);

pub(super) struct Talk {
    /// The handler and its output.
    pub(super) udf: Box<dyn Connected>,
    wants: EdgeType,
    provides: EdgeType,
    pub(super) link: Arc<Link>,
    pub(super) started: bool,
    pub(super) allowance: Option<Arc<Allowance>>,
    /// Whether the span of the connection names the task.
    is_named: bool,
    pub(super) in_batch: bool,
    /// Set once, when an accepted Init asks for ticks by the clock.
    pub(super) tick_every: Option<Duration>,
    /// Whether the host requests the ticks; see [`udf_proto::ticks`].
    ticks_on_request: bool,
    /// The interval of ticks on request, if there are any.
    requested_every: Option<Duration>,
    /// The workers and threads of the task, if there are any.
    pub(super) crew: Option<Arc<Crew>>,
    /// The error of a tick, a worker or a thread. The agent picks it up after its next read.
    pub(super) failure: Option<AgentError>,
    /// Whether an ErrorResponse was sent. Only the first error is sent.
    told: bool,
    /// The points since the last update of the counters.
    points: u64,
    batches: u64,
    pub(super) bytes: u64,
    unknown: RateLimit,
    snapshot_limit: usize,
}

impl Talk {
    pub(super) fn new(udf: Box<dyn Connected>, link: Arc<Link>) -> Self {
        let (wants, provides) = udf.edges();
        Talk {
            udf,
            wants,
            provides,
            link,
            started: false,
            allowance: None,
            is_named: false,
            in_batch: false,
            tick_every: None,
            ticks_on_request: false,
            requested_every: None,
            crew: None,
            failure: None,
            told: false,
            points: 0,
            batches: 0,
            bytes: 0,
            unknown: RateLimit::default(),
            snapshot_limit: frame::DEFAULT_LIMIT - FRAME_MARGIN,
        }
    }

    /// Refuses to take snapshots that would not fit into a frame of `limit` bytes when they are
    /// restored.
    pub(super) fn set_frame_limit(&mut self, limit: usize) {
        self.snapshot_limit = limit.min(frame::MAX_LIMIT).saturating_sub(FRAME_MARGIN);
    }

    pub(super) fn output(&mut self) -> &mut Output {
        self.udf.output()
    }

    pub(super) fn count(&mut self) {
        let counters = &self.link.counters;
        counters.add(Count::PointsIn, std::mem::take(&mut self.points));
        counters.add(Count::BatchesIn, std::mem::take(&mut self.batches));
        counters.add(Count::BytesIn, std::mem::take(&mut self.bytes));
    }

    #[inline]
    pub(super) fn point(&mut self, point: &Point<'_>) -> Result<(), AgentError> {
        let expected = match self.wants {
            EdgeType::Stream => self.started,
            EdgeType::Batch => self.in_batch,
        };
        if !expected {
            return Err(self.out_of_order("point", "it lies outside of a batch"));
        }
        self.points += 1;
        self.called(Call::Point, |udf| udf.point(point))
    }

    pub(super) fn other(&mut self, incoming: Incoming<'_>) -> Result<(), AgentError> {
        self.settle()?;
        match incoming {
            Incoming::Info => {
                self.link.pulse.call(Call::Info);
                let options = self.untimed(|talk| talk.udf.info());
                let info = Info { wants: self.wants, provides: self.provides, options };
                self.output().answer(Message::Info(info.into()));
            }
            Incoming::Init(init) => {
                let verdict = match init {
                    Ok(init) => self.init(init)?,
                    Err(error) => Verdict::Refused(error.to_string()),
                };
                let (success, error) = said(verdict);
                self.output().answer(Message::Init(InitResponse { success, error }));
            }
            Incoming::Keepalive { time } => {
                let time = self.keepalive(time)?;
                self.output().answer(Message::Keepalive(KeepaliveResponse { time }));
            }
            Incoming::Snapshot => {
                let mut snapshot = self.called(Call::Snapshot, |udf| udf.snapshot())?;
                if snapshot.len() > self.snapshot_limit {
                    // An error would stop the task now, in favor of a restart that may never
                    // happen.
                    tracing::error!(
                        "the snapshot was skipped: its {} bytes are over the limit of {}, so it could \
                         not be restored; limit the groups of the state, or raise the limit of frames",
                        snapshot.len(),
                        self.snapshot_limit
                    );
                    snapshot = Vec::new();
                }
                self.output().answer(Message::Snapshot(SnapshotResponse { snapshot }));
            }
            Incoming::Restore { snapshot } => {
                let verdict = if self.started {
                    self.called(Call::Restore, |udf| udf.restore(&snapshot))?
                } else {
                    Verdict::Refused("a snapshot can be restored after Init only".to_owned())
                };
                let (success, error) = said(verdict);
                self.output().answer(Message::Restore(RestoreResponse { success, error }));
            }
            Incoming::Begin(begin) => self.begin(&begin)?,
            Incoming::End(end) => self.end(&end)?,
            _ => {
                if let Some(held_back) = self.unknown.pass() {
                    tracing::warn!("ignored a request of an unknown kind{held_back}");
                }
            }
        }
        if !self.started {
            self.output().flush_if(BEFORE_INIT)?;
        }
        Ok(self.output().flush_if_much()?)
    }

    /// Waits until the workers have handled all points, so that the handler is whole again and
    /// answers keep the order of the requests.
    pub(super) fn settle(&mut self) -> Result<(), AgentError> {
        if let Some(crew) = &self.crew {
            crew.settle();
        }
        self.take_failure()
    }

    pub(super) fn take_failure(&mut self) -> Result<(), AgentError> {
        let of_crew = || self.crew.as_ref().and_then(|crew| crew.take_failure());
        self.failure.take().or_else(of_crew).map_or(Ok(()), Err)
    }

    /// Runs a call whose time does not count against the peer's limit for Init.
    fn untimed<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = call(self);
        self.allowance.iter().for_each(|allowance| allowance.leave_out(begun.elapsed()));
        done
    }

    fn init(&mut self, init: Init) -> Result<Verdict, AgentError> {
        if self.started {
            return Ok(Verdict::Refused("this connection already had its Init".to_owned()));
        }
        let (task, node) = (init.task_id.clone(), init.node_id.clone());
        // From here on, every log line of this connection names the task and the node.
        if !std::mem::replace(&mut self.is_named, true) {
            tracing::Span::current().record("task", &task).record("node", &node);
        }
        let verdict = self.untimed(|talk| {
            talk.called(Call::Init, |udf| {
                // An error refuses this Init, as an error of the author's `init` does.
                let refused = |error: crate::agent::error::Error| {
                    Verdict::Refused(error::line(error.as_ref(), MAX_TEXT))
                };
                Ok(udf.init(init).unwrap_or_else(refused))
            })
        })?;
        let crew = self.udf.crew();
        if verdict != Verdict::Accepted {
            return Ok(refused(verdict, crew));
        }
        let tick_every = self.udf.tick_every();
        if let Some(every) = tick_every.filter(|every| *every < MIN_TICK) {
            let why = format!(
                "the UDF asks for a tick every {every:?}, but the interval must be at least {MIN_TICK:?}"
            );
            return Ok(refused(Verdict::Refused(why), crew));
        }
        self.started = true;
        self.crew = crew;
        self.allowance.iter().for_each(|allowance| allowance.start());
        self.link.pulse.name_task(&task, &node);
        let every =
            if self.ticks_on_request { &mut self.requested_every } else { &mut self.tick_every };
        *every = tick_every;
        Ok(verdict)
    }

    /// Does what a keepalive with this time requests. Returns the time of its echo.
    fn keepalive(&mut self, time: i64) -> Result<i64, AgentError> {
        match TickRequest::from_keepalive(time) {
            Some(TickRequest::OnRequest { strict }) if !self.started => {
                self.ticks_on_request = true;
                if strict {
                    self.link.refuse_remote();
                }
            }
            Some(TickRequest::OnRequest { .. }) if self.ticks_on_request => {
                return Ok(ticks::interval_to_keepalive(self.requested_every));
            }
            Some(TickRequest::Tick { time }) if self.requested_every.is_some() => {
                self.tick(Some(time))?;
            }
            _ => {}
        }
        Ok(time)
    }

    /// Calls the handler. New points without a time get `time`, or else the wall-clock time.
    pub(super) fn tick(&mut self, time: Option<i64>) -> Result<(), AgentError> {
        self.settle()?;
        self.called(Call::Tick, |udf| {
            udf.output().set_time(time);
            udf.tick()
        })
    }

    fn begin(&mut self, begin: &BeginBatch) -> Result<(), AgentError> {
        if self.wants == EdgeType::Stream || !self.started || self.in_batch {
            return Err(self.out_of_order("begin of a batch", "the last batch has not ended"));
        }
        self.in_batch = true;
        self.batches += 1;
        self.called(Call::BeginBatch, |udf| udf.begin_batch(begin))
    }

    fn end(&mut self, end: &EndBatch) -> Result<(), AgentError> {
        if !self.in_batch {
            return Err(self.out_of_order("end of a batch", "no batch has begun"));
        }
        self.in_batch = false;
        self.output().set_time(Some(end.tmax));
        self.called(Call::EndBatch, |udf| udf.end_batch(end))
    }

    #[inline]
    pub(super) fn called<T>(
        &mut self,
        call: Call,
        work: impl FnOnce(&mut dyn Connected) -> crate::agent::error::Result<T>,
    ) -> Result<T, AgentError> {
        self.link.pulse.call(call);
        if !matches!(call, Call::Point | Call::EndBatch) {
            self.output().set_time(None);
        }
        work(&mut *self.udf).map_err(|error| AgentError::Handler { call, error })
    }

    /// Returns an error with the most helpful reason why a request is not allowed now.
    #[cold]
    fn out_of_order(&self, request: &'static str, otherwise: &'static str) -> AgentError {
        let reason = if !self.started {
            "the UDF has not been started by an Init"
        } else if self.wants == EdgeType::Stream && request != "point" {
            "this UDF reads a stream, not batches"
        } else {
            otherwise
        };
        AgentError::OutOfOrder { request, reason }
    }

    /// Queues an ErrorResponse for `error`, unless one was sent already or cannot be sent.
    pub(super) fn report(&mut self, error: &AgentError) {
        if self.told || matches!(error, AgentError::Emit(_)) {
            return;
        }
        self.tell(error.to_string());
    }

    /// Queues an ErrorResponse and flushes.
    pub(super) fn tell(&mut self, error: String) {
        self.told = true;
        self.output().answer(Message::Error(ErrorResponse { error: error::cut(error, MAX_TEXT) }));
        // If the flush fails, the returned error still names the original cause.
        let _ = self.output().flush();
    }
}

/// Ends the threads of a refused Init, which have not begun.
fn refused(verdict: Verdict, crew: Option<Arc<Crew>>) -> Verdict {
    if let Some(crew) = crew {
        crew.stop();
        // They return at once, so the limit is never reached.
        let _ = crew.join(Duration::MAX);
    }
    verdict
}

fn said(verdict: Verdict) -> (bool, String) {
    match verdict {
        Verdict::Accepted => (true, String::new()),
        Verdict::Refused(reason) => (false, error::cut(reason, MAX_TEXT)),
    }
}
