//! The loop of one connection: moves bytes between Kapacitor and the worker. Nothing in it blocks.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use udf_host::diagnosis::{self, NoMessage};
use udf_proto::Info;
use udf_proto::frame::FrameError;
use udf_proto::messages::{ErrorResponse, KeepaliveResponse, response::Message};
use udf_proto::response;

use super::Shared;
use super::core::Core;
use super::deaths::Deaths;
use super::lives::{Replacing, Search};
use super::saver::Saver;
use super::talk::{Event, Fault};
use super::upgrade::Upgrade;
use super::worker::{Got, Worker, read};
use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::counters::Count;
use crate::agent::error::{MAX_TEXT, cut};
use crate::agent::limits::Limits;
use crate::agent::link::{EmitError, Link};
use crate::agent::rate_limit::RateLimit;
use crate::agent::ready::has_hung_up;
use crate::agent::shortage;
use crate::agent::stop::Stopping;
use crate::agent::transport::Transport;

/// While there is work, Kapacitor hears something at least this often.
const SIGN_OF_LIFE: Duration = Duration::from_millis(200);

/// The longest pause between two looks at what no descriptor shows.
const LOOK: Duration = Duration::from_secs(1);

/// Output of the worker is read while less than this waits for Kapacitor.
const MOST_OUT: usize = 256 << 10;

/// After this time without progress of the output, input is read beyond what the worker takes, so
/// that Kapacitor can finish its write.
const MAKE_WAY: Duration = Duration::from_secs(1);

/// The pause before another snapshot is requested if one was no checkpoint.
const NO_CHECKPOINT: Duration = Duration::from_millis(100);

pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) link: Arc<Link>,
    transport: Box<dyn Transport>,
    stopping: Stopping,
    pub(super) limits: Limits,
    allowance: Arc<Allowance>,
    /// Kapacitor's ends.
    input: OwnedFd,
    output: OwnedFd,
    pub(super) core: Core,
    pub(super) worker: Option<Worker>,
    /// The description of the first worker.
    pub(super) info: Option<Info>,
    pub(super) deaths: Deaths,
    pub(super) replacing: Option<Replacing>,
    pub(super) search: Option<Search>,
    pub(super) upgrade: Option<Upgrade>,
    pub(super) upgrades_seen: u64,
    /// The task and the node of an Init that was not accepted yet.
    named: Option<(String, String)>,
    /// What waits for Kapacitor, and how much of it is written.
    out: Vec<u8>,
    out_at: usize,
    /// The last write to Kapacitor, or the last time that there was nothing to write.
    out_moved: Instant,
    /// The last time that Kapacitor was written to.
    last_sign: Instant,
    /// The last time that the worker made progress, or had nothing to do.
    pub(super) progress: Instant,
    /// When the worker has closed its output.
    pub(super) ended: Option<Instant>,
    checkpoints: Checkpoints,
    saver: Option<Saver>,
    /// When a checkpoint was saved last.
    saved: Instant,
    unasked: RateLimit,
    phase: Phase,
}

/// When the next checkpoint is due.
struct Checkpoints {
    last: Instant,
    /// When the present one was requested.
    asked: Option<Instant>,
    /// How long the last one took.
    cost: Duration,
    /// The size of the last snapshot.
    bytes: usize,
    not_before: Instant,
    /// Whether the last one was requested at the end of the input.
    is_final: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Open,
    /// A stop was requested. The bytes that had arrived by then are read.
    Stopping(u64),
    /// No more input is read.
    Closed {
        /// The reason of a stop, which Kapacitor gets at the end.
        stopped: Option<String>,
    },
    /// The output is written, and then the connection ends.
    Ending(Option<String>),
}

impl Connection {
    pub(super) fn open(
        shared: Arc<Shared>,
        link: Arc<Link>,
        transport: Box<dyn Transport>,
        stopping: Stopping,
        limits: Limits,
        allowance: Arc<Allowance>,
    ) -> Result<Self, AgentError> {
        let descriptors = transport.descriptors();
        let descriptors = descriptors.map_err(shortage::of("the connection cannot be supervised"));
        let (input, output) = descriptors.map_err(AgentError::Thread)?;
        let now = Instant::now();
        let core = Core::new(&shared.settings);
        let deaths = Deaths::new(&shared.settings);
        let upgrades_seen = shared.upgrades.load(Ordering::SeqCst);
        Ok(Connection {
            shared,
            link,
            transport,
            stopping,
            limits,
            allowance,
            input,
            output,
            core,
            worker: None,
            info: None,
            deaths,
            replacing: None,
            search: None,
            upgrade: None,
            upgrades_seen,
            named: None,
            out: Vec::new(),
            out_at: 0,
            out_moved: now,
            last_sign: now,
            progress: now,
            ended: None,
            checkpoints: Checkpoints {
                last: now,
                asked: None,
                cost: Duration::ZERO,
                bytes: 0,
                not_before: now,
                is_final: false,
            },
            saver: None,
            saved: now,
            unasked: RateLimit::default(),
            phase: Phase::Open,
        })
    }

