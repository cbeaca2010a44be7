//! The state that the threads of a session share: its phase, from start to stop, and its first
//! error.

mod requests;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use udf_proto::{EdgeType, PointBuf};
use udf_text::batch::WholeBatch;

use self::requests::Pending;
use super::outbox::Outbox;
use super::queue::Queue;
use super::sink::Sink;
use crate::error::Error;
use crate::settings::{Callbacks, Log, Logger, Settings};
use crate::spawn::{OnDrop, spawn};

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) outbox: Outbox,
    pub(crate) points: Arc<Queue<PointBuf>>,
    pub(crate) batches: Arc<Queue<WholeBatch>>,
    /// The sink and the edge of the data, until the reader takes them.
    sink: Mutex<Option<(EdgeType, Box<dyn Sink>)>>,
    state: Mutex<State>,
    changed: Condvar,
    log: Option<Logger>,
    unasked: AtomicU64,
    /// The number of keepalives that the owner has sent, which is the time of the last one. The
    /// keepalives of the watch have the time of the clock, so they never have such a time.
    keepalives: AtomicI64,
    initialized: AtomicBool,
    /// When the UDF last sent a message, in nanoseconds after `epoch`.
    last_message: AtomicU64,
    epoch: Instant,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The first error.
    error: Option<Error>,
    stopped: bool,
    pending: Vec<Pending>,
    pub(crate) reading: bool,
    pub(crate) writing: bool,
    pub(crate) abort_returned: bool,
    pub(crate) killed: Option<Instant>,
    /// The data that the owner must read before the reader continues. Until then, no message of the
    /// UDF is read.
    pub(crate) unread: Option<&'static str>,
    /// The reader passes data to the sink, which may block.
    pub(crate) occupied: bool,
    callbacks: Callbacks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Running,
    /// The input has ended; the UDF finishes.
    Stopping,
    Aborted {
        since: Instant,
    },
}

impl State {
    pub(crate) fn is_aborted(&self) -> bool {
        matches!(self.phase, Phase::Aborted { .. })
    }

    /// Returns whether the owner keeps the reader from reading, or may do so.
    pub(crate) fn is_deaf(&self) -> bool {
        self.unread.is_some() || self.occupied
    }

    /// Returns whether all threads have finished reading and writing, and the abort callback has
    /// returned.
    pub(crate) fn is_over(&self) -> bool {
        let aborting = self.is_aborted() && !self.abort_returned;
        !self.reading && !self.writing && !aborting
    }
}

/// How long to wait for the reason of an end: an exit status, or the last lines of stderr.
pub(crate) const EXPLAINED_WITHIN: Duration = Duration::from_secs(1);

impl Shared {
    pub(crate) fn new(settings: Settings, mut callbacks: Callbacks) -> Self {
        let log = callbacks.log.take();
        Shared {
            outbox: Outbox::new(),
            points: Queue::new(settings.queue, settings.queue_bytes),
            batches: Queue::new(settings.queue, settings.queue_bytes),
            sink: Mutex::new(None),
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
                occupied: false,
                callbacks,
            }),
            changed: Condvar::new(),
            log,
            unasked: AtomicU64::new(0),
            keepalives: AtomicI64::new(0),
            initialized: AtomicBool::new(false),
            last_message: AtomicU64::new(0),
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

    /// Changes the state and wakes all waiting threads.
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
        self.note_message();
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

    /// Sets the sink of the data, before the Init.
    pub(crate) fn data_to(&self, provides: EdgeType, sink: Box<dyn Sink>) -> Result<(), Error> {
        let mut slot = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_initialized() {
            return Err(Error::SinkTooLate);
        }
        *slot = Some((provides, sink));
        Ok(())
    }

    /// Returns the sink that was set before the Init.
    pub(crate) fn take_sink(&self) -> Option<(EdgeType, Box<dyn Sink>)> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records that the UDF has just sent a message.
    pub(crate) fn note_message(&self) {
        self.last_message.store(self.epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    pub(crate) fn last_message(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.last_message.load(Ordering::Relaxed))
    }

    /// Sets the data that the owner must read, or `None` when the reader continues.
    pub(crate) fn set_unread(&self, what: Option<&'static str>) {
        self.note_message();
        self.change(|state| state.unread = what);
    }

    pub(crate) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::Relaxed)
    }

    /// Ends the connection with `error`, unless it has already ended. Returns the first error.
    pub(crate) fn abort(self: &Arc<Self>, error: Error) -> Error {
        let (first, pending, callback) = {
            let mut state = self.state();
            if state.is_aborted() || state.stopped && state.is_over() {
                return state.error.clone().unwrap_or(Error::AlreadyStopped);
            }
            // Later calls of `abort` have returned above.
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
            // If the thread cannot be created, the callback is not called and counts as returned.
            let _ = spawn("udf-abort", move || {
                callback(&error);
                drop(returned);
            });
        }
        first
    }

    /// Returns the reason for an early end of the UDF. `error` is what the connection shows of the
    /// end.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let ended = self.state().callbacks.ended.take();
        match ended {
            Some(ended) => ended(error),
            None => error,
        }
    }

    /// Ends the input. Returns true if the session was never started.
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

    /// Waits for the end after a stop, up to the time limit if one is set.
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
                    // The kill did not end the threads either. They are left behind.
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
        let state = self.state();
        // A sink that has just taken data does not block.
        let blocked = state.occupied && self.last_message().elapsed() >= within / 2;
        match state.unread.or(blocked.then_some("data")) {
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

    /// Aborts the connection when its owner drops the session in use.
    pub(crate) fn abandon(self: &Arc<Self>) {
        if self.state().phase != Phase::New {
            self.abort(Error::Aborted("the session was dropped while it was in use".to_owned()));
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
        // Their senders are dropped, so that callers waiting for an answer return.
        drop(unanswered);
    }

    /// Waits for the error of the reader, and then aborts with `error`. Both threads notice that a
    /// UDF has exited, but the reader knows the reason better.
    pub(super) fn writing_failed(self: &Arc<Self>, error: io::Error) {
        let mut deadline = None;
        let mut state = self.state();
        while state.reading && !state.is_aborted() {
            // While the owner does not take the data, the reader cannot reach the end of the input.
            // No wake-up follows when a sink has taken the data.
            let left = if state.is_deaf() {
                EXPLAINED_WITHIN
            } else {
                let now = Instant::now();
                deadline.get_or_insert(now + EXPLAINED_WITHIN).saturating_duration_since(now)
            };
            if left.is_zero() {
                break;
            }
            state = self.wait(state, Some(left));
        }
        drop(state);
        let error = self.explain(Error::Write(Arc::new(error)));
        self.abort(error);
    }

    pub(super) fn writing_ended(self: &Arc<Self>, panicked: bool) {
        if panicked {
            self.abort(Error::Panicked("writes to the UDF"));
        }
        self.change(|state| state.writing = false);
    }

    /// Ends the watch. After its panic, aborts and kills at once, because no other thread would.
    pub(super) fn watching_ended(self: &Arc<Self>, panicked: bool) {
        if panicked {
            self.abort(Error::Panicked("watches the timeouts of the UDF"));
            self.killed();
        }
        // No callback is called any more.
        let callbacks = std::mem::take(&mut self.state().callbacks);
        drop(callbacks);
    }
}

/// Returns the error of calls on a session that was stopped or aborted.
fn unusable(state: &State) -> Error {
    match &state.error {
        Some(error) if !state.stopped => error.clone(),
        _ => Error::AlreadyStopped,
    }
}
