//! A double of Telegraf: it handles one process as `processors.execd` does.
//!
//! | Telegraf | here |
//! | --- | --- |
//! | one `write` per metric | [`Telegraf::write`], which counts the metrics of a program that is down |
//! | closes its ends of stdout and stderr at the exit | [`pipes`](crate::pipes) |
//! | stop: closes stdin; after 5 s SIGTERM; after 5 s more SIGKILL | [`Telegraf::stop`] |
//! | starts a program that has exited again, after `restart_delay` | [`Telegraf::start_with`] |
//! | on reload, the old program has ended before the new one starts | [`Telegraf::reload`] |

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use udf_tests::program::TIMEOUT;
pub(crate) use udf_tests::program::wait_until;

use crate::pipes::{Level, Line, Log, Output, lock};

/// The time from the end of input to SIGTERM, and from there to SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Telegraf with one `[[processors.execd]]`.
pub(crate) struct Telegraf {
    execd: Arc<Execd>,
    /// Dropping it stops the program.
    bell: Option<OwnedFd>,
    keeper: Option<JoinHandle<Asked>>,
}

/// The last step of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    EndOfInput,
    Term,
    Kill,
}

/// The end of a program.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The step after which the program has exited.
    pub(crate) after: Asked,
    pub(crate) output: Vec<u8>,
    pub(crate) log: Vec<Line>,
    /// The status of each exit.
    pub(crate) exits: Vec<ExitStatus>,
    /// The number of metrics that were written while the program was down.
    pub(crate) dropped: usize,
}

struct Execd {
    command: Vec<OsString>,
    restart_delay: Duration,
    output: Output,
    log: Log,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    input: Option<Arc<ChildStdin>>,
    pid: Option<Pid>,
    starts: usize,
    dropped: usize,
    exits: Vec<ExitStatus>,
}

impl Telegraf {
    /// Starts a program, with a restart delay that no test reaches.
    pub(crate) fn start<A: AsRef<str>>(command: &[A]) -> Self {
        Telegraf::start_with(command, Duration::from_secs(3600))
    }

    /// Starts a program that is started again after `restart_delay`, whenever it exits.
    pub(crate) fn start_with<A: AsRef<str>>(command: &[A], restart_delay: Duration) -> Self {
        let command = command.iter().map(|arg| OsString::from(arg.as_ref())).collect();
        let (output, log, now) = Default::default();
        let execd = Arc::new(Execd { command, restart_delay, output, log, now });
        Telegraf::run(execd)
    }

    fn run(execd: Arc<Execd>) -> Self {
        let (stop, bell) = pipe_with(PipeFlags::CLOEXEC).expect("a descriptor is left");
        // The first start is synchronous, as in Telegraf.
        let child = execd.spawn();
        let shared = Arc::clone(&execd);
        let keeper = thread::spawn(move || shared.keep(child, &stop));
        Telegraf { execd, bell: Some(bell), keeper: Some(keeper) }
    }

    /// Writes one metric, without its line end. Returns whether it was delivered: Telegraf drops
    /// the metrics of a program that is down.
    pub(crate) fn write(&self, line: impl AsRef<[u8]>) -> bool {
        let line = [line.as_ref(), b"\n"].concat();
        let input = lock(&self.execd.now).input.clone();
        let delivered = input.is_some_and(|input| (&*input).write_all(&line).is_ok());
        if !delivered {
            lock(&self.execd.now).dropped += 1;
        }
        delivered
    }

    /// Writes metrics, each with a `write` of its own.
    #[track_caller]
    pub(crate) fn write_all<L: AsRef<[u8]>>(&self, lines: impl IntoIterator<Item = L>) {
        for line in lines {
            let delivered = self.write(line.as_ref());
            let text = String::from_utf8_lossy(line.as_ref());
            assert!(delivered, "`{text}` was dropped; the log is {:#?}", self.log());
        }
    }

    /// Writes bytes as they are, such as a part of a line.
    pub(crate) fn write_raw(&self, bytes: &[u8]) {
        let input = lock(&self.execd.now).input.clone().expect("the program runs");
        (&*input).write_all(bytes).expect("the program runs");
    }

