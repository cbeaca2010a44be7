//! The points or batches from the UDF that wait for the owner: a queue bounded in items and in
//! bytes.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    readable: Condvar,
    writable: Condvar,
    items: usize,
    bytes: usize,
}

struct Inner<T> {
    /// The items, each with its cost in bytes.
    waiting: VecDeque<(T, usize)>,
    cost: usize,
    closed: bool,
    /// Whether the owner ever asked for a receiver.
    taken: bool,
    /// The number of receivers.
    receivers: usize,
    /// The number of items dropped for lack of room while there was no receiver.
    dropped: u64,
    readers_asleep: usize,
    writers_asleep: usize,
}

/// The result of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferResult {
    /// All items are in the queue, or dropped because it is full and every receiver is gone.
    Taken,
    /// Some items remain: the owner must read first.
    Full,
    /// The queue is closed. The remaining items are lost.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(items: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Queue {
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                cost: 0,
                closed: false,
                taken: false,
                receivers: 0,
                dropped: 0,
                readers_asleep: 0,
                writers_asleep: 0,
            }),
            readable: Condvar::new(),
            writable: Condvar::new(),
            items: items.max(1),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves items into the queue while there is room. The rest stays in `items`.
    pub(crate) fn offer(&self, items: &mut VecDeque<(T, usize)>) -> OfferResult {
        let mut inner = self.lock();
        let before = inner.waiting.len();
        while !inner.closed && self.has_room(&inner) {
            let Some((item, cost)) = items.pop_front() else { break };
            inner.cost += cost;
            inner.waiting.push_back((item, cost));
        }
        match inner.waiting.len() - before {
            0 => {}
            // A wake-up is a system call, so none is made without a sleeping reader.
            _ if inner.readers_asleep == 0 => {}
            1 => self.readable.notify_one(),
            _ => self.readable.notify_all(),
        }
        if !self.has_room(&inner) && inner.is_abandoned() {
            inner.dropped += items.len() as u64;
            items.clear();
        }
        if inner.closed {
            items.clear();
            OfferResult::Closed
        } else if items.is_empty() {
            OfferResult::Taken
        } else {
            OfferResult::Full
        }
    }

    /// Moves all of `items` into the queue, even beyond its limits.
    pub(crate) fn force(&self, items: &mut VecDeque<(T, usize)>) {
        let mut inner = self.lock();
        if !inner.closed && !items.is_empty() {
            inner.cost += items.iter().map(|(_, cost)| cost).sum::<usize>();
            inner.waiting.append(items);
            self.readable.notify_all();
        }
    }

    fn has_room(&self, inner: &Inner<T>) -> bool {
        // An empty queue accepts any item, so that one item over the byte limit cannot block
        // forever.
        inner.waiting.is_empty() || inner.waiting.len() < self.items && inner.cost < self.bytes
    }

    /// Waits until there is room, the queue is closed, every receiver is gone, or `wake_writers` is
    /// called.
    pub(crate) fn wait_for_room(&self) {
        let mut inner = self.lock();
        if !inner.closed && !self.has_room(&inner) && !inner.is_abandoned() {
            inner.writers_asleep += 1;
            inner = self.writable.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.writers_asleep -= 1;
        }
    }

    /// Wakes the thread that waits for room, so that it checks its conditions again.
    pub(crate) fn wake_writers(&self) {
        // A thread that has checked its conditions holds the lock until it waits, so it cannot miss
        // this.
        let _inner = self.lock();
        self.writable.notify_all();
    }

    /// Closes the queue for new items. Waiting items can still be read.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        self.readable.notify_all();
        self.writable.notify_all();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.lock().taken
    }

    pub(crate) fn take(self: &Arc<Self>) -> Receiver<T> {
        let mut inner = self.lock();
        inner.taken = true;
        inner.receivers += 1;
        Receiver { queue: self.clone() }
    }

    /// Counts the drop of a receiver. After the last one, no thread makes room any more.
    fn leave(&self) {
        let mut inner = self.lock();
        inner.receivers -= 1;
        if inner.is_abandoned() {
            self.writable.notify_all();
        }
    }
}

impl<T> Inner<T> {
    /// Returns whether the owner had receivers and has dropped all of them.
    fn is_abandoned(&self) -> bool {
        self.taken && self.receivers == 0
    }
}

/// Receives the points or batches that the UDF sends.
///
/// All clones read from one bounded queue. While the queue is full, the session does not read from
/// the UDF. The queue ends when the UDF has closed its output or the connection is aborted; items
/// that came before can still be received. [`Session::stop`](crate::Session::stop) returns an error
/// if the connection was aborted.
///
/// After the drop of every clone, the session reads on. Items that fit into the queue wait for the
/// next receiver. The others are dropped and [counted](crate::Session::dropped). Until the first
/// receiver is created, a full queue stops the session from reading.
pub struct Receiver<T> {
    queue: Arc<Queue<T>>,
}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// Nothing came in time. More may come.
    #[error("no data from the UDF in time")]
    Timeout,
    /// The queue has ended.
    #[error("the UDF sends no more data")]
    Ended,
}

impl<T> Receiver<T> {
    /// Waits for the next item. Returns `None` at the end of the queue.
    pub fn recv(&self) -> Option<T> {
        self.wait(None).ok()
    }

    /// Waits at most `timeout` for the next item.
    ///
    /// # Errors
    /// When no item came in time, or at the end of the queue.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, ReceiveError> {
        self.wait(Instant::now().checked_add(timeout))
    }

    /// Returns the next item if it is already there.
    ///
    /// # Errors
    /// [`ReceiveError::Timeout`] if an item may still come, [`ReceiveError::Ended`] otherwise.
    pub fn try_recv(&self) -> Result<T, ReceiveError> {
        self.recv_timeout(Duration::ZERO)
    }

    /// Returns an iterator that waits for each item and ends with the queue.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.recv())
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<T, ReceiveError> {
        let queue = &*self.queue;
        let mut inner = queue.lock();
        loop {
            if let Some((item, cost)) = inner.waiting.pop_front() {
                inner.cost -= cost;
                if inner.writers_asleep > 0 && inner.waiting.len() <= queue.items / 2 {
                    queue.writable.notify_one();
                }
                return Ok(item);
            }
            if inner.closed {
                return Err(ReceiveError::Ended);
            }
            inner.readers_asleep += 1;
            inner = match deadline {
                None => queue.readable.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        inner.readers_asleep -= 1;
                        return Err(ReceiveError::Timeout);
                    }
                    let woken = queue.readable.wait_timeout(inner, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            inner.readers_asleep -= 1;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.queue.take()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.queue.leave();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("waiting", &self.queue.lock().waiting.len()).finish()
    }
}
