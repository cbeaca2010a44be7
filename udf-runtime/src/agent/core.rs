//! What an agent does with each request, apart from where requests come from.

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

/// What a frame has around a snapshot: the snapshot must come back in one.
const FRAME_MARGIN: usize = 32;

/// Room for merging points that is kept while there is no input.
const KEPT_SPARE: usize = 64 << 10;

/// A connection that has had no Init has buffers of about this size: anybody can open many.
pub(super) const BEFORE_INIT: usize = 16 << 10;

/// Where an agent reads requests from. Boxed, so that the loop is compiled once for a handler; a call for each read is nothing beside the read.
pub(super) type Requests = Box<dyn Read + Send>;

/// How the input has ended when nothing has failed.
pub(super) enum End {
    /// The other side has closed it.
    Closed,
    /// We were asked to stop, for this reason.
    Stopped(String),
}

pub(super) struct Core<H: Handler> {
    handler: H,
    /// Its way out, and the state of the conversation: apart from the index, which a point borrows.
    talk: Talk<H>,
    index: PointIndex,
    spare: Vec<u8>,
    frame_limit: usize,
    ticks_have_ended: bool,
    /// Set when it is time for a tick, by whoever keeps the time, and taken by whoever ticks.
    tick_due: Arc<AtomicBool>,
}

struct Talk<H: Handler> {
    out: Emitter<H::Provides>,
    link: Arc<Link>,
    started: bool,
    allowance: Option<Arc<Allowance>>,
    /// Whether the log names the task.
    is_named: bool,
    in_batch: bool,
    /// Set once, when an accepted Init asks for ticks.
    tick_every: Option<Duration>,
    /// What went wrong in a tick; the agent learns of it when it has read something.
    failure: Option<AgentError>,
    /// Whether Kapacitor was told of an error; the first one is enough.
    told: bool,
    /// What has come since it was counted last.
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

    /// Takes no snapshots that would not come back in a frame of up to `limit` bytes.
    pub(super) fn set_frame_limit(&mut self, limit: usize) {
        self.frame_limit = limit;
        self.talk.snapshot_limit = limit.min(frame::MAX_LIMIT).saturating_sub(FRAME_MARGIN);
    }

    /// Lets this connection take what one without an Init must not, once it has had its Init.
    pub(super) fn set_allowance(&mut self, allowance: Arc<Allowance>) {
        self.talk.allowance = Some(allowance);
    }

    /// Handles every whole frame that has been read, and writes what was earned.
    ///
    /// Returns how often to tick, once, when the handler has asked for it.
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
            // What was handled is given back before writing waits.
            reader.trim();
            (handled, core.talk.out.flush())
        });
        // Only now: while writing waits, the watchdog must see that.
        self.talk.link.pulse.rest();
        handled?;
        written?;
        Ok(self.talk.tick_every.take())
    }

    /// Counts the time that this takes, in the handler and in writing.
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
            // Nearly every frame: to hand it round as a request would cost as much as a look-up in it.
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
        // One that came due meanwhile is left out, so that ticks that take long leave time for points.
        self.tick_due.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Set it when it is time for a tick.
    pub(super) fn tick_due(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.tick_due)
    }

    #[inline]
    fn take_tick(&self) -> bool {
        // A load is all that it costs as long as none is due.
        self.tick_due.load(Ordering::Relaxed) && self.tick_due.swap(false, Ordering::SeqCst)
    }

    /// Ticks, unless that was done since it was due.
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

    /// From now on the handler must not tick.
    pub(super) fn end_ticks(&mut self) {
        self.ticks_have_ended = true;
    }

    pub(super) fn ticks_have_ended(&self) -> bool {
        self.ticks_have_ended
    }

    /// A tick has failed: Kapacitor is told now, the agent when it has read something.
    pub(super) fn fail(&mut self, error: AgentError) {
        self.talk.report(&error);
        self.talk.link.pulse.rest();
        self.talk.failure = Some(error);
    }

    pub(super) fn take_failure(&mut self) -> Result<(), AgentError> {
        self.talk.failure.take().map_or(Ok(()), Err)
    }

    /// The input has ended well.
    pub(super) fn finish(&mut self) -> Result<(), AgentError> {
        if self.talk.started {
            self.timed(|core| core.talk.called(Call::Finish, |out| core.handler.finish(out)))?;
        }
        Ok(())
    }

    /// Writes what was earned, and tells Kapacitor why the connection ends if it does not know.
    pub(super) fn last_words(&mut self, ended: &Result<End, AgentError>) -> Result<(), AgentError> {
        // A panic leaves what it has interrupted uncounted.
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
                    // An error would end the task now, for a restart that may never come.
                    tracing::error!(
                        "the snapshot was left out: its {} bytes are over the limit of {}, so that it could \
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
                    tracing::warn!("ignored a request of a kind that is not known here{held_back}");
                }
            }
        }
        if !self.started {
            self.out.flush_if(BEFORE_INIT)?;
        }
        Ok(self.out.flush_if_much()?)
    }

    /// A call that does not count as time that the other side takes until its Init.
    fn untimed<T>(&mut self, call: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = call(self);
        self.allowance.iter().for_each(|allowance| allowance.leave_out(begun.elapsed()));
        done
    }

    fn init(&mut self, handler: &mut H, init: Init) -> Result<Verdict, AgentError> {
        if self.started {
            return Ok(Verdict::Refused("this connection has had its Init already".to_owned()));
        }
        let remote = self.out.remote();
        let (task, node) = (init.task_id.clone(), init.node_id.clone());
        // Every line that is logged for this connection names them from here on.
        if !std::mem::replace(&mut self.is_named, true) {
            tracing::Span::current().record("task", &task).record("node", &node);
        }
        let verdict = self.untimed(|talk| {
            talk.called(Call::Init, |_| {
                // An error refuses this Init, as an error of the author's own `init` does.
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

    /// The most telling reason why a request must not come now.
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

    /// Adds an ErrorResponse about `error`, unless it was told already or cannot be told.
    fn report(&mut self, error: &AgentError) {
        if self.told || matches!(error, AgentError::Emit(_)) {
            return;
        }
        self.tell(error.to_string());
    }

    /// Adds an ErrorResponse, and writes it.
    fn tell(&mut self, error: String) {
        self.told = true;
        self.out.answer(Message::Error(ErrorResponse { error: error::cut(error, MAX_TEXT) }));
        // When it cannot be written, the error that is returned still says what happened.
        let _ = self.out.flush();
    }
}

fn said(verdict: Verdict) -> (bool, String) {
    match verdict {
        Verdict::Accepted => (true, String::new()),
        Verdict::Refused(reason) => (false, error::cut(reason, MAX_TEXT)),
    }
}
