//! The runtime's synchronization types, based on those of the model checker.

use std::cell::Cell;
use std::ops::{Add, Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

pub(crate) use shuttle::sync::atomic::AtomicU64;
pub(crate) use shuttle::thread;

/// Locks, as the runtime's own does.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutex of the checker. Its guards know their mutex, and let other threads run after they unlock
/// it.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    inner: shuttle::sync::Mutex<T>,
    freed: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex { inner: shuttle::sync::Mutex::new(value), freed: AtomicU64::new(0) }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        Ok(MutexGuard { mutex: self, guard: Some(free(self.inner.lock())) })
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(guard) => Ok(MutexGuard { mutex: self, guard: Some(guard) }),
            Err(TryLockError::Poisoned(poisoned)) => {
                Ok(MutexGuard { mutex: self, guard: Some(poisoned.into_inner()) })
            }
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("the guard is taken only during a wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("the guard is taken only during a wait")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        drop(self.guard.take());
        if !std::thread::panicking() {
            // The checker switches threads before an access to shared memory, not after it. The
            // next access may be one that the checker does not know, such as closing a descriptor.
            // Loading an atomic here lets other threads run first.
            self.mutex.freed.load(Ordering::Relaxed);
        }
    }
}

/// Ignores poisoning, like the runtime.
fn free<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// A condition variable of the checker, with waits that can [time out](time_out).
#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar::default()
    }

    pub(crate) fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
    ) -> LockResult<MutexGuard<'a, T>> {
        guard.guard = guard.guard.take().map(|guard| free(self.0.wait(guard)));
        Ok(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let timed_out = CLOCK.with(|clock| {
            let Clock { now, timeouts } = clock.get();
            if timeouts > 0 {
                clock.set(Clock { now: now + limit, timeouts: timeouts - 1 });
            }
            timeouts > 0
        });
        if !timed_out {
            return Ok((free(self.wait(guard)), false));
        }
        // Unlocks the mutex, so that other threads can lock it.
        guard.guard = None;
        guard.guard = Some(free(guard.mutex.inner.lock()));
        Ok((guard, true))
    }

    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if !condition(&mut guard) || left.is_zero() {
                return Ok((guard, left.is_zero()));
            }
            guard = free(self.wait_timeout(guard, left)).0;
        }
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// A time that advances only when a wait times out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Instant(CLOCK.with(|clock| clock.get().now))
    }

    pub(crate) fn checked_add(self, more: Duration) -> Option<Self> {
        self.0.checked_add(more).map(Instant)
    }

    pub(crate) fn duration_since(self, earlier: Instant) -> Duration {
        self.0 - earlier.0
    }

    pub(crate) fn saturating_duration_since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, more: Duration) -> Instant {
        Instant(self.0 + more)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    now: Duration,
    timeouts: u32,
}

std::thread_local! {
    // The checker runs all threads of a check on one thread.
    static CLOCK: Cell<Clock> = Cell::default();
}

/// Makes the next `timeouts` waits with a timeout expire at once. Later waits end only by a
/// notification.
///
/// A missing notification is reported as a deadlock.
pub(crate) fn time_out(timeouts: u32) {
    CLOCK.with(|clock| clock.set(Clock { now: Duration::ZERO, timeouts }));
}
