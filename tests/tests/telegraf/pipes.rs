//! The readers of a program's stdout and stderr. Both stop at its exit, as Telegraf's do: Telegraf
//! closes its ends of the pipes then, with the bytes that are still in them.

use std::fmt;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionread;

/// The longest line of stderr that Telegraf reads, without its line end.
const LONGEST: usize = (64 << 10) - 1;

/// Locks a mutex. Another thread that has panicked fails its test by itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The level of a line on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    /// Telegraf logs such a line as an error, in quotes.
    Unknown,
}

/// A line on stderr, without the prefix of its level.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl Line {
    fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned();
        let level = match text.get(..3) {
            Some("E! ") => Level::Error,
            Some("W! ") => Level::Warn,
            Some("I! ") => Level::Info,
            Some("D! ") => Level::Debug,
            Some("T! ") => Level::Trace,
            _ => return Line { level: Level::Unknown, text },
        };
        Line { level, text: text[3..].to_owned() }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.level, self.text)
    }
}

/// The reader of stdout. A test decides how much it reads.
#[derive(Default)]
pub(crate) struct Output {
    state: Mutex<Reading>,
    changed: Condvar,
}

#[derive(Default)]
struct Reading {
    read: Vec<u8>,
    /// The number of bytes that may be read, or none for all.
    allowed: Option<usize>,
    /// The pipe, until the exit.
    pipe: Option<Arc<ChildStdout>>,
}

impl Output {
    /// Reads `bytes` more bytes, and no others.
    pub(crate) fn allow(&self, bytes: usize) {
        let mut state = lock(&self.state);
        state.allowed = Some(state.allowed.unwrap_or(0) + bytes);
        self.changed.notify_all();
    }

    /// Reads everything from now on.
    pub(crate) fn release(&self) {
        lock(&self.state).allowed = None;
        self.changed.notify_all();
    }

    /// Returns the bytes that were read so far.
    pub(crate) fn so_far(&self) -> Vec<u8> {
        lock(&self.state).read.clone()
    }

    /// Returns the number of bytes that are in the pipe.
    pub(crate) fn unread(&self) -> u64 {
        let pipe = lock(&self.state).pipe.clone();
        pipe.map_or(0, |pipe| ioctl_fionread(&*pipe).expect("the system reports unread bytes"))
    }

    pub(crate) fn open(&self, pipe: ChildStdout) {
        lock(&self.state).pipe = Some(Arc::new(pipe));
    }

    /// Closes the pipe.
    pub(crate) fn close(&self) {
        lock(&self.state).pipe = None;
        self.changed.notify_all();
    }

    /// Reads until the end of the output, or until `process` has exited.
    pub(crate) fn read(&self, process: &OwnedFd) {
        let mut buffer = vec![0; 64 << 10];
        while let Some((pipe, allowed)) = self.next() {
            if !has_input(&pipe, process) {
                break;
            }
            let room = allowed.min(buffer.len());
            let count = rustix::io::read(&*pipe, &mut buffer[..room]).expect("stdout is readable");
            if count == 0 {
                break;
            }
            let mut state = lock(&self.state);
            state.read.extend(&buffer[..count]);
            state.allowed = state.allowed.map(|allowed| allowed.saturating_sub(count));
        }
        self.close();
    }

    /// Waits until something may be read.
    fn next(&self) -> Option<(Arc<ChildStdout>, usize)> {
        let waits = |state: &mut Reading| state.pipe.is_some() && state.allowed == Some(0);
        let state = self.changed.wait_while(lock(&self.state), waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        Some((state.pipe.clone()?, state.allowed.unwrap_or(usize::MAX)))
    }
}

/// The reader of stderr.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Vec<Line>>,
    /// Whether a line was too long. Telegraf reads no line after it.
    gave_up: Mutex<bool>,
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<Line> {
        lock(&self.lines).clone()
    }

    pub(crate) fn gave_up(&self) -> bool {
        *lock(&self.gave_up)
    }

    /// Reads until the end of the log, until `process` has exited, or until a line is too long.
    /// Returns the pipe, which stays open after a long line: it fills then.
    pub(crate) fn read(&self, mut pipe: ChildStderr, process: &OwnedFd) -> ChildStderr {
        let (mut buffer, mut rest) = (vec![0; 64 << 10], Vec::new());
        while has_input(&pipe, process) {
            let count = pipe.read(&mut buffer).expect("stderr is readable");
            if count == 0 {
                break;
            }
            rest.extend(&buffer[..count]);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = rest.drain(..=end).collect();
                if end > LONGEST {
                    *lock(&self.gave_up) = true;
                    return pipe;
                }
                lock(&self.lines).push(Line::new(&line[..end]));
            }
            if rest.len() > LONGEST {
                *lock(&self.gave_up) = true;
                return pipe;
            }
        }
        if !rest.is_empty() {
            lock(&self.lines).push(Line::new(&rest));
        }
        pipe
    }
}

/// Waits until `pipe` has input or has ended. Returns false if `process` has exited.
fn has_input(pipe: &impl AsFd, process: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::IN), PollFd::new(process, PollFlags::IN)];
    poll(&mut fds, None).expect("poll succeeds");
    fds[1].revents().is_empty()
}
