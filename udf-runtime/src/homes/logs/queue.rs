//! The queue of log lines, and the thread that writes them to stderr.
//!
//! A thread that logs puts its line into the queue and continues, even if nobody reads stderr. Only
//! the writing thread waits for a reader. When the queue is full, further lines are dropped and
//! counted until the queue has been written. Then one line reports their number. Lines of other
//! programs leave half of the queue to the lines of this process.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use tracing::{Level, Metadata};

use super::form::Form;
use super::kinds::{HeldBack, Kinds, MOST, WINDOW};
use super::line::{Line, one_line};
use crate::agent::sync::lock;

/// The capacity of the queue in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The memory of a queued line besides its text.
const OVERHEAD: usize = size_of::<String>() + 16;

/// The number of lines that were lost because stderr was not read or not writable.
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

/// The number of lines that were suppressed by the rate limit of their kind.
pub(super) static HELD_BACK: AtomicU64 = AtomicU64::new(0);

pub(super) struct Queue {
    state: Mutex<State>,
    /// Signals that there is a line to write.
    filled: Condvar,
    /// Signals that the queue is written.
    emptied: Condvar,
    form: Form,
    /// The time that a logging thread waits until its line is written.
    write_timeout: Duration,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    /// The memory of the queued lines and of the line that is being written.
    bytes: usize,
    is_writing: bool,
    /// The number of lost lines that is not reported yet.
    lost: u64,
    /// Whether a line of this process is among the lost lines.
    lost_own: bool,
    /// Whether the last write failed. No loss is reported until a write succeeds.
    fails: bool,
    /// Whether a thread has waited for its line in vain. No thread waits until the queue is empty
    /// again.
    is_unread: bool,
    kinds: Kinds,
    /// Whether the process is ending, so that nothing is kept for later.
    is_ending: bool,
}

/// The next line to write.
struct Next {
    line: String,
    /// The memory that is freed after the line is written.
    bytes: usize,
    reports: Reports,
}

/// The content of a line, which is reported again if the write fails.
enum Reports {
    /// A line that was logged.
    Itself,
    Lost(u64),
    HeldBack(HeldBack),
}

