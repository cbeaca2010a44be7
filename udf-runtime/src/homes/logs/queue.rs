//! The queue of lines for stderr, and the one thread that writes them.
//!
//! A thread that logs puts its line into the queue and goes on, even if nobody reads stderr. Only the writing thread
//! waits for a reader. When the queue is full, further lines are lost and counted until the queue has been written.
//! Then one line reports their number.

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

use super::kinds::{HeldBack, Kinds, MOST, WINDOW};
use super::line::Line;
use crate::agent::sync::lock;

/// How much the queue holds.
const MAX_BYTES: usize = 1 << 20;

/// The memory of a line in the queue beside its text.
const OVERHEAD: usize = size_of::<String>() + 16;

/// Lines of this process that were lost, because stderr was not read or not writable.
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines of this process that were held back, because there were too many of their kind.
pub(super) static HELD_BACK: AtomicU64 = AtomicU64::new(0);

pub(super) struct Queue {
    state: Mutex<State>,
    /// Signals that there is a line to write.
    filled: Condvar,
    /// Signals that everything is written.
    emptied: Condvar,
    has_time: bool,
    /// How long a thread that logs waits until its line is written.
    write_timeout: Duration,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    /// The memory of these lines, and of the line that is being written.
    bytes: usize,
    is_writing: bool,
    /// The number of lost lines that is not reported yet.
    lost: u64,
    /// Whether the last line could not be written. Until a line can be, the log does not report that.
    fails: bool,
    /// Whether a thread has waited for its line in vain. Until the queue is empty again, no thread waits.
    is_unread: bool,
    kinds: Kinds,
    /// Whether the process ends, so that nothing is kept for later.
    is_ending: bool,
}

/// The next line to write.
struct Next {
    line: String,
    /// The memory that is freed when it has been written.
    bytes: usize,
    reports: Reports,
}

/// What a line reports, to be reported again if the line cannot be written.
enum Reports {
    /// A line that was logged.
    Itself,
    Lost(u64),
    HeldBack(HeldBack),
}

impl Queue {
    /// Starts the thread that writes to `out`. Its own lines have the time if the queue `has_time`. A thread that
    /// logs waits for up to `write_timeout` until its line is written. After one such wait in vain, no thread waits until
    /// the queue has been empty: nobody may read stderr.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        has_time: bool,
        write_timeout: Duration,
    ) -> io::Result<Arc<Self>> {
        let (state, filled, emptied) = (Mutex::default(), Condvar::new(), Condvar::new());
        let queue = Arc::new(Queue { state, filled, emptied, has_time, write_timeout });
        let ours = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || ours.write_to(out))?;
        Ok(queue)
    }

    /// Begins a line.
    pub(super) fn begin(&self, level: Level) -> Line {
        Line::begin(self.has_time, level)
    }

    /// Returns whether one more line of this kind, which is limited, is logged; if not, it is counted.
    pub(super) fn admit(&self, kind: &Metadata<'_>) -> bool {
        let mut state = lock(&self.state);
        let held_back = state.kinds.admit(kind, Instant::now());
        if held_back > 0 {
            HELD_BACK.fetch_add(1, Ordering::Relaxed);
        }
        if held_back == 1 {
            // Until now, there may have been nothing to say later.
            self.filled.notify_one();
        }
        held_back == 0
    }

    /// Puts a line without its end into the queue, or counts it as lost. Without `write_timeout`, this never waits.
    pub(super) fn push(&self, line: String) {
        self.push_to(&mut lock(&self.state), line);
        self.wait();
    }

    /// Does the same for a line of a kind that is limited. Its message begins at `words`, behind the spans.
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

    fn push_to(&self, state: &mut State, mut line: String) {
        line.push('\n');
        let bytes = line.len() + OVERHEAD;
        // Once a line is lost, all are, until the loss is reported: so the report stands in their place.
        let is_closed = state.lost > 0 && !state.fails;
        if is_closed || state.bytes + bytes > MAX_BYTES {
            state.lose();
            return;
        }
        state.bytes += bytes;
        state.lines.push_back(line);
        self.filled.notify_one();
    }

    /// Waits until everything is written, but not for longer than `limit`. Returns whether everything is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self.emptied.wait_timeout_while(state, limit, |state| !state.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Writes everything, and behind it the last words, but waits no longer than `limit` in all. From now on,
    /// nothing is kept for later.
    pub(super) fn end(&self, last_words: &str, limit: Duration) {
        let begun = Instant::now();
        {
            let mut state = lock(&self.state);
            state.is_ending = true;
            // One last try.
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
            let Some(next) = state.next(self.has_time) else {
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
                Reports::Itself => state.lose(),
                Reports::Lost(lines) => state.lost += lines,
                Reports::HeldBack(held) => state.kinds.put_back(held, Instant::now()),
            }
        }
    }
}

impl State {
    fn next(&mut self, has_time: bool) -> Option<Next> {
        if let Some(line) = self.lines.pop_front() {
            let bytes = line.len() + OVERHEAD;
            return Some(Next { line, bytes, reports: Reports::Itself });
        }
        let (mut line, reports) = if self.lost > 0 && !self.fails {
            let mut line = Line::begin(has_time, Level::WARN);
            let lost = std::mem::take(&mut self.lost);
            line.put(format_args!("{lost} lines were lost: stderr was not read, or not writable"));
            (line.finish(), Reports::Lost(lost))
        } else {
            let is_end = self.is_ending && !self.fails;
            let held = self.kinds.take_due(Instant::now(), is_end)?;
            let mut line = Line::begin(has_time, held.level);
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

/// The stderr of the process, by a descriptor of its own: code that prints does not wait for the writing thread.
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
                // Another process with the same pipe or terminal has made it non-blocking.
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
