//! What a connection may take until its requests are handled: memory, and time.
//!
//! A connection has a buffer of its own, of up to 256 KiB. All that it holds beyond, of a request that has
//! not come whole and of input that is read ahead, is taken from one budget of the process, and given back
//! when the request is handled.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use udf_proto::frame::Room;

use crate::{AgentError, Limits};

/// The memory that all connections of a process may hold for requests that are not handled yet.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    held: Arc<AtomicU64>,
}

impl Budget {
    /// The budget that `limits` sets, which counts in `held` what is held. It has room for the largest request
    /// that they allow.
    pub(crate) fn new(limits: &Limits, held: Arc<AtomicU64>) -> Arc<Self> {
        let limit = limits.buffer.max(limits.frame) as u64;
        Arc::new(Budget { limit, held })
    }
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    /// Holds `bytes` in all from now on, if all shares together then hold no more than `limit`; else it
    /// returns how many they hold now.
    fn hold(&mut self, bytes: u64, limit: u64) -> Result<(), u64> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(more).filter(|held| *held <= limit)
            })?;
        } else {
            self.budget.held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What one connection may take.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    budget: Arc<Budget>,
    time: Arc<Time>,
}

/// For how long a connection is waited for.
#[derive(Debug)]
struct Time {
    opened: Instant,
    /// Until Init; none for ever.
    init: Option<Duration>,
    /// For the rest of a request that holds a part of the budget; none for ever.
    request: Option<Duration>,
    /// Whether there was an Init. It orders nothing.
    started: AtomicBool,
    /// Since when it holds a part of the budget.
    holds: Mutex<Option<Instant>>,
}

impl Allowance {
    /// For a connection with a peer that may be anybody: its time is limited, too.
    pub(crate) fn new(budget: &Arc<Budget>, limits: &Limits) -> Self {
        Allowance::within(budget, limits.init, limits.request)
    }

    /// For a connection whose other side has started this process, and waits for it.
    pub(crate) fn of_process(limits: &Limits) -> Self {
        Allowance::within(&Budget::new(limits, Arc::default()), None, None)
    }

    fn within(budget: &Arc<Budget>, init: Option<Duration>, request: Option<Duration>) -> Self {
        let time = Time {
            opened: Instant::now(),
            init,
            request,
            started: AtomicBool::new(false),
            holds: Mutex::new(None),
        };
        Allowance { budget: Arc::clone(budget), time: Arc::new(time) }
    }

    /// An Init was accepted.
    pub(crate) fn start(&self) {
        self.time.started.store(true, Ordering::Relaxed);
    }

    /// Room for requests.
    pub(crate) fn room(&self) -> RequestRoom {
        RequestRoom { share: self.share(), time: Arc::clone(&self.time) }
    }

    /// Room for input that is read ahead.
    pub(crate) fn ahead(&self) -> Ahead {
        Ahead(self.share())
    }

    fn share(&self) -> Share {
        Share { budget: Arc::clone(&self.budget), bytes: 0 }
    }

    /// How long input may be waited for, and the error when that has passed; none for ever.
    pub(crate) fn due(&self) -> Option<(Duration, AgentError)> {
        let Time { opened, init, request, started, .. } = &*self.time;
        let init = init
            .filter(|_| !started.load(Ordering::Relaxed))
            .and_then(|within| Some((opened.checked_add(within)?, AgentError::NoInit { within })));
        let request = request.and_then(|within| {
            let since = (*self.time.holds())?;
            Some((since.checked_add(within)?, AgentError::Unfinished { within }))
        });
        let (due, error) = init.into_iter().chain(request).min_by_key(|(due, _)| *due)?;
        Some((due.saturating_duration_since(Instant::now()), error))
    }
}

