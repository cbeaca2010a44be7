//! A spawned program: its exit, its stderr, and how it is killed.

use std::fmt;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{self, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, kill_process_group, waitid,
};

use crate::diagnosis::LastWords;
use crate::error::Error;
use crate::settings::{Log, Logger};
use crate::spawn::spawn;

/// The longest piece of a stderr line that is logged in one call, in bytes.
const PIECE: usize = 64 << 10;

/// A program with its stdin and stdout, for callers that speak the protocol themselves.
#[derive(Debug)]
pub struct Spawned {
    /// The stdin of the program.
    pub stdin: ChildStdin,
    /// The stdout of the program.
    pub stdout: ChildStdout,
    /// The running program.
    pub child: Child,
}

/// A program that is running or has exited. Kills the program on drop, as [`kill`](Child::kill)
/// does.
///
/// Two threads belong to a child. Neither is joined.
///
/// - `udf-exit` waits for the exit, and ends with it.
/// - `udf-stderr` passes on the lines of stderr. It ends when the program and all processes that
///   inherited its stderr have closed it, so [`kill`](Child::kill) ends it.
///
/// No zombie is left: the exit of a program is collected when it exits. If the program leads a
/// process group, the exit is collected when the program has exited and has been killed or dropped.
pub struct Child {
    inner: Arc<Inner>,
}

/// How a program exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The program exited with this status.
    Status(ExitStatus),
    /// The operating system does not report the status: this process ignores the exits of its
    /// children (`SIGCHLD`, perhaps inherited from its parent), or other code has already waited
    /// for the program.
    Unknown,
}

impl Exit {
    /// Returns whether the exit is known to be a failure.
    pub fn is_failure(self) -> bool {
        matches!(self, Exit::Status(status) if !status.success())
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Status(status) => status.fmt(f),
            Exit::Unknown => f.write_str(
                "exit status unknown: SIGCHLD is ignored, or other code has waited for the program",
            ),
        }
    }
}

/// Kills a [`Child`], which it does not keep.
#[derive(Clone)]
pub struct Killer(Weak<Inner>);

impl Killer {
    /// Kills the program, as [`Child::kill`] does. Does nothing if the child was dropped.
    pub fn kill(&self) {
        if let Some(child) = self.0.upgrade() {
            child.kill();
        }
    }

    /// Returns whether there may be something to kill.
    pub fn is_needed(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl fmt::Debug for Killer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Killer").finish_non_exhaustive()
    }
}

struct Inner {
    id: Pid,
    /// Whether the program leads a process group of its own.
    is_leader: bool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    process: process::Child,
    /// Whether the exit is not collected yet, so that the ID is still that of the program and of its
    /// group.
    is_held: bool,
    /// Whether the exit is collected as soon as the program exits.
    collects: bool,
    /// The exit, once the program has exited.
    exited: Option<Exit>,
    /// Whether stderr is still open.
    talking: bool,
    /// Whether the log callback panicked.
    log_panicked: bool,
    words: LastWords,
}

impl State {
    /// Collects the exit of a program that has exited. From here on, the system may give its ID to
    /// another process, or to another group once all of its group have exited.
    fn collect(&mut self) {
        if std::mem::replace(&mut self.is_held, false) {
            // Fails only if other code has already collected the exit.
            let _ = self.process.wait();
        }
    }
}

/// How long to wait for the last lines of stderr after an exit. A child of the program may hold
/// stderr open forever.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(500);

