//! Handles points on several threads, and writes their output in the order of the points.
//!
//! Each accepted point has a slot. Workers begin the points in their order, and finish them in any
//! order. The thread that finishes the oldest point writes the output of all slots before the first
//! unfinished slot. A point leaves the pool when its output is written. So a slow point holds the
//! input back, and so does a peer that does not read.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::alarm::Alarm;
use crate::agent::agent_error::AgentError;
use crate::agent::counters::Count;
use crate::agent::edge::Edge;
use crate::agent::emitter::{Collected, Emitter};
use crate::agent::error::Result;
use crate::agent::guard;
use crate::agent::link::Link;
use crate::agent::pulse::Call;
use crate::agent::shortage;
use crate::agent::sync::thread::{self, JoinHandle};
use crate::agent::sync::{Condvar, Mutex, MutexGuard, lock};

/// The maximum number of points in the pool for each worker. A point that takes this many times as
/// long as the others does not hold them back.
const POINTS_PER_WORKER: usize = 16;

/// The maximum size in bytes of the points in the pool and of their output. A single point may be
/// larger.
const MOST_BYTES: usize = 1 << 20;

/// The maximum size of one write, unless the output of one point is larger.
const WRITE: usize = 256 << 10;

/// The time after which the log names what a shutdown waits for.
const NOTE_AFTER: Duration = Duration::from_secs(1);

/// Handles one point.
pub(crate) type Job = Box<dyn FnOnce() -> Done + Send>;

/// A point that was handled.
#[derive(Default)]
pub struct Done {
    output: Collected,
    error: Option<AgentError>,
}

impl Done {
    /// Collects what `work` emits. New points have the time of the point that is handled.
    pub(crate) fn by<E: Edge>(
        link: &Arc<Link>,
        time: i64,
        work: impl FnOnce(&mut Emitter<E>) -> Result<()>,
    ) -> Self {
        let mut out = Emitter::collecting(Arc::clone(link));
        out.output.set_time(Some(time));
        let call = Call::Point;
        // After a panic, only `stop` of the UDF is called, as after a panic of a handler.
        let error = match catch_unwind(AssertUnwindSafe(|| work(&mut out))) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(AgentError::Handler { call, error }),
            Err(panic) => Some(AgentError::Panicked { call, message: guard::message(&*panic) }),
        };
        Done { output: out.output.collected(), error }
    }
}

pub(super) struct Pool {
    link: Arc<Link>,
    alarm: Arc<Alarm>,
    /// The maximum number of points in the pool.
    most: usize,
    state: Mutex<State>,
    /// Notified when there is work, and at the end.
    work: Condvar,
    /// Notified when output was written, and at the end.
    written: Condvar,
}

#[derive(Default)]
struct State {
    /// The points whose output is not written yet, the oldest one first. A point leaves when the
    /// write of its output begins.
    slots: VecDeque<Slot>,
    /// The number of the first slot. Slots are numbered in the order of the input.
    first: u64,
    /// The number of the next slot that a worker begins.
    next: u64,
    /// The number of points that are not written yet, and their size.
    points: usize,
    bytes: usize,
    /// Whether a thread is writing. The same thread writes the output that is finished meanwhile.
    is_writing: bool,
    /// Whether a point has failed. No later point begins then.
    has_failed: bool,
    /// Whether nothing is written any more.
    has_ended: bool,
    /// The maximum number of threads.
    workers: usize,
    threads: Vec<JoinHandle<()>>,
    /// The number of threads that wait for work, and of those that have returned.
    idle: usize,
    returned: usize,
}

struct Slot {
    /// The number of the call, for the watchdog.
    call: u64,
    bytes: usize,
    stage: Stage,
}

enum Stage {
    Waiting(Job),
    Begun,
    Done(Done),
}

/// The output of consecutive slots.
#[derive(Default)]
struct Ready {
    done: Done,
    points: usize,
    bytes: usize,
}

impl State {
    /// Takes the next point that no worker has begun.
    fn begin(&mut self) -> Option<(u64, Job)> {
        if self.has_failed {
            return None;
        }
        let slot = self.slots.get_mut((self.next - self.first) as usize)?;
        let Stage::Waiting(job) = std::mem::replace(&mut slot.stage, Stage::Begun) else {
            unreachable!("points begin in their order");
        };
        self.next += 1;
        Some((self.next - 1, job))
    }

    fn done(&mut self, number: u64, done: Done) {
        // There is no slot after the end.
        let Some(slot) = number.checked_sub(self.first) else { return };
        let Some(slot) = self.slots.get_mut(slot as usize) else { return };
        let bytes = done.output.bytes.len();
        self.bytes = self.bytes - slot.bytes + bytes;
        self.has_failed |= done.error.is_some();
        slot.bytes = bytes;
        slot.stage = Stage::Done(done);
    }