impl Time {
    fn holds(&self) -> MutexGuard<'_, Option<Instant>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for the requests of a connection beyond its own buffer.
#[derive(Debug)]
pub(crate) struct RequestRoom {
    share: Share,
    time: Arc<Time>,
}

impl Room for RequestRoom {
    fn hold(&mut self, bytes: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (bytes, had, limit) = (bytes as u64, self.share.bytes, self.share.budget.limit);
        self.share.hold(bytes, limit).map_err(|held| {
            format!(
                "there is no room for a large request: it needs {} bytes more, and all connections together \
                 hold {held} of {limit} bytes; raise --buffer-limit",
                bytes - had
            )
        })?;
        let mut since = self.time.holds();
        *since = if bytes == 0 { None } else { since.or_else(|| Some(Instant::now())) };
        Ok(())
    }
}

/// Room for input that is read ahead: it never takes what makes the budget more than half full, so that
/// requests that have to be read find the rest.
#[derive(Debug)]
pub(crate) struct Ahead(Share);

impl Ahead {
    /// Holds `bytes` in all from now on, if there is room for them.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let limit = self.0.budget.limit / 2;
        self.0.hold(bytes as u64, limit).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(buffer: usize) -> Limits {
        Limits { buffer, frame: 1 << 10, ..Limits::default() }
    }

    #[test]
    fn connections_share_a_budget_and_give_their_part_back() {
        let limits = limits(10 << 10);
        let held = Arc::new(AtomicU64::new(0));
        let budget = Budget::new(&limits, Arc::clone(&held));
        let room = || Allowance::new(&budget, &limits).room();
        let (mut one, mut other) = (room(), room());
        one.hold(4 << 10).expect("there is room");
        other.hold(6 << 10).expect("there is room");
        assert_eq!(held.load(Ordering::Relaxed), 10 << 10);
        let error = one.hold((4 << 10) + 1).expect_err("it is full").to_string();
        assert_eq!(
            error,
            "there is no room for a large request: it needs 1 bytes more, and all connections together hold \
             10240 of 10240 bytes; raise --buffer-limit"
        );
        // A refusal changes nothing.
        assert_eq!(held.load(Ordering::Relaxed), 10 << 10);
        other.hold(1 << 10).expect("it is less");
        one.hold(9 << 10).expect("there is room");
        drop(one);
        assert_eq!(held.load(Ordering::Relaxed), 1 << 10);
        other.hold(0).expect("it is less");
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_read_ahead_leaves_room_for_requests() {
        let limits = limits(10 << 10);
        let held = Arc::new(AtomicU64::new(0));
        let budget = Budget::new(&limits, Arc::clone(&held));
        let allowance = Allowance::new(&budget, &limits);
        let (mut ahead, mut room) = (allowance.ahead(), allowance.room());
        assert!(ahead.hold(5 << 10) && !ahead.hold((5 << 10) + 1));
        room.hold(5 << 10).expect("the other half");
        assert!(ahead.hold(4 << 10), "it is less");
        assert!(!ahead.hold(5 << 10), "more than half is held");
        drop(ahead);
        assert_eq!(held.load(Ordering::Relaxed), 5 << 10);
    }

    #[test]
    fn the_largest_request_has_room_in_any_budget() {
        let limits = Limits { buffer: 1, frame: 1 << 20, ..Limits::default() };
        Allowance::of_process(&limits).room().hold(1 << 20).expect("it is allowed");
    }

    #[test]
    fn init_and_then_large_requests_are_waited_for_so_long() {
        let hour = Duration::from_secs(3600);
        let limits =
            Limits { init: Some(hour), request: Some(Duration::ZERO), ..Limits::default() };
        let allowance = Allowance::new(&Budget::new(&limits, Arc::default()), &limits);
        let due = || allowance.due().map(|(left, error)| (left, error.to_string()));
        assert!(
            due().is_some_and(|(left, error)| left > hour / 2 && error.contains("--init-timeout"))
        );
        let mut room = allowance.room();
        room.hold(1).expect("there is room");
        assert!(due().is_some_and(|(left, error)| {
            left.is_zero() && error.contains("--request-timeout")
        }));
        room.hold(0).expect("it is less");
        allowance.start();
        assert_eq!(due(), None);
        // A process that Kapacitor has spawned waits for ever.
        assert!(Allowance::of_process(&limits).due().is_none());
    }
}
