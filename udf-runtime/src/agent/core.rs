//! Handles the requests of a connection, independent of their source.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use udf_proto::frame::{self, FrameReader};
use udf_proto::messages::{
    ErrorResponse, InitResponse, KeepaliveResponse, RestoreResponse, SnapshotResponse,
    response::Message,
};
use udf_proto::point::PointIndex;
use udf_proto::request::{self, Incoming, RequestError};
use udf_proto::{BeginBatch, EdgeType, EndBatch, Info, Init, Point};

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::counters::Count;
use crate::agent::edge::Edge;
use crate::agent::emitter::Emitter;
use crate::agent::error::{self, MAX_TEXT};
use crate::agent::handler::{Handler, Verdict};
use crate::agent::link::Link;
use crate::agent::pulse::Call;
use crate::agent::rate_limit::RateLimit;

/// The size of a frame beyond its snapshot: a restored snapshot must fit into one frame.
const FRAME_MARGIN: usize = 32;

/// The room for merging points that is kept while the connection is idle.
const KEPT_SPARE: usize = 64 << 10;

/// The approximate size of the buffers before Init. It is small because any peer can open many
/// connections.
pub(super) const BEFORE_INIT: usize = 16 << 10;

/// The source of requests. It is boxed so that the loop is compiled once per handler. The dynamic
/// call costs nothing compared with a read.
pub(super) type Requests = Box<dyn Read + Send>;

/// The end of an input that has not failed.
pub(super) enum End {
    /// The peer closed the input.
    Closed,
    /// A stop was requested, for this reason.
    Stopped(String),
}

pub(super) struct Core<H: Handler> {
    handler: H,
    /// The output and the state of the conversation. They are separate from the index because a
    /// point borrows the index.
    talk: Talk<H>,
    index: PointIndex,
    spare: Vec<u8>,
    frame_limit: usize,
    ticks_have_ended: bool,
    /// Set by the timer when a tick is due. Cleared by the thread that ticks.
    tick_due: Arc<AtomicBool>,
}

struct Talk<H: Handler> {
    out: Emitter<H::Provides>,
    link: Arc<Link>,
    started: bool,
    allowance: Option<Arc<Allowance>>,
    /// Whether the span of the connection names the task.
    is_named: bool,
    in_batch: bool,
    /// Set once, when an accepted Init asks for ticks.
    tick_every: Option<Duration>,
    /// The error of a tick. The agent picks it up after its next read.
    failure: Option<AgentError>,
    /// Whether an ErrorResponse was sent. Only the first error is sent.
    told: bool,
    /// The points since the last update of the counters.
    points: u64,
    batches: u64,
    bytes: u64,
    unknown: RateLimit,
    snapshot_limit: usize,
}

impl<H: Handler> Core<H> {
    pub(super) fn new(handler: H, link: Arc<Link>) -> Self {
        let talk = Talk {
            out: Emitter::new(Arc::clone(&link)),
            link,
            started: false,
            allowance: None,
            is_named: false,
            in_batch: false,
            tick_every: None,
            failure: None,
            told: false,
            points: 0,
            batches: 0,
            bytes: 0,
            unknown: RateLimit::default(),
            snapshot_limit: frame::DEFAULT_LIMIT - FRAME_MARGIN,
        };
        Core {
            handler,
            talk,
            index: PointIndex::new(),
            spare: Vec::new(),
            frame_limit: frame::DEFAULT_LIMIT,
            ticks_have_ended: false,
            tick_due: Arc::default(),
        }
    }

    /// Refuses to take snapshots that would not fit into a frame of `limit` bytes when they are
    /// restored.
    pub(super) fn set_frame_limit(&mut self, limit: usize) {
        self.frame_limit = limit;
        self.talk.snapshot_limit = limit.min(frame::MAX_LIMIT).saturating_sub(FRAME_MARGIN);
    }

    /// Sets the allowance, which grows when Init is accepted.
    pub(super) fn set_allowance(&mut self, allowance: Arc<Allowance>) {
        self.talk.allowance = Some(allowance);
    }

