//! What a connection shows of its handler to the watchdog: whether it works, since when, on what.

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

/// Shows from outside whether a handler is at work, and whether still on the same call.
///
/// Only whoever holds the agent's core calls [`call`](Self::call) and [`rest`](Self::rest). A call costs one
/// plain store: the watchdog, which looks now and then, keeps the time.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The number of the last call, whether it goes on, and which method it is: in one word, so that whoever
    /// looks sees them as they belong together.
    last: AtomicU64,
    /// How often it has come to rest.
    rests: AtomicU64,
    /// How often input has come, and [`WITHIN`].
    input: AtomicU64,
    /// The names of the task and of the node as they are shown, once there was an Init.
    task: OnceLock<(String, String)>,
}

/// Set during a call; the method is below, the number of the call above.
const BUSY: u64 = 1 << 7;
const NUMBER: u32 = 8;

/// Set while the agent waits for the rest of a message or of a batch; the number of reads is above.
const WITHIN: u64 = 1;

impl Pulse {
    /// A method of the handler is being called.
    #[inline]
    pub(crate) fn call(&self, call: Call) {
        let number = (self.last.load(Ordering::Relaxed) >> NUMBER) + 1;
        self.last.store(number << NUMBER | BUSY | call as u64, Ordering::Relaxed);
    }

    /// No method is being called.
    pub(crate) fn rest(&self) {
        let last = self.last.load(Ordering::Relaxed);
        self.last.store(last & !BUSY, Ordering::Relaxed);
        self.rests.store(self.rests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How often it has come to rest. Between two rests nobody waits for input, and calls follow each other.
    pub(crate) fn rests(&self) -> u64 {
        self.rests.load(Ordering::Relaxed)
    }

    /// The agent is about to wait for input; `within` a message or a batch that has begun.
    pub(crate) fn wait_for_input(&self, within: bool) {
        let input = self.input.load(Ordering::Relaxed) & !WITHIN;
        self.input.store(input | u64::from(within), Ordering::Relaxed);
    }

    /// Input has come.
    pub(crate) fn take_input(&self) {
        let reads = self.reads() + 1;
        self.input.store(reads << 1, Ordering::Relaxed);
    }

    /// How often input has come.
    pub(crate) fn reads(&self) -> u64 {
        self.input.load(Ordering::Relaxed) >> 1
    }

    /// Whether the agent waits for the rest of a message or of a batch.
    pub(crate) fn is_within_input(&self) -> bool {
        self.input.load(Ordering::Relaxed) & WITHIN != 0
    }

    /// The number of the present call, counted from 1, and its method, if there is one.
    pub(crate) fn present(&self) -> Option<(u64, Call)> {
        let last = self.last.load(Ordering::Relaxed);
        (last & BUSY != 0).then(|| (last >> NUMBER, method(last)))
    }

    /// The method of the present call, or else of the last one.
    pub(crate) fn last_call(&self) -> Call {
        method(self.last.load(Ordering::Relaxed))
    }

    /// Names the task and the node that the connection works for.
    pub(crate) fn name_task(&self, task: &str, node: &str) {
        // It is called once, when Init is accepted.
        let _ = self.task.set((shown_name(task), shown_name(node)));
    }

    /// Whether an Init was accepted.
    pub(crate) fn is_started(&self) -> bool {
        self.task.get().is_some()
    }

    /// Returns the names of the task and the node as they are shown; empty before Init.
    pub(crate) fn task(&self) -> (&str, &str) {
        self.task.get().map_or(("", ""), |(task, node)| (task, node))
    }
}

fn method(last: u64) -> Call {
    CALLS[(last & (BUSY - 1)) as usize].0
}

/// The most bytes of a name in a label, without the checksum of a name that was cut.
const MOST_NAME: usize = 100;

/// Returns the name of a task or node as it is shown: on one line, and not long.
///
/// Kapacitor's own names are shown as they are. Any other peer may send a megabyte, or control characters that
/// a terminal obeys: such a name is cut and replaced, and its checksum keeps it apart from others that begin alike.
fn shown_name(name: &str) -> String {
    let is_plain = name.len() <= MOST_NAME && !name.contains(char::is_control);
    if is_plain {
        return name.to_owned();
    }
    let start = &name[..name.floor_char_boundary(MOST_NAME)];
    let checksum = crc32fast::hash(name.as_bytes());
    format!("{}~{checksum:08x}", start.replace(char::is_control, "\u{fffd}"))
}