impl Queue {
    /// Starts the thread that writes to `out` lines of this form. A logging thread waits up to
    /// `write_timeout` until its line is written. After one timeout, no thread waits until the queue
    /// has been empty, because stderr may have no reader.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        form: Form,
        write_timeout: Duration,
    ) -> io::Result<Arc<Self>> {
        let (state, filled, emptied) = (Mutex::default(), Condvar::new(), Condvar::new());
        let queue = Arc::new(Queue { state, filled, emptied, form, write_timeout });
        let ours = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || ours.write_to(out))?;
        Ok(queue)
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Begins a line.
    pub(super) fn begin(&self, level: Level) -> Line {
        Line::begin(self.form, level)
    }

    /// Returns whether a line of this limited kind is logged. Counts it as suppressed if not.
    pub(super) fn admit(&self, kind: &Metadata<'_>) -> bool {
        let mut state = lock(&self.state);
        let held_back = state.kinds.admit(kind, Instant::now());
        if held_back > 0 {
            HELD_BACK.fetch_add(1, Ordering::Relaxed);
        }
        if held_back == 1 {
            // Wake the writing thread: this is the first suppressed line, so a report is due later.
            self.filled.notify_one();
        }
        held_back == 0
    }

    /// Queues a line without its end, or counts it as lost. Never waits if `write_timeout` is zero.
    pub(super) fn push(&self, line: String) {
        self.push_to(&mut lock(&self.state), line);
        self.wait();
    }

    /// Queues a line of a limited kind. Its message begins at `words`, after the spans.
    pub(super) fn push_limited(&self, line: String, kind: &Metadata<'_>, words: usize) {
        let mut state = lock(&self.state);
        state.kinds.note(kind, &line[words..]);
        self.push_to(&mut state, line);
        drop(state);
        self.wait();
    }

    fn wait(&self) {
        if self.write_timeout.is_zero() || lock(&self.state).is_unread {
            return;
        }
        if !self.flush(self.write_timeout) {
            lock(&self.state).is_unread = true;
        }
    }

    /// Queues a line of another program, or counts it as lost. Never waits.
    pub(super) fn pass_on(&self, line: &str) {
        let (begin, rest) = self.form.of_other(line);
        let line = one_line(&[begin, rest].concat());
        let state = &mut lock(&self.state);
        let is_closed = state.lost > 0 && !state.fails;
        if !self.put(state, line, is_closed, MAX_BYTES / 2) {
            state.lose();
        }
    }

    fn push_to(&self, state: &mut State, line: String) {
        let is_closed = state.lost_own && !state.fails;
        if !self.put(state, line, is_closed, MAX_BYTES) {
            state.lost_own = true;
            state.lose();
        }
    }

    /// Queues a line if the queue has room. After a loss, the queue is closed until the loss is
    /// reported, so that the report stands in the place of the lost lines.
    fn put(&self, state: &mut State, mut line: String, is_closed: bool, capacity: usize) -> bool {
        line.push('\n');
        let bytes = line.len() + OVERHEAD;
        if is_closed || state.bytes + bytes > capacity {
            return false;
        }
        state.bytes += bytes;
        state.lines.push_back(line);
        self.filled.notify_one();
        true
    }

    /// Waits up to `limit` until the queue is written. Returns whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self.emptied.wait_timeout_while(state, limit, |state| !state.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Writes the queue and then the last words, within `limit`. From now on, nothing is kept for
    /// later.
    pub(super) fn end(&self, last_words: &str, limit: Duration) {
        let begun = Instant::now();
        {
            let mut state = lock(&self.state);
            state.is_ending = true;
            // Allow one last attempt.
            state.fails = false;
        }
        self.filled.notify_one();
        self.flush(limit);
        if !last_words.is_empty() {
            self.push_to(&mut lock(&self.state), last_words.trim_end().to_owned());
            self.flush(limit.saturating_sub(begun.elapsed()));
        }
    }

    fn write_to(&self, mut out: impl Write) {
        let mut state = lock(&self.state);
        loop {
            let Some(next) = state.next(self.form) else {
                state.is_unread = false;
                self.emptied.notify_all();
                state = match state.kinds.next_due() {
                    None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                    Some(due) => {
                        let left = due.saturating_duration_since(Instant::now());
                        let woken = self.filled.wait_timeout(state, left);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                };
                continue;
            };
            state.is_writing = true;
            drop(state);
            let written = out.write_all(next.line.as_bytes()).and_then(|()| out.flush());
            state = lock(&self.state);
            state.is_writing = false;
            state.bytes -= next.bytes;
            state.fails = written.is_err();
            match next.reports {
                _ if !state.fails => {}
                Reports::Itself => {
                    state.lost_own = true;
                    state.lose();
                }
                Reports::Lost(lines) => {
                    state.lost_own = true;
                    state.lost += lines;
                }
                Reports::HeldBack(held) => state.kinds.put_back(held, Instant::now()),
            }
        }
    }
}

impl State {
    fn next(&mut self, form: Form) -> Option<Next> {
        if let Some(line) = self.lines.pop_front() {
            let bytes = line.len() + OVERHEAD;
            return Some(Next { line, bytes, reports: Reports::Itself });
        }
        let (mut line, reports) = if self.lost > 0 && !self.fails {
            let mut line = Line::begin(form, Level::WARN);
            let lost = std::mem::take(&mut self.lost);
            self.lost_own = false;
            line.put(format_args!(
                "{lost} log lines were lost, because stderr was not read or not writable"
            ));
            (line.finish(), Reports::Lost(lost))
        } else {
            let is_end = self.is_ending && !self.fails;
            let held = self.kinds.take_due(Instant::now(), is_end)?;
            let mut line = Line::begin(form, held.level);
            line.put(format_args!(
                "held back {} more lines like `{}`: at most {MOST} of a kind are logged in {WINDOW:?}",
                held.count, held.like
            ));
            (line.finish(), Reports::HeldBack(held))
        };
        line.push('\n');
        Some(Next { line, bytes: 0, reports })
    }

    fn lose(&mut self) {
        LOST.fetch_add(1, Ordering::Relaxed);
        self.lost += 1;
    }

    /// Returns whether there is nothing to write now.
    fn is_empty(&self) -> bool {
        let is_told = self.lost == 0 || self.fails;
        let holds_back = self.is_ending && !self.fails && self.kinds.next_due().is_some();
        self.lines.is_empty() && !self.is_writing && is_told && !holds_back
    }
}

/// The stderr of the process through its own descriptor, so that code that prints does not wait for
/// the writing thread.
pub(super) struct Stderr(File);

impl Stderr {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Stderr(File::from(io::stderr().as_fd().try_clone_to_owned()?)))
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                // Another process has set the shared pipe or terminal to non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