    /// Handles every complete frame that has been read, and flushes the output.
    ///
    /// Returns the interval of ticks, once, after a handler has asked for ticks.
    pub(super) fn drain(
        &mut self,
        reader: &mut FrameReader<Requests>,
    ) -> Result<Option<Duration>, AgentError> {
        let (handled, written) = self.timed(|core| {
            let handled = core.handle_all(reader);
            core.talk.count();
            core.index.give_room_back();
            core.spare.clear();
            core.spare.shrink_to(KEPT_SPARE);
            // Returns memory before a write can block.
            reader.trim();
            (handled, core.talk.out.flush())
        });
        // Rest only after the write: while the write blocks, the watchdog must see the connection
        // as busy.
        self.talk.link.pulse.rest();
        handled?;
        written?;
        Ok(self.talk.tick_every.take())
    }

    /// Measures the time of `work`, which includes calls of the handler and writes.
    fn timed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = work(self);
        self.talk.link.counters.add(Count::BusyNanos, begun.elapsed().as_nanos() as u64);
        done
    }

    fn handle_all(&mut self, reader: &mut FrameReader<Requests>) -> Result<(), AgentError> {
        self.take_failure()?;
        loop {
            if self.take_tick() {
                self.tick()?;
            }
            let Some(frame) = reader.buffered_frame()? else { return Ok(()) };
            if self.talk.link.take_flush_request() {
                self.talk.out.flush()?;
            }
            self.talk.bytes += frame.len() as u64;
            // Almost every frame is a point. Passing points around as requests would cost as much
            // as a lookup.
            if let Some(point) = request::point_bytes(frame) {
                let point = self.index.parse(point).map_err(RequestError::Point)?;
                self.talk.point(&mut self.handler, &point)?;
                continue;
            }
            match request::decode(frame, &mut self.index, &mut self.spare)? {
                Incoming::Point(point) => self.talk.point(&mut self.handler, &point)?,
                other => {
                    let had_started = self.talk.started;
                    self.talk.other(&mut self.handler, other)?;
                    if self.talk.started && !had_started {
                        reader.set_limit(self.frame_limit);
                        reader.set_base(usize::MAX);
                    }
                }
            }
        }
    }

    fn tick(&mut self) -> Result<(), AgentError> {
        self.talk.called(Call::Tick, |out| self.handler.tick(out))?;
        // Drop a tick that came due during this one, so that slow ticks leave time for points.
        self.tick_due.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Returns the flag to set when a tick is due.
    pub(super) fn tick_due(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.tick_due)
    }

    #[inline]
    fn take_tick(&self) -> bool {
        // The relaxed load keeps the check cheap while no tick is due.
        self.tick_due.load(Ordering::Relaxed) && self.tick_due.swap(false, Ordering::SeqCst)
    }

    /// Ticks, unless another thread has done so since the tick came due.
    pub(super) fn tick_if_due(&mut self) -> Result<(), AgentError> {
        if !self.take_tick() {
            return Ok(());
        }
        self.timed(|core| {
            core.tick()?;
            Ok::<_, AgentError>(core.talk.out.flush()?)
        })?;
        self.talk.link.pulse.rest();
        Ok(())
    }

    /// Returns whether a batch has begun and not ended.
    pub(super) fn is_within_batch(&self) -> bool {
        self.talk.in_batch
    }

    /// Forbids further ticks of the handler.
    pub(super) fn end_ticks(&mut self) {
        self.ticks_have_ended = true;
    }

    pub(super) fn ticks_have_ended(&self) -> bool {
        self.ticks_have_ended
    }

    /// Stores the error of a tick and reports it to Kapacitor at once. The agent picks it up after
    /// its next read.
    pub(super) fn fail(&mut self, error: AgentError) {
        self.talk.report(&error);
        self.talk.link.pulse.rest();
        self.talk.failure = Some(error);
    }

    pub(super) fn take_failure(&mut self) -> Result<(), AgentError> {
        self.talk.failure.take().map_or(Ok(()), Err)
    }

    /// Handles the regular end of the input.
    pub(super) fn finish(&mut self) -> Result<(), AgentError> {
        if self.talk.started {
            self.timed(|core| core.talk.called(Call::Finish, |out| core.handler.finish(out)))?;
        }
        Ok(())
    }

    /// Flushes the output, and sends the reason for the end to Kapacitor unless it was sent
    /// already.
    pub(super) fn last_words(&mut self, ended: &Result<End, AgentError>) -> Result<(), AgentError> {
        // A panic skips the update of the counters.
        self.talk.count();
        match ended {
            Ok(End::Closed) => {}
            Ok(End::Stopped(why)) => {
                self.talk.tell(format!(
                    "{why}; start it again if it is a daemon, then disable and enable the task"
                ));
            }
            Err(error) => self.talk.report(error),
        }
        Ok(self.timed(|core| core.talk.out.flush())?)
    }

    pub(super) fn stop(&mut self) {
        self.talk.link.pulse.call(Call::Stop);
        self.handler.stop();
    }
}

