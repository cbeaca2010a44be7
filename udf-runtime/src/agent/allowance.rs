//! The memory and the time that a connection may use for requests that are not handled yet.
//!
//! Each connection has its own buffer: up to 16 KiB before Init, and up to 256 KiB after it.
//! Incomplete requests and read-ahead that exceed this buffer take memory from one budget of the
//! process. The connection returns the memory when the request is handled.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use udf_proto::frame::Room;

use crate::agent::agent_error::AgentError;
use crate::agent::limits::Limits;
use crate::agent::stop::Stopping;

/// The first interval at which a request without room tries again. Each interval is twice as long
/// as the one before, up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest interval at which a request without room tries again.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The memory that all connections of a process may hold for unhandled requests.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    held: Arc<AtomicU64>,
}

impl Budget {
    /// Creates the budget that `limits` sets. `held` counts the bytes in use. The budget always has
    /// room for the largest request that `limits` allow.
    pub(crate) fn new(limits: &Limits, held: Arc<AtomicU64>) -> Arc<Self> {
        let limit = limits.buffer.max(limits.frame) as u64;
        Arc::new(Budget { limit, held })
    }
}

/// A part of a budget. Dropping it returns the memory.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    /// Sets the size of this share to `bytes`, if all shares together then hold at most `limit`.
    /// Otherwise returns the number of bytes that all shares hold now.
    fn hold(&mut self, bytes: u64, limit: u64) -> Result<(), u64> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            // Check and increment in one step, so that shares together never exceed the limit.
            // Relaxed order suffices: no other memory depends on the counter.
            self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(more).filter(|held| *held <= limit)
            })?;
        } else {
            self.budget.held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Sets the size of this share to `bytes` for read-ahead, if there is room. Read-ahead fills at
    /// most half of the budget, so that requests that must be read find the rest.
    pub(crate) fn hold_ahead(&mut self, bytes: usize) -> bool {
        self.hold(bytes as u64, self.budget.limit / 2).is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The time and the memory that one connection may use.
#[derive(Debug)]
pub(crate) struct Allowance {
    budget: Arc<Budget>,
    /// Ends a wait for room. `None` for a connection that shares its budget with no other.
    stopping: Option<Stopping>,
    opened: Instant,
    /// The time limit for Init. `None` is no limit.
    init: Option<Duration>,
    /// The time limit for the arrival of a request that holds a part of the budget. `None` is no
    /// limit.
    request: Option<Duration>,
    /// How long a request may wait for room once the peer has hung up. `None` is no limit.
    hangup: Option<Duration>,
    /// Whether Init was accepted. Relaxed order suffices: only a stop reads it.
    started: AtomicBool,
    /// The deadline for an accepted Init. `None` after Init, or without a limit.
    init_due: Mutex<Option<Instant>>,
    /// The deadline for the request that holds a part of the budget. `None` without such a request,
    /// or without a limit.
    request_due: Mutex<Option<Instant>>,
}

impl Allowance {
    /// Creates the allowance of a connection whose peer is unknown: its time is limited as well.
    pub(crate) fn new(budget: &Arc<Budget>, limits: &Limits, stopping: &Stopping) -> Arc<Self> {
        Allowance::within(budget, limits, Some(stopping.clone()))
    }

    /// Creates the allowance of a connection whose peer has spawned this process and waits for it.
    pub(crate) fn of_process(limits: &Limits) -> Arc<Self> {
        let limits = Limits { init: None, request: None, ..limits.clone() };
        Allowance::within(&Budget::new(&limits, Arc::default()), &limits, None)
    }

    fn within(
        budget: &Arc<Budget>,
        &Limits { init, request, hangup, .. }: &Limits,
        stopping: Option<Stopping>,
    ) -> Arc<Self> {
        let opened = Instant::now();
        Arc::new(Allowance {
            budget: Arc::clone(budget),
            stopping,
            opened,
            init,
            request,
            hangup,
            started: AtomicBool::new(false),
            // If the clock cannot represent the deadline, there is no deadline.
            init_due: Mutex::new(init.and_then(|init| opened.checked_add(init))),
            request_due: Mutex::new(None),
        })
    }

    /// Marks Init as accepted.
    pub(crate) fn start(&self) {
        *lock(&self.init_due) = None;
        self.started.store(true, Ordering::Relaxed);
    }

    /// Returns whether Init was accepted.
    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Relaxed)
    }

    /// Excludes the time of a handler call from the time limit. Until Init, only the longest call
    /// is excluded: a peer that repeats Info must not extend its limit each time.
    pub(crate) fn leave_out(&self, call: Duration) {
        if let (Some(due), Some(init)) = (&mut *lock(&self.init_due), self.init) {
            *due = self.opened.checked_add(init + call).map_or(*due, |later| later.max(*due));
        }
    }

    /// Returns the room for the requests of this connection.
    pub(crate) fn room(self: &Arc<Self>, peer: Option<Arc<dyn Peer>>) -> RequestRoom {
        RequestRoom { share: self.share(), allowance: Arc::clone(self), peer }
    }

    /// Creates a share that holds nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { budget: Arc::clone(&self.budget), bytes: 0 }
    }

    /// Returns the time left for the peer until Init, and the error after that time. `None` is no
    /// limit.
    pub(crate) fn until_init(&self) -> Option<(Duration, AgentError)> {
        let left = left(*lock(&self.init_due))?;
        Some((left, AgentError::NoInit { within: self.init? }))
    }

    /// Returns the time left for input to arrive, and the error after that time. `None` is no
    /// limit.
    pub(crate) fn due(&self) -> Option<(Duration, AgentError)> {
        let request = || {
            let left = left(*lock(&self.request_due))?;
            Some((left, AgentError::Unfinished { within: self.request? }))
        };
        self.until_init().into_iter().chain(request()).min_by_key(|(left, _)| *left)
    }
}

