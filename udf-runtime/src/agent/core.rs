//! Takes the requests of a connection from their frames, and ticks between them.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use udf_proto::EdgeType;
use udf_proto::frame::{self, FrameReader};
use udf_proto::point::PointIndex;
use udf_proto::request::{self, Incoming, RequestError};

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::any::Connected;
use crate::agent::counters::Count;
use crate::agent::crew::{Attend, Crew};
use crate::agent::link::Link;
use crate::agent::pulse::Call;
use crate::agent::talk::Talk;

/// The room for merging points that is kept while the connection is idle.
const KEPT_SPARE: usize = 64 << 10;

/// The source of requests. The dynamic call costs nothing compared with a read.
pub(crate) type Requests = Box<dyn Read + Send>;

/// The end of an input that has not failed.
pub(super) enum End {
    /// The peer closed the input.
    Closed,
    /// A stop was requested, for this reason.
    Stopped(String),
}

pub(super) struct Core {
    /// The handler, its output and the state of the conversation. They are separate from the index
    /// because a point borrows the index.
    talk: Talk,
    index: PointIndex,
    spare: Vec<u8>,
    frame_limit: usize,
    ticks_have_ended: bool,
    /// Gets the error of a worker or a thread. `None` after the crew has taken this function.
    attend: Option<Attend>,
    /// Set by the timer when a tick is due. Cleared by the thread that ticks.
    tick_due: Arc<AtomicBool>,
}

impl Core {
    pub(super) fn new(udf: Box<dyn Connected>, link: Arc<Link>) -> Self {
        Core {
            talk: Talk::new(udf, link),
            index: PointIndex::new(),
            spare: Vec::new(),
            frame_limit: frame::DEFAULT_LIMIT,
            ticks_have_ended: false,
            attend: None,
            tick_due: Arc::default(),
        }
    }

    /// Returns whether the handler reads batches.
    pub(super) fn reads_batches(&self) -> bool {
        self.talk.udf.edges().0 == EdgeType::Batch
    }

    /// Refuses to take snapshots that would not fit into a frame of `limit` bytes when they are
    /// restored.
    pub(super) fn set_frame_limit(&mut self, limit: usize) {
        self.frame_limit = limit;
        self.talk.set_frame_limit(limit);
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
            (handled, core.talk.output().flush())
        });
        // Rest only after the write: while the write blocks, the watchdog must see the connection
        // as busy.
        self.talk.link.pulse.rest();
        handled?;
        written?;
        if let Some(attend) = self.attend.take_if(|_| self.talk.started)
            && let Some(crew) = &self.talk.crew
        {
            crew.begin(attend);
        }
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
                self.take_failure()?;
                self.talk.output().flush()?;
            }
            self.talk.bytes += frame.len() as u64;
            // Almost every frame is a point. Passing points around as requests would cost as much
            // as a lookup.
            if let Some(point) = request::point_bytes(frame) {
                let point = self.index.parse(point).map_err(RequestError::Point)?;
                self.talk.point(&point)?;
                continue;
            }
            match request::decode(frame, &mut self.index, &mut self.spare)? {
                Incoming::Point(point) => self.talk.point(&point)?,
                other => {
                    let had_started = self.talk.started;
                    self.talk.other(other)?;
                    if self.talk.started && !had_started {
                        reader.set_limit(self.frame_limit);
                        reader.set_base(usize::MAX);
                    }
                }
            }
        }
    }

    /// Ticks by the clock.
    fn tick(&mut self) -> Result<(), AgentError> {
        self.talk.tick(None)?;
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
            Ok::<_, AgentError>(core.talk.output().flush()?)
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

    /// Stores the error of a tick, a worker or a thread, and reports the error to Kapacitor at
    /// once. The agent takes the error after its next read.
    pub(super) fn fail(&mut self, error: AgentError) {
        self.end_ticks();
        self.talk.report(&error);
        self.talk.link.pulse.rest();
        self.talk.failure = Some(error);
    }

    pub(super) fn take_failure(&mut self) -> Result<(), AgentError> {
        self.talk.take_failure()
    }

    /// Sets the function that gets the error of a worker or a thread.
    pub(super) fn set_attend(&mut self, attend: Attend) {
        self.attend = Some(attend);
    }

    /// Returns the workers and threads of the task.
    pub(super) fn crew(&self) -> Option<Arc<Crew>> {
        self.talk.crew.clone()
    }

    /// Returns the workers and threads of the handler, also if its Init has panicked.
    pub(super) fn crew_at_end(&self) -> Option<Arc<Crew>> {
        self.talk.udf.crew()
    }

    /// Handles the regular end of the input. Threads of the UDF may take `grace` to return.
    pub(super) fn finish(&mut self, grace: Duration) -> Result<(), AgentError> {
        if !self.talk.started {
            return Ok(());
        }
        self.timed(|core| {
            core.talk.settle()?;
            // Stop the threads only after the workers: a worker may wait for a thread.
            core.talk.crew.iter().for_each(|crew| crew.stop());
            core.talk.called(Call::Finish, |udf| udf.finish())?;
            let Some(crew) = core.crew() else { return Ok(()) };
            core.talk.output().flush()?;
            crew.join(grace)?;
            core.take_failure()
        })
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
        Ok(self.timed(|core| core.talk.output().flush())?)
    }

    pub(super) fn stop(&mut self) {
        self.talk.link.pulse.call(Call::Stop);
        self.talk.udf.stop();
    }
}
