//! The loop of one connection: moves bytes between Kapacitor and the worker.
//!
//! Its reads and writes do not block. A death may take it a second, until the process and its stderr
//! have ended. It also waits for the disk when it loads a checkpoint, and when it writes to the
//! poison file.

mod checkpoints;
mod kapacitor;
mod lives;
mod responses;
mod saver;
mod upgrade;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use udf_proto::Info;
use udf_proto::frame::FrameError;

use self::checkpoints::Checkpoints;
use self::lives::{Replacing, Search};
use self::saver::Saver;
use self::upgrade::Upgrade;
use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::counters::Count;
use crate::agent::limits::Limits;
use crate::agent::link::Link;
use crate::agent::rate_limit::RateLimit;
use crate::agent::shortage;
use crate::agent::stop::Stopping;
use crate::agent::transport::Transport;
use crate::supervise::Shared;
use crate::supervise::core::Core;
use crate::supervise::deaths::Deaths;
use crate::supervise::pipes::Pipes;
use crate::supervise::worker::Worker;

/// While there is work, Kapacitor hears something at least this often.
const SIGN_OF_LIFE: Duration = Duration::from_millis(200);

/// The longest pause between two looks at facts that no descriptor shows.
const LOOK: Duration = Duration::from_secs(1);

/// Output of the worker is read while less than this waits for Kapacitor.
const MOST_OUT: usize = 256 << 10;

/// After this time without progress of the output, input is read beyond what the worker takes, so
/// that Kapacitor can finish its write.
const MAKE_WAY: Duration = Duration::from_secs(1);

pub(in crate::supervise) struct Connection {
    shared: Arc<Shared>,
    link: Arc<Link>,
    transport: Box<dyn Transport>,
    stopping: Stopping,
    limits: Limits,
    allowance: Arc<Allowance>,
    /// Kapacitor's ends.
    input: OwnedFd,
    output: OwnedFd,
    pipes: Pipes,
    core: Core,
    worker: Option<Worker>,
    /// The description of the first worker.
    info: Option<Info>,
    deaths: Deaths,
    replacing: Option<Replacing>,
    search: Option<Search>,
    upgrade: Option<Upgrade>,
    upgrades_seen: u64,
    /// The task and the node of an Init that was not accepted yet.
    named: Option<(String, String)>,
    /// Output that waits for Kapacitor, and the number of its bytes that are written.
    out: Vec<u8>,
    out_at: usize,
    /// The last write to Kapacitor, or the last time that there was nothing to write.
    out_moved: Instant,
    /// Since when the output is stuck although the input has ended.
    gone: Option<Instant>,
    /// The last time that Kapacitor was written to.
    last_sign: Instant,
    /// The last time that the worker made progress, or had nothing to do.
    progress: Instant,
    /// The input that the worker had not read at the last look.
    unread: u64,
    /// When the worker has closed its output.
    ended: Option<Instant>,
    checkpoints: Checkpoints,
    saver: Option<Saver>,
    /// When a checkpoint was saved last.
    saved: Instant,
    unasked: RateLimit,
    phase: Phase,
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
    pub(in crate::supervise) fn open(
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
            pipes: Pipes::default(),
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
            gone: None,
            last_sign: now,
            progress: now,
            unread: 0,
            ended: None,
            checkpoints: Checkpoints::new(now),
            saver: None,
            saved: now,
            unasked: RateLimit::default(),
            phase: Phase::Open,
        })
    }

    /// Serves the connection until it ends.
    pub(in crate::supervise) fn run(mut self) -> Result<(), AgentError> {
        let served = self.serve();
        if let Err(error) = &served {
            self.link.counters.add(Count::Errors, 1);
            if !matches!(error, AgentError::Emit(_) | AgentError::Worker(_)) {
                self.send_error(error.to_string());
                self.flush_within(self.limits.hangup.unwrap_or(LOOK));
            }
        }
        // The worker is killed before Kapacitor sees the end.
        self.upgrade = None;
        self.worker = None;
        // The last checkpoint is saved before Kapacitor sees the end, and may start the task again.
        if let Some(saver) = self.saver.take() {
            saver.finish(self.limits.hangup);
        }
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

    /// Makes the pipes of the worker large, if those of the connection are.
    pub(super) fn enlarge_worker(&self) {
        if let Some(worker) = &self.worker {
            self.pipes.enlarge(&[worker.output()]);
            worker.input().iter().for_each(|input| self.pipes.enlarge(&[*input]));
        }
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
        if let Some((left, _)) = self.until_init() {
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
}