    /// Returns the reader of stdout.
    pub(crate) fn output(&self) -> &Output {
        &self.execd.output
    }

    /// Waits until this many lines were read from stdout.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, count: usize) {
        let lines = || self.output().so_far().iter().filter(|byte| **byte == b'\n').count();
        wait_until(&format!("{count} lines arrive"), || lines() >= count);
    }

    pub(crate) fn log(&self) -> Vec<Line> {
        self.execd.log.lines()
    }

    /// Returns whether a line of stderr was too long for Telegraf.
    pub(crate) fn gave_up(&self) -> bool {
        self.execd.log.gave_up()
    }

    /// Waits until a line of the log has this level and this text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, level: Level, text: &str) -> String {
        let mut found = None;
        let begun = Instant::now();
        while found.is_none() {
            let log = self.log();
            assert!(begun.elapsed() < TIMEOUT, "no `{text}` ({level:?}) in {log:#?}");
            found = log.into_iter().find(|line| line.level == level && line.text.contains(text));
            thread::sleep(Duration::from_millis(1));
        }
        found.map(|line| line.text).unwrap_or_default()
    }

    /// Returns the number of times that the program was started.
    pub(crate) fn starts(&self) -> usize {
        lock(&self.execd.now).starts
    }

    /// Returns the number of times that the program has exited.
    pub(crate) fn exits(&self) -> usize {
        lock(&self.execd.now).exits.len()
    }

    /// Waits until the program has exited this many times, and returns its last status.
    #[track_caller]
    pub(crate) fn wait_for_exit(&self, count: usize) -> ExitStatus {
        wait_until(&format!("the program has exited {count} times"), || self.exits() >= count);
        lock(&self.execd.now).exits[count - 1]
    }

    /// Returns whether the program exits within `time`.
    pub(crate) fn exits_within(&self, time: Duration) -> bool {
        let begun = Instant::now();
        let before = self.exits();
        while begun.elapsed() < time && self.exits() == before {
            thread::sleep(Duration::from_millis(1));
        }
        self.exits() != before
    }

    /// Returns the id of the running program.
    pub(crate) fn pid(&self) -> u32 {
        lock(&self.execd.now).pid.expect("the program runs").as_raw_nonzero().get().cast_unsigned()
    }

    /// Sends a signal to the program and to its children, as Ctrl+C in a terminal does.
    pub(crate) fn signal_group(&self, signal: Signal) {
        let pid = lock(&self.execd.now).pid.expect("the program runs");
        kill_process_group(pid, signal).expect("the program runs");
    }

    /// Sends SIGHUP to the program alone, as an operator does.
    pub(crate) fn hang_up(&self) {
        let pid = lock(&self.execd.now).pid.expect("the program runs");
        kill_process(pid, Signal::HUP).expect("the program runs");
    }

    /// Kills a child of the program.
    pub(crate) fn kill(&self, pid: u32) {
        // The child may have ended.
        let _ = Pid::from_raw(pid.cast_signed()).map(|pid| kill_process(pid, Signal::KILL));
    }

    /// Begins a stop: closes stdin, and sends the signals from another thread when they are due.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.bell.take());
        lock(&self.execd.now).input = None;
    }

    /// Stops the program, and returns what it has done.
    pub(crate) fn stop(mut self) -> Stopped {
        let after = self.end();
        self.stopped(after)
    }

    fn stopped(&self, after: Asked) -> Stopped {
        let now = std::mem::take(&mut *lock(&self.execd.now));
        let (output, log) = (self.output().so_far(), self.log());
        Stopped { after, output, log, exits: now.exits, dropped: now.dropped }
    }

    /// Stops the program like [`stop`](Self::stop), and looks at Telegraf afterwards.
    pub(crate) fn stop_and(mut self, look: impl FnOnce(&Self)) -> Stopped {
        let after = self.end();
        look(&self);
        self.stopped(after)
    }

    /// Stops the program as at a reload of the configuration, and then starts it again.
    pub(crate) fn reload(mut self) -> Self {
        self.end();
        Telegraf::run(Arc::clone(&self.execd))
    }

    fn end(&mut self) -> Asked {
        self.begin_stop();
        let keeper = self.keeper.take().expect("the program was not stopped before");
        keeper.join().expect("the keeper of the process does not panic")
    }
}