impl Spawned {
    /// Spawns `command` with pipes for stdin and stdout, and passes each line of its stderr to
    /// `log`. If `log` panics, the program is killed.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn new(command: &mut Command, log: Option<Logger>) -> Result<Self, Error> {
        Spawned::spawn(command, log, false)
    }

    /// Spawns `command` as [`new`](Spawned::new) does, as the leader of a new process group.
    ///
    /// Signals from a terminal, such as that of Ctrl-C, do not reach the program. To kill the
    /// child is to kill the group: the program and the processes that it has started, even if the
    /// program itself has exited. Only processes that have left the group survive, such as daemons.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn in_group(command: &mut Command, log: Option<Logger>) -> Result<Self, Error> {
        Spawned::spawn(command.process_group(0), log, true)
    }

    fn spawn(command: &mut Command, log: Option<Logger>, leads: bool) -> Result<Self, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|error| Error::Spawn {
            program: PathBuf::from(command.get_program()),
            error: Arc::new(error),
        })?;
        let pipe = "a program spawned with pipes has them";
        let stdin = process.stdin.take().expect(pipe);
        let stdout = process.stdout.take().expect(pipe);
        let stderr = process.stderr.take().expect(pipe);
        let id = Pid::from_child(&process);
        let state = Mutex::new(State {
            process,
            is_held: true,
            collects: !leads,
            exited: None,
            talking: true,
            log_panicked: false,
            words: LastWords::default(),
        });
        let inner = Arc::new(Inner { id, is_leader: leads, state, changed: Condvar::new() });
        let child = Child { inner };
        child.follow(stderr, log).map_err(|error| {
            child.kill();
            // The thread that waits for the exit may not have started.
            child.inner.state().collect();
            Error::Setup(Arc::new(error))
        })?;
        Ok(Spawned { stdin, stdout, child })
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill(&self) {
        let mut state = self.state();
        if !state.is_held {
            // The ID may belong to another process or group.
            return;
        }
        // Both fail only if there is no such process any more.
        let _ = kill_process(self.id, Signal::KILL);
        if self.is_leader {
            let _ = kill_process_group(self.id, Signal::KILL);
        }
        state.collects = true;
        if state.exited.is_some() {
            state.collect();
        }
    }

    /// Waits for the exit. Leaves the exit uncollected, so that the ID remains that of the program.
    fn wait_for_exit(&self) -> Exit {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match retry_on_intr(|| waitid(WaitId::Pid(self.id), options)) {
            Ok(Some(status)) => exit(&status),
            // On an error, this process has no such child any more.
            Ok(None) | Err(_) => Exit::Unknown,
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn wait(
        &self,
        within: Option<Duration>,
        goes_on: impl Fn(&mut State) -> bool,
    ) -> MutexGuard<'_, State> {
        let state = self.state();
        match within {
            None => self.changed.wait_while(state, goes_on).unwrap_or_else(PoisonError::into_inner),
            Some(within) => {
                let waited = self.changed.wait_timeout_while(state, within, goes_on);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl Child {
    /// Starts two threads: one waits for the exit, which leaves no zombie, and one reads stderr.
    fn follow(&self, stderr: ChildStderr, log: Option<Logger>) -> std::io::Result<()> {
        let inner = self.inner.clone();
        let exit = move || {
            let exited = inner.wait_for_exit();
            inner.change(|state| {
                state.is_held &= exited != Exit::Unknown;
                if state.collects {
                    state.collect();
                }
                state.exited = Some(exited);
            });
        };
        spawn("udf-exit", exit)?;
        let inner = self.inner.clone();
        let talk = move || {
            let on_line = |line: &str, cut| {
                inner.state().words.add_line(line, cut);
                if let Some(log) = &log {
                    log(&Log::Stderr { line, cut });
                }
            };
            let read = catch_unwind(AssertUnwindSafe(|| read_lines(stderr, on_line)));
            inner.change(|state| {
                state.talking = false;
                state.log_panicked = read.is_err();
            });
            if read.is_err() {
                // Without a reader of stderr, the program would block in its own logging.
                inner.kill();
            }
        };
        spawn("udf-stderr", talk)
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.inner.id.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills the program if it is still running. If the program [leads a process
    /// group](Spawned::in_group), the first call kills all processes of the group, even if the
    /// program has exited.
    pub fn kill(&self) {
        self.inner.kill();
    }

    /// Returns a handle that kills the program, such as when this process must exit.
    pub fn killer(&self) -> Killer {
        Killer(Arc::downgrade(&self.inner))
    }

    /// Returns the exit of the program, or `None` if it is still running. Does not block.
    pub fn exited(&self) -> Option<Exit> {
        self.inner.state().exited
    }

    /// Waits until the program has exited and its last stderr lines are logged. Returns `None`
    /// after the time limit.
    ///
    /// A process that the program has left behind may hold stderr open. The wait for the last lines
    /// then ends 500 ms after the exit.
    pub fn wait(&self, within: Option<Duration>) -> Option<Exit> {
        let exited = self.inner.wait(within, |state| state.exited.is_none()).exited?;
        drop(self.inner.wait(Some(LAST_LINES_WITHIN), |state| state.talking));
        Some(exited)
    }

    /// Returns the error for this exit on a connection that showed the error `found`.
    pub(crate) fn error(&self, exited: Exit, found: Option<Error>) -> Error {
        if self.inner.state().log_panicked {
            return Error::Panicked("logs the stderr of the UDF");
        }
        let (status, found) = (exited.to_string(), found.map(Box::new));
        Error::Exited { status, found, said: self.last_words() }
    }

    /// Returns the most telling line of stderr: the line of a panic or an error, or else the last
    /// line.
    pub fn last_words(&self) -> Option<String> {
        self.inner.state().words.telling().map(str::to_owned)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Converts an exit that is not collected yet.
fn exit(status: &WaitIdStatus) -> Exit {
    // The encoding of `wait`, from which the standard library makes a status.
    let code = |code: i32| (code & 0xff) << 8;
    let signal = |signal: i32| signal | if status.dumped() { 0x80 } else { 0 };
    let raw = status.exit_status().map(code).or_else(|| status.terminating_signal().map(signal));
    raw.map_or(Exit::Unknown, |raw| Exit::Status(ExitStatus::from_raw(raw)))
}

/// Passes each line to `on_line` until the end. A long line comes in pieces.
fn read_lines(mut stderr: impl Read, on_line: impl Fn(&str, bool)) {
    let hand_on = |bytes: &[u8], cut| on_line(&String::from_utf8_lossy(bytes), cut);
    let mut buffer = vec![0; PIECE];
    let mut end = 0;
    loop {
        let read = match stderr.read(&mut buffer[end..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        end += read;
        let mut start = 0;
        while let Some(length) = buffer[start..end].iter().position(|byte| *byte == b'\n') {
            let line = &buffer[start..start + length];
            hand_on(line.strip_suffix(b"\r").unwrap_or(line), false);
            start += length + 1;
        }
        buffer.copy_within(start..end, 0);
        end -= start;
        if end == buffer.len() {
            // Leaves a character that is cut for the next piece.
            let piece = whole_characters(&buffer);
            hand_on(&buffer[..piece], true);
            buffer.copy_within(piece..end, 0);
            end -= piece;
        }
    }
    if end > 0 {
        hand_on(&buffer[..end], false);
    }
}

/// Returns the length of the bytes without a trailing incomplete character.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(3).position(|byte| byte & 0xc0 != 0x80);
    let Some(behind) = last else { return bytes.len() };
    let start = bytes.len() - 1 - behind;
    let length = match bytes[start] {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    if start + length > bytes.len() { start } else { bytes.len() }
}