impl<H: Handler> Talk<H> {
    fn count(&mut self) {
        let counters = &self.link.counters;
        counters.add(Count::PointsIn, std::mem::take(&mut self.points));
        counters.add(Count::BatchesIn, std::mem::take(&mut self.batches));
        counters.add(Count::BytesIn, std::mem::take(&mut self.bytes));
    }

    #[inline]
    fn point(&mut self, handler: &mut H, point: &Point<'_>) -> Result<(), AgentError> {
        let expected = match H::Wants::TYPE {
            EdgeType::Stream => self.started,
            EdgeType::Batch => self.in_batch,
        };
        if !expected {
            return Err(self.out_of_order("point", "it lies outside of a batch"));
        }
        self.points += 1;
        self.out.set_time(Some(point.time()));
        self.called(Call::Point, |out| handler.point(point, out))
    }

    fn other(&mut self, handler: &mut H, incoming: Incoming<'_>) -> Result<(), AgentError> {
        match incoming {
            Incoming::Info => {
                self.link.pulse.call(Call::Info);
                let options = self.untimed(|_| handler.info());
                let info = Info { wants: H::Wants::TYPE, provides: H::Provides::TYPE, options };
                self.out.answer(Message::Info(info.into()));
            }
            Incoming::Init(init) => {
                let verdict = match init {
                    Ok(init) => self.init(handler, init)?,
                    Err(error) => Verdict::Refused(error.to_string()),
                };
                let (success, error) = said(verdict);
                self.out.answer(Message::Init(InitResponse { success, error }));
            }
            Incoming::Keepalive { time } => {
                self.out.answer(Message::Keepalive(KeepaliveResponse { time }));
            }
            Incoming::Snapshot => {
                let mut snapshot = self.called(Call::Snapshot, |_| handler.snapshot())?;
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
                self.out.answer(Message::Snapshot(SnapshotResponse { snapshot }));
            }
            Incoming::Restore { snapshot } => {
                let verdict = if self.started {
                    self.called(Call::Restore, |_| handler.restore(&snapshot))?
                } else {
                    Verdict::Refused("a snapshot can be restored after Init only".to_owned())
                };
                let (success, error) = said(verdict);
                self.out.answer(Message::Restore(RestoreResponse { success, error }));
            }
            Incoming::Begin(begin) => self.begin(handler, &begin)?,
            Incoming::End(end) => self.end(handler, &end)?,
            _ => {
                if let Some(held_back) = self.unknown.pass() {
                    tracing::warn!("ignored a request of an unknown kind{held_back}");
                }
            }
        }
        if !self.started {
            self.out.flush_if(BEFORE_INIT)?;
        }
        Ok(self.out.flush_if_much()?)
    }

