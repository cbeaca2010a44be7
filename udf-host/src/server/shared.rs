//! What the threads of a server share: its life, from start to stop, and the first error.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use udf_proto::PointBuf;
use udf_proto::messages::{request, response};
use udf_text::batch::Batch;

use super::outbox::Outbox;
use super::queue::Queue;
use crate::error::{Error, RequestKind};
use crate::settings::{Callbacks, Log, Logger, Settings};
use crate::spawn::{OnDrop, spawn};

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) outbox: Outbox,
    pub(crate) points: Arc<Queue<PointBuf>>,
    pub(crate) batches: Arc<Queue<Batch>>,
    state: Mutex<State>,
    changed: Condvar,
    log: Option<Logger>,
    unasked: AtomicU64,
    /// How many keepalives the owner has sent. This is the time of the last of them, which those of the watch never have.
    keepalives: AtomicI64,
    initialized: AtomicBool,
    /// When the UDF was heard last, in nanoseconds after `epoch`.
    heard: AtomicU64,
    epoch: Instant,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The first one.
    error: Option<Error>,
    stopped: bool,
    pending: Vec<Pending>,
    pub(crate) reading: bool,
    pub(crate) writing: bool,
    pub(crate) abort_returned: bool,
    pub(crate) killed: Option<Instant>,
    /// What the reader waits for the owner to read: until then, the UDF cannot be heard.
    pub(crate) unread: Option<&'static str>,
    callbacks: Callbacks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Running,
    /// The input was ended; the UDF finishes.
    Stopping,
    Aborted {
        since: Instant,
    },
}

struct Pending {
    kind: RequestKind,
    /// The time that the answer to a keepalive repeats.
    echo: Option<i64>,
    answer: SyncSender<Result<response::Message, Error>>,
}

type Answer = Receiver<Result<response::Message, Error>>;

impl State {
    pub(crate) fn is_aborted(&self) -> bool {
        matches!(self.phase, Phase::Aborted { .. })
    }

    /// Whether nothing goes on any more.
    pub(crate) fn is_over(&self) -> bool {
        let aborting = self.is_aborted() && !self.abort_returned;
        !self.reading && !self.writing && !aborting
    }
}

/// How long an end is explained by what comes after it: an exit status, the last words of a UDF.
pub(crate) const EXPLAINED_WITHIN: Duration = Duration::from_secs(1);