    /// Takes the output that can be written: up to the first slot that is not done or has failed.
    fn take_ready(&mut self) -> Option<Ready> {
        let mut ready = Ready::default();
        while ready.done.error.is_none() && ready.bytes < WRITE {
            let is_done = |slot: &mut Slot| matches!(slot.stage, Stage::Done(_));
            let Some(Slot { bytes, stage: Stage::Done(done), .. }) =
                self.slots.pop_front_if(is_done)
            else {
                break;
            };
            self.first += 1;
            ready.points += 1;
            ready.bytes += bytes;
            ready.done.output.append(done.output);
            ready.done.error = done.error;
        }
        (ready.points > 0).then_some(ready)
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.slots.clear();
    }

    fn is_settled(&self) -> bool {
        self.points == 0 || self.has_ended
    }
}

impl Pool {
    pub(super) fn new(link: &Arc<Link>, alarm: &Arc<Alarm>, workers: usize) -> Self {
        Pool {
            link: Arc::clone(link),
            alarm: Arc::clone(alarm),
            most: workers * POINTS_PER_WORKER,
            state: Mutex::new(State { workers, ..State::default() }),
            work: Condvar::new(),
            written: Condvar::new(),
        }
    }

    pub(super) fn submit(
        self: &Arc<Self>,
        bytes: usize,
        job: impl FnOnce() -> Job,
    ) -> io::Result<()> {
        let mut state = lock(&self.state);
        let is_full = |state: &State| {
            state.points >= self.most || state.points > 0 && state.bytes + bytes > MOST_BYTES
        };
        // After a failure, later points have no effect. Their reader waits for the end.
        while !state.has_ended && (state.has_failed || is_full(&state)) {
            state = wait(&self.written, state);
        }
        if state.has_ended {
            return Ok(());
        }
        let call = self.link.pulse.number();
        if state.slots.is_empty() && !state.is_writing {
            self.link.pulse.show_oldest(Some(call));
        }
        state.slots.push_back(Slot { call, bytes, stage: Stage::Waiting(job()) });
        state.points += 1;
        state.bytes += bytes;
        let waiting = state.slots.len() as u64 - (state.next - state.first);
        if waiting > state.idle as u64 && state.threads.len() < state.workers {
            self.start(&mut state)?;
        }
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Starts one more worker. If the system has no thread left, the pool goes on with its present
    /// workers.
    fn start(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let name = format!("worker-{}", state.threads.len() + 1);
        let pool = Arc::clone(self);
        let started = thread::Builder::new().name(name).spawn(move || pool.run());
        match started.map_err(shortage::of("cannot start a worker's thread")) {
            Ok(thread) => state.threads.push(thread),
            Err(error) if state.threads.is_empty() => return Err(error),
            Err(error) => {
                state.workers = state.threads.len();
                tracing::warn!("continuing with {} workers: {error}", state.workers);
            }
        }
        Ok(())
    }

    /// Handles points until the end.
    fn run(&self) {
        let _entered = self.link.span.enter();
        let mut state = lock(&self.state);
        while !state.has_ended {
            let Some((number, job)) = state.begin() else {
                state.idle += 1;
                state = wait(&self.work, state);
                state.idle -= 1;
                continue;
            };
            drop(state);
            let done = job();
            state = lock(&self.state);
            state.done(number, done);
            state = self.write(state);
        }
        state.returned += 1;
        self.written.notify_all();
    }

    /// Writes the output that is ready, unless another thread is writing.
    fn write<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        while !state.is_writing
            && !state.has_ended
            && let Some(ready) = state.take_ready()
        {
            state.is_writing = true;
            drop(state);
            let Ready { done: Done { output, error }, points, bytes } = ready;
            self.link.counters.add(Count::PointsOut, output.points);
            self.link.counters.add(Count::BatchesOut, output.batches);
            let written = match output.bytes.is_empty() {
                true => Ok(()),
                false => self.link.write(&output.bytes),
            };
            let error = error.or(written.err().map(AgentError::from));
            let has_failed = error.is_some();
            if let Some(error) = error {
                // Raise the error before the pool ends, so that it is reported as the cause.
                self.alarm.raise(error);
            }
            state = lock(&self.state);
            state.is_writing = false;
            state.points -= points;
            state.bytes -= bytes;
            if has_failed {
                state.end();
                self.work.notify_all();
            }
            // Show this only after the write: while the write blocks, the connection is busy.
            self.link.pulse.show_oldest(state.slots.front().map(|slot| slot.call));
            self.written.notify_all();
        }
        state
    }

    pub(super) fn settle(&self) {
        let mut state = lock(&self.state);
        while !state.is_settled() {
            state = wait(&self.written, state);
        }
    }

    pub(super) fn dismiss(&self) {
        let mut state = lock(&self.state);
        state.end();
        self.work.notify_all();
        let threads = std::mem::take(&mut state.threads);
        let is_busy = |state: &mut State| state.returned < threads.len();
        let waited = self.written.wait_timeout_while(state, NOTE_AFTER, is_busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let busy = threads.len() - state.returned;
        drop(state);
        if busy > 0 {
            tracing::warn!("waiting for calls of `point` that have not returned: {busy}");
        }
        for thread in threads {
            // A worker does not panic: it catches the panics of the UDF.
            let _ = thread.join();
        }
        self.link.pulse.show_oldest(None);
    }
}

fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