fn left(due: Option<Instant>) -> Option<Duration> {
    due.map(|due| due.saturating_duration_since(Instant::now()))
}

fn lock(due: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    due.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The other side of a connection.
pub(crate) trait Peer: fmt::Debug + Send + Sync {
    /// Returns whether it has closed the connection in both directions.
    fn has_gone(&self) -> bool;

    /// Returns whether it has closed the half that it writes to, as Kapacitor does when it aborts a
    /// task. Kapacitor then waits for the end of the connection.
    fn has_hung_up(&self) -> bool;
}

/// Room for the requests of a connection beyond its own buffer. A request without room waits until
/// other connections return memory, but no longer than the request may take to arrive. It waits for
/// a short time only when the peer has hung up, and not at all when the peer has gone.
#[derive(Debug)]
pub(crate) struct RequestRoom {
    share: Share,
    allowance: Arc<Allowance>,
    peer: Option<Arc<dyn Peer>>,
}

impl Room for RequestRoom {
    fn hold(&mut self, bytes: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Allowance { stopping, request, request_due, hangup, .. } = &*self.allowance;
        let (bytes, had, limit) = (bytes as u64, self.share.bytes, self.share.budget.limit);
        let due = || request.and_then(|within| Instant::now().checked_add(within));
        {
            let mut request_due = lock(request_due);
            *request_due = if bytes == 0 { None } else { request_due.or_else(due) };
        }
        let (mut pause, mut hung_up) = (FIRST_PAUSE, None);
        while let Err(held) = self.share.hold(bytes, limit) {
            // This deadline also resolves a deadlock of requests that wait for each other's memory.
            let mut left = self.allowance.due().map_or(Duration::ZERO, |(left, _)| left);
            if let Some(peer) = self.peer.as_ref().filter(|peer| peer.has_hung_up()) {
                let since = hung_up.get_or_insert_with(Instant::now).elapsed();
                let grace = if peer.has_gone() { Some(Duration::ZERO) } else { *hangup };
                left = grace.map_or(left, |grace| left.min(grace.saturating_sub(since)));
            }
            let Some(stopping) = stopping.as_ref().filter(|_| !left.is_zero()) else {
                return Err(format!(
                    "there is no room for a large request: it needs {} bytes more, and all connections \
                     together hold {held} of {limit} bytes; raise --buffer-limit",
                    bytes - had
                )
                .into());
            };
            let timeout = Timespec::try_from(left.min(pause)).ok();
            let asked = poll(&mut [PollFd::new(stopping, PollFlags::IN)], timeout.as_ref());
            // Thousands of requests may wait: their tries must not use up a core.
            pause = (pause * 2).min(LAST_PAUSE);
            if asked.is_ok_and(|ready| ready > 0) {
                return Err(stopping.stopped().into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::stop::Stop;

    /// Returns an allowance with its own budget, and the stop that ends its waits.
    fn allowed(limits: &Limits) -> (Arc<Allowance>, Arc<Budget>, Stop) {
        let (budget, stop) = (Budget::new(limits, Arc::default()), Stop::new());
        let stop = stop.expect("there are descriptors");
        (Allowance::new(&budget, limits, &stop.stopping()), budget, stop)
    }

    /// Refuses requests without room at once.
    fn limits(buffer: usize) -> Limits {
        let request = Some(Duration::ZERO);
        Limits { buffer, frame: 1 << 10, request, ..Limits::default() }
    }

    #[test]
    fn connections_share_a_budget_and_give_their_part_back() {
        let limits = limits(10 << 10);
        let (allowance, budget, stop) = allowed(&limits);
        let held = || budget.held.load(Ordering::Relaxed);
        let mut one = allowance.room(None);
        let mut other = Allowance::new(&budget, &limits, &stop.stopping()).room(None);
        one.hold(4 << 10).expect("there is room");
        other.hold(6 << 10).expect("there is room");
        assert_eq!(held(), 10 << 10);
        let error = one.hold((4 << 10) + 1).expect_err("it is full").to_string();
        assert_eq!(
            error,
            "there is no room for a large request: it needs 1 bytes more, and all connections together hold \
             10240 of 10240 bytes; raise --buffer-limit"
        );
        // A refusal changes nothing.
        assert_eq!(held(), 10 << 10);
        other.hold(1 << 10).expect("a smaller request is granted");
        one.hold(9 << 10).expect("there is room");
        drop(one);
        assert_eq!(held(), 1 << 10);
        other.hold(0).expect("a smaller request is granted");
        assert_eq!(held(), 0);
    }

    #[test]
    fn a_request_waits_for_room_until_others_give_theirs_back() {
        let hour = Some(Duration::from_secs(3600));
        let limits = Limits { request: hour, ..limits(10 << 10) };
        let (allowance, budget, stop) = allowed(&limits);
        let mut one = allowance.room(None);
        let mut other = Allowance::new(&budget, &limits, &stop.stopping()).room(None);
        one.hold(6 << 10).expect("there is room");
        let waits = std::thread::spawn(move || other.hold(6 << 10).map(|()| other));
        one.hold(0).expect("a smaller request is granted");
        let other = waits.join().expect("it does not panic").expect("there is room now");
        // A stop ends the wait.
        let waits = std::thread::spawn(move || one.hold(6 << 10));
        stop.stop();
        let error = waits.join().expect("it does not panic").expect_err("the other has it");
        assert!(error.is::<crate::agent::stop::Stopped>(), "{error}");
        drop(other);
    }

    #[test]
    fn requests_that_wait_for_each_other_are_refused_in_time() {
        let second = Some(Duration::from_secs(1));
        let limits = Limits { request: second, ..limits(10 << 10) };
        let (allowance, budget, stop) = allowed(&limits);
        let mut one = allowance.room(None);
        let mut other = Allowance::new(&budget, &limits, &stop.stopping()).room(None);
        one.hold(6 << 10).expect("there is room");
        other.hold(3 << 10).expect("there is room");
        let waits = std::thread::spawn(move || other.hold(6 << 10).map_err(|error| (error, other)));
        let error = one.hold(8 << 10).expect_err("the other waits as well");
        assert!(error.to_string().starts_with("there is no room"), "{error}");
        let (error, _other) = waits.join().expect("it does not panic").expect_err("nor that");
        assert!(error.to_string().starts_with("there is no room"), "{error}");
    }

    #[test]
    fn what_is_read_ahead_leaves_room_for_requests() {
        let (allowance, budget, _stop) = allowed(&limits(10 << 10));
        let (mut ahead, mut room) = (allowance.share(), allowance.room(None));
        assert!(ahead.hold_ahead(5 << 10) && !ahead.hold_ahead((5 << 10) + 1));
        room.hold(5 << 10).expect("the other half of the limit is free");
        assert!(ahead.hold_ahead(4 << 10), "it is less");
        assert!(!ahead.hold_ahead(5 << 10), "more than half is held");
        drop(ahead);
        assert_eq!(budget.held.load(Ordering::Relaxed), 5 << 10);
    }

    #[test]
    fn the_largest_request_has_room_in_any_budget() {
        let limits = Limits { buffer: 1, frame: 1 << 20, ..Limits::default() };
        Allowance::of_process(&limits).room(None).hold(1 << 20).expect("it is allowed");
    }

    #[test]
    fn init_and_then_large_requests_are_waited_for_so_long() {
        let hour = Duration::from_secs(3600);
        let limits =
            Limits { init: Some(hour), request: Some(Duration::ZERO), ..Limits::default() };
        let (allowance, ..) = allowed(&limits);
        let due = || allowance.due().map(|(left, error)| (left, error.to_string()));
        assert!(
            due().is_some_and(|(left, error)| left > hour / 2 && error.contains("--init-timeout"))
        );
        let mut room = allowance.room(None);
        room.hold(1).expect("there is room");
        assert!(due().is_some_and(|(left, error)| {
            left.is_zero() && error.contains("--request-timeout")
        }));
        room.hold(0).expect("a smaller request is granted");
        allowance.start();
        assert_eq!(due(), None);
        // A process that Kapacitor has spawned has no time limit.
        assert!(Allowance::of_process(&limits).due().is_none());
    }

    #[test]
    fn the_longest_call_does_not_count_for_init_and_others_do() {
        let limits = Limits { init: Some(Duration::ZERO), ..Limits::default() };
        let (allowance, ..) = allowed(&limits);
        let left = || allowance.until_init().map(|(left, _)| left);
        assert_eq!(left(), Some(Duration::ZERO));
        let hour = Duration::from_secs(3600);
        for call in [hour / 2, hour, hour, hour / 4] {
            allowance.leave_out(call);
        }
        assert!(left().is_some_and(|left| left > hour / 2 && left <= hour));
    }
}