impl Shared {
    pub(crate) fn new(settings: Settings, mut callbacks: Callbacks) -> Self {
        let log = callbacks.log.take();
        Shared {
            outbox: Outbox::new(),
            points: Queue::new(settings.queue, settings.queue_bytes),
            batches: Queue::new(settings.queue, settings.queue_bytes),
            state: Mutex::new(State {
                phase: Phase::New,
                error: None,
                stopped: false,
                pending: Vec::new(),
                reading: false,
                writing: false,
                abort_returned: false,
                killed: None,
                unread: None,
                callbacks,
            }),
            changed: Condvar::new(),
            log,
            unasked: AtomicU64::new(0),
            keepalives: AtomicI64::new(0),
            initialized: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            epoch: Instant::now(),
            settings,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, for at most `timeout` if there is one.
    pub(crate) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match timeout {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let woken = self.changed.wait_timeout(state, timeout);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Changes the state, and tells whoever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    pub(crate) fn log(&self, log: &Log<'_>) {
        if let Some(logger) = &self.log {
            logger(log);
        }
    }

    pub(crate) fn begin(&self) -> Result<(), Error> {
        self.hear();
        self.change(|state| match state.phase {
            Phase::New => {
                (state.phase, state.reading, state.writing) = (Phase::Running, true, true);
                self.outbox.open();
                Ok(())
            }
            Phase::Running => Err(Error::AlreadyStarted),
            Phase::Stopping | Phase::Aborted { .. } => Err(unusable(state)),
        })
    }

    pub(crate) fn initialized(&self) {
        self.initialized.store(true, Ordering::Release);
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.initialized.load(Ordering::Acquire)
    }

    /// The UDF was heard just now.
    pub(crate) fn hear(&self) {
        self.heard.store(self.epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    pub(crate) fn heard(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.heard.load(Ordering::Relaxed))
    }

    /// Says what the owner must read before the reader goes on; none when it goes on.
    pub(crate) fn set_unread(&self, what: Option<&'static str>) {
        self.hear();
        self.change(|state| state.unread = what);
    }

    pub(crate) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::Relaxed)
    }

    /// Sends a request; its answer comes, or the error of the connection.
    pub(crate) fn ask(
        &self,
        kind: RequestKind,
        message: request::Message,
    ) -> Result<Answer, Error> {
        // The request is added under the lock: whoever stops or aborts finds both of it, or none.
        let mut state = self.state();
        match state.phase {
            Phase::New => Err(Error::NotStarted),
            Phase::Stopping | Phase::Aborted { .. } => Err(unusable(&state)),
            Phase::Running => {
                let (sender, answer) = sync_channel(1);
                let echo = match &message {
                    request::Message::Keepalive(keepalive) => Some(keepalive.time),
                    _ => None,
                };
                self.outbox.request(message)?;
                state.pending.push(Pending { kind, echo, answer: sender });
                Ok(answer)
            }
        }
    }

    pub(crate) fn next_keepalive(&self) -> i64 {
        self.keepalives.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns whether the owner waits for the echo of a keepalive with this time.
    pub(crate) fn awaits_echo(&self, time: i64) -> bool {
        self.state().pending.iter().any(|pending| pending.echo == Some(time))
    }

    /// Hands an answer to the oldest request of its kind.
    pub(crate) fn answer(
        &self,
        kind: RequestKind,
        message: response::Message,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let echo = match &message {
            response::Message::Keepalive(keepalive) => Some(keepalive.time),
            _ => None,
        };
        let is_asked = |pending: &Pending| pending.kind == kind && pending.echo == echo;
        if let Some(place) = state.pending.iter().position(is_asked) {
            // Nobody waits any more when its time is over.
            let _ = state.pending.remove(place).answer.send(Ok(message));
            return Ok(());
        }
        // A keepalive is answered beside other requests: its echo does not show which of them was meant.
        if let Some(pending) = state.pending.iter().find(|pending| pending.echo.is_none()) {
            return Err(Error::WrongAnswer { asked: pending.kind, got: kind });
        }
        drop(state);
        let count = self.unasked.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            self.log(&Log::Unasked { kind, count });
        }
        Ok(())
    }

    /// Ends the connection with `error`, unless it has ended already; returns the first error.
    pub(crate) fn abort(self: &Arc<Self>, error: Error) -> Error {
        let (first, pending, callback) = {
            let mut state = self.state();
            if state.is_aborted() || state.stopped && state.is_over() {
                return state.error.clone().unwrap_or(Error::AlreadyStopped);
            }
            // The first one: every later abort has returned above.
            let first = state.error.insert(error).clone();
            let is_new = state.phase == Phase::New;
            state.phase = Phase::Aborted { since: Instant::now() };
            let callback = state.callbacks.abort.take();
            state.abort_returned = callback.is_none() || is_new;
            (first, std::mem::take(&mut state.pending), callback.filter(|_| !is_new))
        };
        for pending in pending {
            let _ = pending.answer.send(Err(first.clone()));
        }
        self.outbox.abort(first.clone());
        self.points.close();
        self.batches.close();
        self.changed.notify_all();
        if let Some(callback) = callback {
            let returned = OnDrop(Some({
                let shared = self.clone();
                move || shared.change(|state| state.abort_returned = true)
            }));
            let error = first.clone();
            // When there is no thread for it, it is not called, and counts as returned.
            let _ = spawn("udf-abort", move || {
                callback(&error);
                drop(returned);
            });
        }
        first
    }

    /// What is known about an end of the UDF in mid-use, of which the connection shows this.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let ended = self.state().callbacks.ended.take();
        match ended {
            Some(ended) => ended(error),
            None => error,
        }
    }

    /// Ends the input. True when it was not even started.
    pub(crate) fn stop(&self) -> bool {
        let phase = self.change(|state| {
            state.stopped = true;
            let phase = state.phase;
            if matches!(phase, Phase::New | Phase::Running) {
                state.phase = Phase::Stopping;
            }
            phase
        });
        self.outbox.close(Error::AlreadyStopped);
        if phase == Phase::New {
            self.points.close();
            self.batches.close();
        }
        phase == Phase::New
    }

    /// Waits for the end after a stop; within a bound, if one is set.
    pub(crate) fn wait_until_stopped(self: &Arc<Self>) -> Result<(), Error> {
        let within = self.settings.close_within;
        let deadline = Instant::now().checked_add(within).filter(|_| !within.is_zero());
        let mut state = self.state();
        while !state.is_over() {
            let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
            let left = match state.phase {
                Phase::Aborted { .. } => {
                    state.killed.and_then(|at| at.checked_add(self.settings.grace())).map(left)
                }
                _ => deadline.map(left),
            };
            if left.is_some_and(|left| left.is_zero()) {
                if state.killed.is_some() {
                    // Even force did not help: the threads are left behind.
                    break;
                }
                drop(state);
                self.abort(self.unfinished(within));
                state = self.state();
                continue;
            }
            state = self.wait(state, left);
        }
        state.error.clone().map_or(Ok(()), Err)
    }

    fn unfinished(&self, within: Duration) -> Error {
        match self.state().unread {
            Some(what) => Error::NotRead { what, within },
            None => Error::NeverCloses { within },
        }
    }

    pub(crate) fn wait_io(&self) {
        let mut state = self.state();
        while state.reading || state.writing {
            state = self.wait(state, None);
        }
    }

    /// The owner is gone.
    pub(crate) fn abandon(self: &Arc<Self>) {
        if self.state().phase != Phase::New {
            self.abort(Error::Aborted("the server was dropped while it was in use".to_owned()));
        }
    }

    pub(crate) fn killed(&self) {
        let kill = self.change(|state| {
            state.killed = Some(Instant::now());
            state.callbacks.kill.take()
        });
        if let Some(kill) = kill {
            kill();
        }
    }

    pub(super) fn reading_ended(self: &Arc<Self>, panicked: bool) {
        if panicked {
            self.abort(Error::Panicked("reads from the UDF"));
        }
        self.points.close();
        self.batches.close();
        let unanswered = self.change(|state| {
            state.reading = false;
            std::mem::take(&mut state.pending)
        });
        // Whoever waits for an answer sees that none comes.
        drop(unanswered);
    }

    pub(super) fn writing_ended(self: &Arc<Self>, panicked: bool) {
        if panicked {
            self.abort(Error::Panicked("writes to the UDF"));
        }
        self.change(|state| state.writing = false);
    }

    /// Nobody gives up or kills a connection without its watch: a panic of the watch does both at once.
    pub(super) fn watching_ended(self: &Arc<Self>, panicked: bool) {
        if panicked {
            self.abort(Error::Panicked("keeps the time of the UDF"));
            self.killed();
        }
        // Nothing calls anybody any more.
        let callbacks = std::mem::take(&mut self.state().callbacks);
        drop(callbacks);
    }
}

/// Why a server that was stopped or aborted takes nothing.
fn unusable(state: &State) -> Error {
    match &state.error {
        Some(error) if !state.stopped => error.clone(),
        _ => Error::AlreadyStopped,
    }
}