    /// Serves the connection until it ends.
    pub(super) fn run(mut self) -> Result<(), AgentError> {
        let served = self.serve();
        if let Err(error) = &served {
            self.link.counters.add(Count::Errors, 1);
            if !matches!(error, AgentError::Emit(_) | AgentError::Worker(_)) {
                self.say(error.to_string());
                self.flush_within(self.limits.hangup.unwrap_or(LOOK));
            }
        }
        // The worker is killed before Kapacitor sees the end.
        self.upgrade = None;
        self.worker = None;
        // The last checkpoint is saved before Kapacitor sees the end, and may start the task again.
        self.saver = None;
        let _ = self.link.close();
        self.transport.close_output();
        served
    }

    fn serve(&mut self) -> Result<(), AgentError> {
        loop {
            let now = Instant::now();
            self.look_after_worker(now);
            self.look_after_upgrade(now);
            self.feed();
            self.request_checkpoint(now);
            self.write_out(now)?;
            if let Phase::Ending(failure) = &self.phase
                && self.out.is_empty()
            {
                return match failure {
                    None => Ok(()),
                    Some(failure) => Err(AgentError::Worker(failure.clone())),
                };
            }
            self.look_at_time(now)?;
            self.exchange(now)?;
            let traffic = std::mem::take(&mut self.core.talk.traffic);
            let counters = &self.link.counters;
            counters.add(Count::PointsIn, traffic.points_in);
            counters.add(Count::BatchesIn, traffic.batches_in);
            counters.add(Count::PointsOut, traffic.points_out);
            counters.add(Count::BatchesOut, traffic.batches_out);
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending(_))
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    /// Waits until something can be read or written, and reads.
    fn exchange(&mut self, now: Instant) -> Result<(), AgentError> {
        let (reads, writes) = (PollFlags::IN, PollFlags::OUT);
        let must_finish = !self.out.is_empty() && now.duration_since(self.out_moved) >= MAKE_WAY;
        let reads_input = match self.phase {
            Phase::Open | Phase::Stopping(_) => self.core.may_read(must_finish),
            _ => false,
        };
        let reads_worker = self.reads_worker();
        let has_unsent = match self.worker.as_mut().map(|worker| &worker.start) {
            Some(Some(start)) => !start.unsent().is_empty(),
            Some(None) => !self.core.unsent().is_empty(),
            None => false,
        };
        let timeout = self.timeout(now);
        let (ready, has_input, has_response, has_candidate, is_stopped) = {
            let mut fds = Vec::with_capacity(7);
            let mut add = |fd| {
                fds.push(fd);
                fds.len() - 1
            };
            let input = reads_input.then(|| add(PollFd::new(&self.input, reads)));
            if !self.out.is_empty() {
                add(PollFd::new(&self.output, writes));
            }
            let mut response = None;
            if let Some(worker) = &self.worker {
                response =
                    reads_worker.then(|| add(PollFd::from_borrowed_fd(worker.output(), reads)));
                if let Some(input) = worker.input().filter(|_| has_unsent) {
                    add(PollFd::from_borrowed_fd(input, writes));
                }
            }
            let candidate = self.upgrade.as_ref().map(|upgrade| {
                let worker = upgrade.worker();
                let has_unsent = worker.start.as_ref().is_some_and(|s| !s.unsent().is_empty());
                if let Some(input) = worker.input().filter(|_| has_unsent) {
                    add(PollFd::from_borrowed_fd(input, writes));
                }
                add(PollFd::from_borrowed_fd(worker.output(), reads))
            });
            let stop = (self.phase == Phase::Open).then(|| add(PollFd::new(&self.stopping, reads)));
            let timeout = Timespec::try_from(timeout).ok();
            let ready = poll(&mut fds, timeout.as_ref());
            let is = |at: Option<usize>| at.is_some_and(|at| !fds[at].revents().is_empty());
            (ready, is(input), is(response), is(candidate), is(stop))
        };
        match ready {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(FrameError::Io(error.into()).into()),
        }
        if is_stopped {
            let arrived = ioctl_fionread(&self.input).unwrap_or(0);
            self.phase = Phase::Stopping(arrived);
        }
        if has_response {
            self.read_worker();
        }
        if has_candidate {
            self.read_candidate();
        }
        if has_input || matches!(self.phase, Phase::Stopping(_)) {
            self.read_input()?;
        }
        Ok(())
    }

    pub(super) fn reads_worker(&self) -> bool {
        let is_held = self.upgrade.as_ref().is_some_and(Upgrade::is_restoring);
        self.out.len() < MOST_OUT && self.ended.is_none() && !is_held && !self.is_ending()
    }

    /// Returns how long nothing needs to be done unless a descriptor is ready.
    fn timeout(&mut self, now: Instant) -> Duration {
        let mut timeout = LOOK;
        if self.is_at_work() || !self.out.is_empty() {
            timeout = SIGN_OF_LIFE;
        }
        if let Some(at) = self.replacing.as_ref().filter(|_| self.worker.is_none()) {
            timeout = timeout.min(at.resume.saturating_duration_since(now));
        }
        if self.ended.is_some() || self.upgrade.is_some() {
            timeout = timeout.min(Duration::from_millis(10));
        }
        if let Some((left, _)) = self.allowance.until_init() {
            timeout = timeout.min(left);
        }
        timeout
    }

    /// Returns whether Kapacitor waits for the UDF, as far as the front knows.
    fn is_at_work(&mut self) -> bool {
        self.worker.as_ref().is_none_or(|worker| worker.start.is_some())
            || self.core.is_busy()
            || self.is_closed()
    }

    // Kapacitor's side.

    fn read_input(&mut self) -> Result<(), AgentError> {
        let most = match self.phase {
            Phase::Stopping(0) => {
                let stopped = Some(self.stopping.stopped().to_string());
                self.phase = Phase::Closed { stopped };
                return Ok(());
            }
            Phase::Stopping(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let room = self.core.room();
        let most = room.len().min(most);
        let got = match read(&self.input, &mut room[..most]) {
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The peer has closed a socket with unread bytes.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(FrameError::Io(error).into()),
        };
        if got == 0 {
            self.phase = Phase::Closed { stopped: None };
            return self.core.check_end().map_err(AgentError::from);
        }
        if let Phase::Stopping(left) = &mut self.phase {
            *left -= got as u64;
        }
        self.link.counters.add(Count::BytesIn, got as u64);
        let init_limit = self.limits.init_frame.min(self.limits.frame);
        let directory = self.shared.settings.state_dir.as_deref();
        let read = self.core.read(got, [init_limit, self.limits.frame], |task, node| {
            let (saver, saved) = Saver::open(directory?, task, node);
            self.saver = saver;
            saved
        });
        self.handle_events();
        read.map_err(|error| AgentError::from(error).before_init(init_limit))
    }

    /// Writes to Kapacitor what it takes now.
    fn write_out(&mut self, now: Instant) -> Result<(), AgentError> {
        while self.out_at < self.out.len() {
            match rustix::io::write(&self.output, &self.out[self.out_at..]) {
                Ok(written) => {
                    self.out_at += written;
                    self.link.counters.add(Count::BytesOut, written as u64);
                    (self.out_moved, self.last_sign) = (now, now);
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => {
                    let error = Arc::new(io::Error::from(error));
                    return Err(EmitError::Write(error).into());
                }
            }
        }
        if self.out_at == self.out.len() {
            self.out.clear();
            self.out.shrink_to(MOST_OUT);
            self.out_at = 0;
            self.out_moved = now;
        }
        Ok(())
    }

    /// Writes to Kapacitor as long as it reads, within a limit.
    fn flush_within(&mut self, limit: Duration) {
        let begun = Instant::now();
        while self.write_out(Instant::now()).is_ok() && !self.out.is_empty() {
            let left = limit.saturating_sub(begun.elapsed());
            let Ok(timeout) = Timespec::try_from(left) else { return };
            let mut fds = [PollFd::new(&self.output, PollFlags::OUT)];
            if left.is_zero() || poll(&mut fds, Some(&timeout)) == Ok(0) {
                return;
            }
        }
    }

    /// Sends an error to Kapacitor, which stops the task.
    fn say(&mut self, error: String) {
        response::append(
            Message::Error(ErrorResponse { error: cut(error, MAX_TEXT) }),
            &mut self.out,
        );
    }

    /// Ends the task with an error.
    pub(super) fn fail(&mut self, error: String) {
        if !self.is_ending() {
            self.say(error.clone());
            self.phase = Phase::Ending(Some(error));
        }
    }

    /// Ends the connection after the worker has done its work.
    pub(super) fn finish(&mut self) {
        if self.core.talk.is_repeating {
            self.core.talk.settle();
            self.handle_events();
            self.out.append(&mut self.core.talk.out);
        }
        if let Phase::Closed { stopped } = &self.phase {
            if let Some(stopped) = stopped.clone() {
                self.say(format!(
                    "{stopped}; start it again if it is a daemon, then disable and enable the task"
                ));
            }
            self.phase = Phase::Ending(None);
        }
    }

    /// Checks everything that time alone decides.
    fn look_at_time(&mut self, now: Instant) -> Result<(), AgentError> {
        if let Some((left, overdue)) = self.allowance.until_init()
            && left.is_zero()
            && !self.core.talk.has_init()
        {
            return Err(overdue);
        }
        let stuck = now.duration_since(self.out_moved);
        if let Some(limit) = self.limits.hangup
            && !self.out.is_empty()
            && stuck >= limit
            && (self.is_closed() || self.is_ending() || has_hung_up(self.input.as_fd()))
        {
            return Err(AgentError::Worker(format!(
                "abandoning the connection: Kapacitor closed the input and has not read the output for \
                 {limit:?}; undelivered output is lost"
            )));
        }
        if self.is_at_work()
            && self.out.is_empty()
            && now.duration_since(self.last_sign) >= SIGN_OF_LIFE
        {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let life = KeepaliveResponse { time: time as i64 };
            response::append(Message::Keepalive(life), &mut self.out);
            self.link.counters.add(Count::Signs, 1);
            self.write_out(now)?;
        }
        Ok(())
    }

    // The worker's side.

    /// Writes to the worker what it takes now.
    fn feed(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        loop {
            let bytes = match &worker.start {
                Some(start) => start.unsent(),
                None => self.core.unsent(),
            };
            if bytes.is_empty() {
                break;
            }
            let written = worker.write(bytes);
            if written == 0 {
                break;
            }
            match &mut worker.start {
                Some(start) => start.note_sent(written),
                None => self.core.note_sent(written),
            }
            self.progress = Instant::now();
        }
        let is_all = self.is_closed() && self.search.is_none() && self.core.is_all_sent();
        if is_all && !self.core.talk.awaits_answer_to_snapshot() && !self.is_final_checkpoint_due()
        {
            let Some(worker) = &mut self.worker else { return };
            if worker.start.is_none() {
                worker.end_input();
                self.core.talk.has_ended = true;
            }
        }
    }

    fn read_worker(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        match worker.read() {
            Ok(Got::Some | Got::Nothing) => {}
            Ok(Got::End) => self.ended = Some(Instant::now()),
            Err(fault) => return self.die(Some(&fault)),
        }
        self.take_responses();
    }

    fn take_responses(&mut self) {
        let Some(Worker { frames, start, .. }) = &mut self.worker else { return };
        let before = self.core.talk.responses;
        let fault = loop {
            let length = match frames.buffered_frame() {
                Ok(Some(frame)) => frame.len(),
                Ok(None) => break None,
                Err(error) => break Some(Fault::Death(error.to_string())),
            };
            let whole = &frames.taken()[..frames.taken().len() - frames.rest().len()];
            let frame = &whole[whole.len() - length..];
            let took = match start {
                Some(start) => {
                    self.progress = Instant::now();
                    start.respond(frame).map(|()| false)
                }
                None => self.core.respond(frame, whole),
            };
            match took {
                Ok(passes) => {
                    self.out.append(&mut self.core.talk.out);
                    if passes {
                        self.out.extend_from_slice(whole);
                    }
                }
                Err(fault) => break Some(explain(fault, frames.taken())),
            }
        };
        if self.core.talk.responses != before {
            self.progress = Instant::now();
        }
        self.handle_events();
        match fault {
            None => {
                self.core.forget_idle();
                self.take_over();
            }
            Some(Fault::Death(fault)) => self.die(Some(&fault)),
            Some(Fault::Error(error)) => self.fail(error),
        }
    }

    fn handle_events(&mut self) {
        for event in std::mem::take(&mut self.core.talk.events) {
            match event {
                Event::Init { task, node } => {
                    let span = tracing::Span::current();
                    span.record("task", &task).record("node", &node);
                    self.named.get_or_insert((task, node));
                }
                Event::Started => {
                    self.allowance.start();
                    if let Some((task, node)) = self.named.take() {
                        self.link.pulse.name_task(&task, &node);
                    }
                    self.introduce();
                }
                Event::Checkpoint { is_passed } => {
                    let now = Instant::now();
                    self.link.counters.add(Count::Checkpoints, 1);
                    self.deaths.end_stretch();
                    if let Some(asked) = self.checkpoints.asked.take() {
                        self.checkpoints.cost = now.duration_since(asked);
                    }
                    self.checkpoints.last = now;
                    let snapshot = self.core.talk.base.snapshot.as_ref();
                    self.checkpoints.bytes = snapshot.map_or(0, Vec::len);
                    let is_final = self.is_closed();
                    match (snapshot, &mut self.saver) {
                        (None, _) => self.tell_empty(),
                        (Some(snapshot), Some(saver))
                            if is_passed
                                || is_final
                                || now.duration_since(self.saved)
                                    >= self.shared.settings.checkpoint_every =>
                        {
                            saver.save(snapshot, self.core.talk.given);
                            self.saved = now;
                        }
                        _ => {}
                    }
                }
                Event::NoCheckpoint => {
                    self.checkpoints.not_before = Instant::now() + NO_CHECKPOINT;
                    self.core.talk.release();
                }
                Event::Settled { known, differs } => {
                    // Another worker has handled the same input.
                    self.deaths.end_stretch();
                    self.settled(known, differs);
                }
                Event::Stepped => self.next_step(),
                Event::RestoredSaved => {
                    tracing::info!(
                        "the saved checkpoint is later than the state of Kapacitor, and is restored"
                    );
                }
                Event::Unasked(ask) => {
                    if let Some(held_back) = self.unasked.pass() {
                        tracing::warn!(
                            "the worker answered a request that it did not get ({}); its answer was dropped{held_back}",
                            ask.name()
                        );
                    }
                }
            }
        }
    }

    /// Tells once what applies to all connections.
    fn introduce(&self) {
        if !self.shared.is_introduced.swap(true, Ordering::Relaxed) {
            let timers = match self.shared.settings.at_least_once {
                true => "at least once",
                false => "at most once",
            };
            tracing::info!(
                "the UDF is supervised: a worker that dies is replaced; output that follows from input is sent \
                 exactly once, output of timers and of other threads {timers}"
            );
        }
    }

    fn tell_empty(&self) {
        if !self.shared.has_told_empty.swap(true, Ordering::Relaxed) {
            let replay = match self.shared.settings.replay {
                0 => "set --replay if it can be built again from recent input".to_owned(),
                bytes => format!("the last {bytes} bytes of input from before are replayed"),
            };
            tracing::info!(
                "the snapshots of the UDF are empty; if it keeps state, a crash loses it: {replay}"
            );
        }
    }

    /// Returns whether the state at the end of the input is to be saved, before the worker finishes.
    /// Kapacitor takes no snapshot at its end.
    fn is_final_checkpoint_due(&self) -> bool {
        self.saver.is_some()
            && self.core.talk.is_started
            && self.core.talk.has_data()
            && !self.core.talk.has_ended
            && !self.checkpoints.is_final
    }

    /// Requests a snapshot if a checkpoint is due.
    fn request_checkpoint(&mut self, now: Instant) {
        let settings = &self.shared.settings;
        let is_possible = self.core.talk.is_started
            && !self.core.talk.is_repeating
            && !self.core.talk.wants_snapshot
            && !self.core.talk.awaits_answer_to_snapshot()
            && self.core.talk.has_data()
            && self.search.is_none()
            && self.upgrade.is_none()
            && (!self.is_closed() || self.is_final_checkpoint_due())
            && self.worker.as_ref().is_some_and(|worker| worker.start.is_none())
            && now >= self.checkpoints.not_before;
        if !is_possible {
            return;
        }
        let most = settings.checkpoint_bytes.max(self.checkpoints.bytes).min(settings.memory / 2);
        // A snapshot that takes long is taken less often.
        let age = settings.checkpoint_every.max(20 * self.checkpoints.cost);
        let is_due = self.core.kept_bytes() >= most
            || now.duration_since(self.checkpoints.last) >= age
            || self.is_closed()
            || self.core.talk.is_unprotected;
        if is_due {
            self.core.request_snapshot();
            self.checkpoints.asked = Some(now);
            self.checkpoints.is_final = self.is_closed();
        }
    }
}

/// Replaces a death by text that was printed in the place of a response.
fn explain(fault: Fault, taken: &[u8]) -> Fault {
    match (fault, diagnosis::text(taken)) {
        (Fault::Death(_), Some(text)) => Fault::Death(NoMessage::Text(text).to_string()),
        (fault, _) => fault,
    }
}