    /// Runs a call whose time does not count against the peer's limit for Init.
    fn untimed<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = call(self);
        self.allowance.iter().for_each(|allowance| allowance.leave_out(begun.elapsed()));
        done
    }

    fn init(&mut self, handler: &mut H, init: Init) -> Result<Verdict, AgentError> {
        if self.started {
            return Ok(Verdict::Refused("this connection already had its Init".to_owned()));
        }
        let remote = self.out.remote();
        let (task, node) = (init.task_id.clone(), init.node_id.clone());
        // From here on, every log line of this connection names the task and the node.
        if !std::mem::replace(&mut self.is_named, true) {
            tracing::Span::current().record("task", &task).record("node", &node);
        }
        let verdict = self.untimed(|talk| {
            talk.called(Call::Init, |_| {
                // An error refuses this Init, as an error of the author's `init` does.
                let refused = |error: crate::agent::error::Error| {
                    Verdict::Refused(error::line(error.as_ref(), MAX_TEXT))
                };
                Ok(handler.init(init, &remote).unwrap_or_else(refused))
            })
        })?;
        if verdict != Verdict::Accepted {
            return Ok(verdict);
        }
        let tick_every = handler.tick_every();
        if tick_every.is_some_and(|period| period.is_zero()) {
            return Ok(Verdict::Refused(
                "the UDF asks for a tick every 0 s: the interval must be greater than zero"
                    .to_owned(),
            ));
        }
        self.started = true;
        self.allowance.iter().for_each(|allowance| allowance.start());
        self.link.pulse.name_task(&task, &node);
        self.tick_every = tick_every;
        Ok(verdict)
    }

    fn begin(&mut self, handler: &mut H, begin: &BeginBatch) -> Result<(), AgentError> {
        if H::Wants::TYPE == EdgeType::Stream || !self.started || self.in_batch {
            return Err(self.out_of_order("begin of a batch", "the last batch has not ended"));
        }
        self.in_batch = true;
        self.batches += 1;
        self.called(Call::BeginBatch, |out| handler.begin_batch(begin, out))
    }

    fn end(&mut self, handler: &mut H, end: &EndBatch) -> Result<(), AgentError> {
        if !self.in_batch {
            return Err(self.out_of_order("end of a batch", "no batch has begun"));
        }
        self.in_batch = false;
        self.out.set_time(Some(end.tmax));
        self.called(Call::EndBatch, |out| handler.end_batch(end, out))
    }

    #[inline]
    fn called<T>(
        &mut self,
        call: Call,
        work: impl FnOnce(&mut Emitter<H::Provides>) -> crate::agent::error::Result<T>,
    ) -> Result<T, AgentError> {
        self.link.pulse.call(call);
        if !matches!(call, Call::Point | Call::EndBatch) {
            self.out.set_time(None);
        }
        work(&mut self.out).map_err(|error| AgentError::Handler { call, error })
    }

    /// Returns an error with the most helpful reason why a request is not allowed now.
    #[cold]
    fn out_of_order(&self, request: &'static str, otherwise: &'static str) -> AgentError {
        let reason = if !self.started {
            "the UDF has not been started by an Init"
        } else if H::Wants::TYPE == EdgeType::Stream && request != "point" {
            "this UDF reads a stream, not batches"
        } else {
            otherwise
        };
        AgentError::OutOfOrder { request, reason }
    }

    /// Queues an ErrorResponse for `error`, unless one was sent already or cannot be sent.
    fn report(&mut self, error: &AgentError) {
        if self.told || matches!(error, AgentError::Emit(_)) {
            return;
        }
        self.tell(error.to_string());
    }

    /// Queues an ErrorResponse and flushes.
    fn tell(&mut self, error: String) {
        self.told = true;
        self.out.answer(Message::Error(ErrorResponse { error: error::cut(error, MAX_TEXT) }));
        // If the flush fails, the returned error still names the original cause.
        let _ = self.out.flush();
    }
}

fn said(verdict: Verdict) -> (bool, String) {
    match verdict {
        Verdict::Accepted => (true, String::new()),
        Verdict::Refused(reason) => (false, error::cut(reason, MAX_TEXT)),
    }
}
