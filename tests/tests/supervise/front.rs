//! A supervised UDF: its front, its workers, and Kapacitor's connection with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use udf_tests::process::{children, state, with_argument};
pub(crate) use udf_tests::program::wait_until;
use udf_tests::program::{Program, Transport, example};

use crate::kapacitor::Kapacitor;

/// The program of a worker.
#[derive(Debug, Clone)]
pub(crate) enum Udf {
    /// An example, which supervises itself with `--supervise`.
    Example(&'static str),
    /// A UDF of this kit at a path, which supervises itself.
    At(PathBuf),
    /// Any program, under `udf supervise`.
    Program(Vec<String>),
}

/// Flags for any number of restarts, without a pause before them: each death is the only one in its
/// window.
pub(crate) const RESTARTS: [&str; 2] = ["--restart-window", "1ms"];

/// Returns the UDF of Python's standard library, with these arguments.
pub(crate) fn plain(args: &[&str]) -> Udf {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/workers/plain.py");
    program("python3", &[&[path], args].concat())
}

pub(crate) fn program(program: &str, args: &[&str]) -> Udf {
    Udf::Program([&[program], args].concat().into_iter().map(str::to_owned).collect())
}

/// Returns whether Python is here. Otherwise, the test is skipped.
pub(crate) fn has_python() -> bool {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    let tried = TRIED.get_or_init(|| {
        let script = "import sys; sys.exit(sys.version_info < (3, 8))";
        let status = Command::new("python3").args(["-c", script]).stderr(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err("`python3` is older than 3.8".to_owned()),
            Err(error) => Err(format!("`python3` cannot be started: {error}")),
        }
    });
    if let Err(reason) = tried {
        eprintln!("SKIPPED {}: {reason}", thread::current().name().unwrap_or_default());
    }
    tried.is_ok()
}

/// A front and the connection with it.
pub(crate) struct Front {
    pub(crate) program: Program,
    pub(crate) kapacitor: Kapacitor,
    pub(crate) on: Transport,
    udf: Udf,
}

impl Front {
    /// Starts a front with these flags, and connects.
    pub(crate) fn start(udf: &Udf, on: Transport, flags: &[&str]) -> Self {
        let mut program = launch(udf, on, flags);
        let ends = match on {
            Transport::Pipe => program.pipes(),
            Transport::Socket => program.ends(),
        };
        Front { program, kapacitor: Kapacitor::new(ends), on, udf: udf.clone() }
    }

    /// Opens another connection with a daemon.
    pub(crate) fn connect(&self) -> Kapacitor {
        Kapacitor::new(self.program.ends())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Returns the worker of the only connection.
    #[track_caller]
    pub(crate) fn worker(&self) -> u32 {
        self.worker_but(0)
    }

    /// Returns the worker that has replaced `old`.
    #[track_caller]
    pub(crate) fn worker_but(&self, old: u32) -> u32 {
        let mut found = None;
        wait_until("there is a worker", || {
            found = children(self.pid()).into_iter().find(|child| *child != old);
            found.is_some()
        });
        found.expect("there is a worker")
    }

    /// Waits until a worker has stopped itself, and returns it.
    #[track_caller]
    pub(crate) fn stopped_worker(&self) -> u32 {
        let mut found = None;
        wait_until("a worker stops itself", || {
            found = children(self.pid()).into_iter().find(|child| state(*child) == Some('T'));
            found.is_some()
        });
        found.expect("a worker has stopped itself")
    }

    /// Ends the input of Kapacitor, reads the rest, and checks the end of the front: it succeeds,
    /// and leaves no process behind.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Vec<Vec<u8>> {
        self.kapacitor.end_input();
        let rest = self.kapacitor.rest();
        self.ends(0);
        rest
    }

