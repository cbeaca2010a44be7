//! What a connection shows of its handler to the watchdog: whether it works, since when, on what.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A method of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Call {
    /// `info`
    Info,
    /// `init`
    Init,
    /// `snapshot`
    Snapshot,
    /// `restore`
    Restore,
    /// `begin_batch`
    BeginBatch,
    /// `point`
    Point,
    /// `end_batch`
    EndBatch,
    /// `tick`
    Tick,
    /// `finish`
    Finish,
    /// `stop`
    Stop,
}

const CALLS: [(Call, &str); 10] = [
    (Call::Info, "info"),
    (Call::Init, "init"),
    (Call::Snapshot, "snapshot"),
    (Call::Restore, "restore"),
    (Call::BeginBatch, "begin_batch"),
    (Call::Point, "point"),
    (Call::EndBatch, "end_batch"),
    (Call::Tick, "tick"),
    (Call::Finish, "finish"),
    (Call::Stop, "stop"),
];

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(CALLS[*self as usize].1)
    }
}

/// Shows from outside whether a handler is at work, and whether still on the same call.
///
/// Only whoever holds the agent's core calls [`call`](Self::call) and [`rest`](Self::rest). A call costs two
/// plain stores: the watchdog, which looks now and then, keeps the time.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Odd during a call, even in between: call number n has 2n - 1.
    beat: AtomicU64,
    call: AtomicU8,
    /// The names of the task and of the node, once there was an Init.
    task: OnceLock<(String, String)>,
}

impl Pulse {
    /// A method of the handler is being called.
    #[inline]
    pub(crate) fn call(&self, call: Call) {
        let now = self.beat.load(Ordering::Relaxed);
        self.call.store(call as u8, Ordering::Relaxed);
        self.beat.store(now + 1 + (now & 1), Ordering::Relaxed);
    }

    /// No method is being called.
    pub(crate) fn rest(&self) {
        let now = self.beat.load(Ordering::Relaxed);
        self.beat.store(now + (now & 1), Ordering::Relaxed);
    }

    /// The number of the present call, counted from 1, if there is one.
    pub(crate) fn present(&self) -> Option<u64> {
        let now = self.beat.load(Ordering::Relaxed);
        (now & 1 == 1).then_some(now / 2 + 1)
    }

    /// The present call, or else the last one.
    pub(crate) fn last_call(&self) -> Call {
        CALLS[usize::from(self.call.load(Ordering::Relaxed))].0
    }

    /// Names the task and the node that the connection works for.
    pub(crate) fn name_task(&self, task: &str, node: &str) {
        // It is called once, when Init is accepted.
        let _ = self.task.set((task.to_owned(), node.to_owned()));
    }

    /// The names of the task and the node; empty before Init.
    pub(crate) fn task(&self) -> (&str, &str) {
        self.task.get().map_or(("", ""), |(task, node)| (task, node))
    }
}
