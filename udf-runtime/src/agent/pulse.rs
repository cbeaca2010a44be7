//! Shows the watchdog whether a handler is busy, since when, and in which call.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use crate::agent::sync::AtomicU64;

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
    /// The destructor of the handler.
    Drop,
}

const CALLS: [(Call, &str); 11] = [
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
    (Call::Drop, "drop"),
];

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(CALLS[*self as usize].1)
    }
}

/// Shows other threads whether a handler is busy, and whether it is still in the same call.
///
/// Only the thread that holds the agent's core calls [`call`](Self::call) and [`rest`](Self::rest),
/// so a plain store suffices. A call reads no clock: the watchdog measures the time by looking at
/// intervals.
///
/// Relaxed order suffices: the watchdog only compares the values of successive checks.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The number of the last call, whether the call is running, and its method. They share one
    /// word, so that a reader always sees a consistent set.
    last: AtomicU64,
    /// The oldest point that a worker handles, as in `last`. 0 without one.
    oldest: AtomicU64,
    /// The number of times that the connection came to rest.
    rests: AtomicU64,
    /// The number of reads, and [`WITHIN`].
    input: AtomicU64,
    /// The names of the task and of the node as they are shown. Set after Init.
    task: OnceLock<(String, String)>,
}

/// Set during a call. The method is in the lower bits, and the number of the call in the upper
/// bits.
const BUSY: u64 = 1 << 7;
const NUMBER: u32 = 8;

/// Set while the agent waits for the rest of a message or of a batch. The number of reads is in the
/// upper bits.
const WITHIN: u64 = 1;

impl Pulse {
    /// Marks the begin of a call.
    #[inline]
    pub(crate) fn call(&self, call: Call) {
        let number = (self.last.load(Ordering::Relaxed) >> NUMBER) + 1;
        self.last.store(number << NUMBER | BUSY | call as u64, Ordering::Relaxed);
    }

    /// Marks the connection as idle.
    pub(crate) fn rest(&self) {
        let last = self.last.load(Ordering::Relaxed);
        self.last.store(last & !BUSY, Ordering::Relaxed);
        self.rests.store(self.rests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Returns the number of rests. Between two rests, calls follow each other without a wait for
    /// input.
    pub(crate) fn rests(&self) -> u64 {
        self.rests.load(Ordering::Relaxed)
    }

    /// Marks that the agent is about to wait for input, and whether it is `within` a message or a
    /// batch.
    pub(crate) fn wait_for_input(&self, within: bool) {
        let input = self.input.load(Ordering::Relaxed) & !WITHIN;
        self.input.store(input | u64::from(within), Ordering::Relaxed);
    }

    /// Marks that input has arrived.
    pub(crate) fn take_input(&self) {
        let reads = self.reads() + 1;
        self.input.store(reads << 1, Ordering::Relaxed);
    }

    /// Returns the number of reads.
    pub(crate) fn reads(&self) -> u64 {
        self.input.load(Ordering::Relaxed) >> 1
    }

    /// Returns whether the agent waits for the rest of a message or of a batch.
    pub(crate) fn is_within_input(&self) -> bool {
        self.input.load(Ordering::Relaxed) & WITHIN != 0
    }

    /// Returns the number of the last call.
    pub(crate) fn number(&self) -> u64 {
        self.last.load(Ordering::Relaxed) >> NUMBER
    }

    /// Shows the call of the oldest point that a worker handles, or that there is none.
    pub(crate) fn show_oldest(&self, number: Option<u64>) {
        let oldest = number.map_or(0, |number| number << NUMBER | BUSY | Call::Point as u64);
        self.oldest.store(oldest, Ordering::Relaxed);
    }

    /// Returns the number, counted from 1, and the method of the running call. With workers, it is
    /// the oldest one: the agent and all later points wait for it.
    pub(crate) fn present(&self) -> Option<(u64, Call)> {
        let last = match self.oldest.load(Ordering::Relaxed) {
            0 => self.last.load(Ordering::Relaxed),
            oldest => oldest,
        };
        (last & BUSY != 0).then(|| (last >> NUMBER, method(last)))
    }

    /// Returns the method of the running call, or else of the last call.
    pub(crate) fn last_call(&self) -> Call {
        method(self.last.load(Ordering::Relaxed))
    }

    /// Sets the names of the task and of the node that the connection serves.
    pub(crate) fn name_task(&self, task: &str, node: &str) {
        // This is called once, when Init is accepted.
        let _ = self.task.set((shown_name(task), shown_name(node)));
    }

    /// Returns whether an Init was accepted.
    pub(crate) fn is_started(&self) -> bool {
        self.task.get().is_some()
    }

    /// Returns the names of the task and of the node as they are shown. They are empty before Init.
    pub(crate) fn task(&self) -> (&str, &str) {
        self.task.get().map_or(("", ""), |(task, node)| (task, node))
    }
}

fn method(last: u64) -> Call {
    CALLS[(last & (BUSY - 1)) as usize].0
}

/// The maximum number of bytes of a name in a label, without the checksum of a cut name.
const MOST_NAME: usize = 100;

/// Returns the name of a task or node in a form that is safe to show: short and on one line.
///
/// Names of Kapacitor are shown unchanged. Another peer may send a megabyte, or control characters
/// that a terminal obeys. Such a name is cut, its control characters are replaced, and a checksum
/// distinguishes it from names with the same start.
fn shown_name(name: &str) -> String {
    let is_plain = name.len() <= MOST_NAME && !name.contains(char::is_control);
    if is_plain {
        return name.to_owned();
    }
    let start = &name[..name.floor_char_boundary(MOST_NAME)];
    let checksum = crc32fast::hash(name.as_bytes());
    format!("{}~{checksum:08x}", start.replace(char::is_control, "\u{fffd}"))
}