    /// Checks the end after a connection: a spawned front exits with `status`, a daemon serves on
    /// and exits with status 0 after a signal. No worker is left.
    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Vec<String> {
        let Front { mut program, kapacitor, on, udf } = self;
        drop(kapacitor);
        let pid = program.pid();
        if on == Transport::Socket {
            wait_until("the workers of the daemon end", || children(pid).is_empty());
            program.signal("TERM");
        }
        let log = program.rest_of_log();
        let exit = program.wait();
        let expected = if on == Transport::Socket { 0 } else { status };
        assert_eq!(exit.code(), Some(expected), "{udf:?}: {exit}; it logged {log:#?}");
        log
    }
}

/// Starts a front with these flags.
pub(crate) fn launch(udf: &Udf, on: Transport, flags: &[&str]) -> Program {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    let socket = (on == Transport::Socket).then_some(&*path);
    let mut command = command(udf, socket, flags);
    match on {
        Transport::Pipe => Program::spawn(command.stdin(Stdio::piped())),
        Transport::Socket => {
            let program = Program::spawn(command.stdin(Stdio::null()));
            program.wait_for_log("listens on");
            program.within(directory, &path)
        }
    }
}

/// Returns the command of a front.
pub(crate) fn command(udf: &Udf, socket: Option<&Path>, flags: &[&str]) -> Command {
    let mut command = match udf {
        Udf::Example(name) => Command::new(example(name)),
        Udf::At(path) => Command::new(path),
        Udf::Program(_) => Command::new(udf_command()),
    };
    match udf {
        Udf::Example(_) | Udf::At(_) => command.arg("--supervise"),
        Udf::Program(_) => command.arg("supervise"),
    };
    command.args(flags);
    if let Some(path) = socket {
        command.arg("--socket").arg(path);
    }
    if let Udf::Program(args) = udf {
        command.arg("--").args(args);
    }
    command
}

/// Returns the path of the command `udf`.
pub(crate) fn udf_command() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_udf_command"))
}

/// Returns the command of a UDF without a front.
pub(crate) fn unsupervised(udf: &Udf) -> Command {
    match udf {
        Udf::Example(name) => Command::new(example(name)),
        Udf::At(path) => Command::new(path),
        Udf::Program(args) => {
            let mut command = Command::new(&args[0]);
            command.args(&args[1..]);
            command
        }
    }
}

/// Sends a signal to a process, unless it has ended.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        // The process may have ended.
        let _ = kill_process(pid, signal);
    }
}

/// Kills a process, and waits until it has ended.
#[track_caller]
pub(crate) fn kill(pid: u32) {
    send(pid, Signal::KILL);
    wait_until("a killed process ends", || is_gone(pid));
}

/// Returns whether a process has ended.
pub(crate) fn is_gone(pid: u32) -> bool {
    matches!(state(pid), None | Some('Z' | 'X'))
}

/// A directory whose name marks the processes of a test.
pub(crate) struct Mark(TempDir);

impl Mark {
    pub(crate) fn new() -> Self {
        Mark(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().expect("the path is text")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    /// Returns the living processes that have the directory in their arguments.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut processes = with_argument(self.path());
        processes.retain(|pid| !is_gone(*pid));
        processes
    }

    /// Waits until no process of the test is left.
    #[track_caller]
    pub(crate) fn wait_until_nothing_is_left(&self) {
        wait_until("no process is left", || self.processes().is_empty());
    }
}

/// Kills each worker that has stopped itself, until it is dropped.
pub(crate) struct Killer {
    ended: Arc<AtomicBool>,
    killed: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Killer {
    pub(crate) fn of(front: &Front) -> Self {
        let (ended, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (pid, end, count) = (front.pid(), Arc::clone(&ended), Arc::clone(&killed));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                for worker in children(pid) {
                    if state(worker) == Some('T') {
                        count.fetch_add(1, Ordering::Relaxed);
                        kill(worker);
                    }
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Killer { ended, killed, thread: Some(thread) }
    }

    /// Returns the number of workers that were killed.
    pub(crate) fn killed(&self) -> usize {
        self.killed.load(Ordering::Relaxed)
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread shows in the output of the test, which then fails, too.
            let _ = thread.join();
        }
    }
}