impl Drop for Telegraf {
    fn drop(&mut self) {
        // Only after a failed test.
        let Some(keeper) = self.keeper.take() else { return };
        drop(self.bell.take());
        if let Some(pid) = lock(&self.execd.now).pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        self.execd.output.release();
        let _ = keeper.join();
    }
}

impl Execd {
    fn spawn(&self) -> Child {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).env_remove("UDF_LOG").env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().expect("the program starts");
        self.output.open(child.stdout.take().expect("stdout is piped"));
        let mut now = lock(&self.now);
        now.input = child.stdin.take().map(Arc::new);
        now.pid = Some(pid_of(&child));
        now.starts += 1;
        child
    }

    /// Keeps the program running until `stop` is closed.
    fn keep(&self, mut child: Child, stop: &OwnedFd) -> Asked {
        loop {
            let process = pidfd_open(pid_of(&child), PidfdFlags::empty()).expect("a descriptor");
            let stderr = child.stderr.take().expect("stderr is piped");
            let (status, asked) = thread::scope(|scope| {
                scope.spawn(|| self.output.read(&process));
                scope.spawn(|| {
                    let pipe = self.log.read(stderr, &process);
                    has_happened(&process, None);
                    drop(pipe);
                });
                let asked = self.wait_for_exit(&process, stop, pid_of(&child));
                let status = child.wait().expect("the process can be waited for");
                // The reader waits for its permission, or for the end.
                self.output.close();
                (status, asked)
            });
            let mut now = lock(&self.now);
            now.exits.push(status);
            (now.input, now.pid) = (None, None);
            drop(now);
            if let Some(asked) = asked {
                return asked;
            }
            if has_happened(stop, Some(self.restart_delay)) {
                return Asked::EndOfInput;
            }
            child = self.spawn();
        }
    }

    /// Returns the last step of a stop, or none if the program exits without one.
    fn wait_for_exit(&self, process: &OwnedFd, stop: &OwnedFd, pid: Pid) -> Option<Asked> {
        let mut fds = [PollFd::new(process, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        poll(&mut fds, None).expect("poll succeeds");
        if fds[1].revents().is_empty() {
            return None;
        }
        if has_happened(process, Some(GRACE)) {
            return Some(Asked::EndOfInput);
        }
        // The process cannot have been waited for yet.
        kill_process(pid, Signal::TERM).expect("the process is there");
        if has_happened(process, Some(GRACE)) {
            return Some(Asked::Term);
        }
        kill_process(pid, Signal::KILL).expect("the process is there");
        Some(Asked::Kill)
    }
}

impl Stopped {
    /// Checks that the program has exited by itself after the end of its input, without an error
    /// in its log. Returns its lines.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<&str> {
        let failed = self.exits.last().is_none_or(|status| status.code() != Some(0));
        // On a busy machine, the end may take longer than it should.
        assert!(!failed && self.after < Asked::Kill, "{:?}: {:#?}", self.exits, self.log);
        let errors = self
            .log
            .iter()
            .filter(|line| line.level == Level::Error || line.level == Level::Unknown);
        assert_eq!(errors.count(), 0, "{:#?}", self.log);
        self.all_lines()
    }

    /// Returns the lines of the output, whatever the log and the exit status are.
    #[track_caller]
    pub(crate) fn all_lines(&self) -> Vec<&str> {
        let text = std::str::from_utf8(&self.output).expect("the output is text");
        assert!(text.is_empty() || text.ends_with('\n'), "the last line of the output is cut");
        text.lines().collect()
    }

    /// Returns the texts of the log with this level.
    pub(crate) fn log_of(&self, level: Level) -> Vec<&str> {
        self.log.iter().filter(|line| line.level == level).map(|line| &*line.text).collect()
    }

    /// Returns the signal that has ended the program.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.exits.last()?.signal()
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Waits until `fd` is readable or closed, for at most `time`. Returns whether it is.
fn has_happened(fd: &OwnedFd, time: Option<Duration>) -> bool {
    let time = time.map(|time| Timespec::try_from(time).expect("the time is short"));
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut fds, time.as_ref()).expect("poll succeeds") > 0
}
