//! What came from the UDF and waits for the owner: a queue bounded in items and in bytes.

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
    /// Each with its cost in bytes.
    waiting: VecDeque<(T, usize)>,
    cost: usize,
    closed: bool,
    /// Whether anybody ever asked for the reading end.
    taken: bool,
    /// How many reading ends there are.
    receivers: usize,
    /// How many items were dropped because there was no room, and no reading end to make some.
    dropped: u64,
    readers_asleep: usize,
    writers_asleep: usize,
}

/// What became of items that were offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    /// All are in, or dropped for lack of room because every reading end is.
    Taken,
    /// Some are not: the owner must read first.
    Full,
    /// The queue is closed; what was not in is lost.
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

    /// Moves as many of `items` in as there is room for; what is left stays in `items`.
    pub(crate) fn offer(&self, items: &mut VecDeque<(T, usize)>) -> Offered {
        let mut inner = self.lock();
        let before = inner.waiting.len();
        while !inner.closed && self.has_room(&inner) {
            let Some((item, cost)) = items.pop_front() else { break };
            inner.cost += cost;
            inner.waiting.push_back((item, cost));
        }
        match inner.waiting.len() - before {
            0 => {}
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
            Offered::Closed
        } else if items.is_empty() {
            Offered::Taken
        } else {
            Offered::Full
        }
    }

    /// Moves all of `items` in, whether there is room or not.
    pub(crate) fn force(&self, items: &mut VecDeque<(T, usize)>) {
        let mut inner = self.lock();
        if !inner.closed && !items.is_empty() {
            inner.cost += items.iter().map(|(_, cost)| cost).sum::<usize>();
            inner.waiting.append(items);
            self.readable.notify_all();
        }
    }

    fn has_room(&self, inner: &Inner<T>) -> bool {
        inner.waiting.is_empty() || inner.waiting.len() < self.items && inner.cost < self.bytes
    }

    /// Waits until there is room, the queue is closed, nobody reads any more, or somebody knocks.
    pub(crate) fn wait_for_room(&self) {
        let mut inner = self.lock();
        if !inner.closed && !self.has_room(&inner) && !inner.is_abandoned() {
            inner.writers_asleep += 1;
            inner = self.writable.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.writers_asleep -= 1;
        }
    }

    /// Wakes whoever waits for room, to look around.
    pub(crate) fn knock(&self) {
        // Under the lock: whoever looked around and is about to wait has it until it waits.
        let _inner = self.lock();
        self.writable.notify_all();
    }

    /// Nothing comes any more; what is in can still be read.
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

    /// A reading end is dropped. After the last one, nobody makes room.
    fn leave(&self) {
        let mut inner = self.lock();
        inner.receivers -= 1;
        if inner.is_abandoned() {
            self.writable.notify_all();
        }
    }
}

impl<T> Inner<T> {
    /// Whether there was a reading end, and there is none.
    fn is_abandoned(&self) -> bool {
        self.taken && self.receivers == 0
    }
}

/// Where the owner reads what the UDF sends: points, or batches.
///
/// All clones read from one queue. It is bounded: while it is full, the server does not read from the
/// UDF. It ends when the UDF has closed its side or the connection is aborted; what came before is
/// still handed out, and [`Server::stop`](crate::Server::stop) tells which of both it was.
///
/// When all clones are dropped, the server reads on. What the queue has room for waits for the next receiver that
/// is asked for, and the rest is dropped and [counted](crate::Server::dropped). Before the first receiver is asked for, a full queue stops the server
/// from reading.
pub struct Receiver<T> {
    queue: Arc<Queue<T>>,
}

/// Why nothing was received in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// Nothing came, but it may still.
    #[error("nothing came from the UDF in time")]
    Timeout,
    /// Nothing comes any more.
    #[error("nothing more comes from the UDF")]
    Ended,
}

impl<T> Receiver<T> {
    /// The next one, when it has come; none when nothing comes any more.
    pub fn recv(&self) -> Option<T> {
        self.wait(None).ok()
    }

    /// The next one, if it comes within `timeout`.
    ///
    /// # Errors
    /// When it does not.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, ReceiveError> {
        self.wait(Instant::now().checked_add(timeout))
    }

    /// The next one, if it is there already.
    ///
    /// # Errors
    /// When it is not: [`ReceiveError::Timeout`] if it may still come.
    pub fn try_recv(&self) -> Result<T, ReceiveError> {
        self.recv_timeout(Duration::ZERO)
    }

    /// All of them until nothing comes any more, waiting for each.
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
