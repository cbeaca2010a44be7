//! A daemon of the soak test.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use fastrand::Rng;
use tempfile::TempDir;
use udf_proto::Value;
use udf_tests::ends::Ends;
use udf_tests::process::{descriptors, memory, peak_memory, threads};
use udf_tests::program::{Connection, Program, TIMEOUT, example};

/// The unit that operators copy.
const UNIT: &str = include_str!("../../../docs/deploy/moving_avg.service");

/// Returns the environment of the documented unit: the daemon runs as operators run it.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = UNIT.lines().filter_map(|line| line.strip_prefix("Environment="));
    lines.map(|line| line.split_once('=').expect("a variable has a value"))
}

/// A daemon that can be killed and started again.
pub(super) struct Daemon {
    directory: TempDir,
    pub(super) program: Mutex<Program>,
    /// The address of the metrics of its first process.
    pub(super) metrics: SocketAddr,
    /// The number of restarts, times two. Odd during a restart.
    epoch: AtomicU64,
}

impl Daemon {
    pub(super) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (program, metrics) = Daemon::program(&directory);
        Daemon { directory, program: Mutex::new(program), metrics, epoch: AtomicU64::new(0) }
    }

    fn program(directory: &TempDir) -> (Program, SocketAddr) {
        let path = Daemon::path(directory);
        let mut command = Command::new(example("moving_avg"));
        command.envs(environment());
        // A long grace period: a stopped daemon may finish even on a busy machine.
        command.args(["--shutdown-timeout", "5m", "--metrics", "0", "--socket"]).arg(&path);
        let program = Program::spawn(command.stdin(Stdio::null())).at(&path);
        let metrics = program.metrics();
        program.wait_for_log("listens on");
        (program, metrics)
    }

    fn path(directory: &TempDir) -> PathBuf {
        directory.path().join("udf.sock")
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(super) fn connect(&self) -> io::Result<Ends> {
        UnixStream::connect(Daemon::path(&self.directory)).map(Ends::socket)
    }

    /// Kills or stops the daemon, and starts it again.
    pub(super) fn restart(&self, rng: &mut Rng) {
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        if rng.bool() {
            program.signal("KILL");
            program.wait();
        } else {
            program.signal("TERM");
            assert!(program.wait().success(), "the daemon has not finished its input");
        }
        *program = Daemon::program(&self.directory).0;
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all visitors have left. Returns the remaining resources of the daemon.
    pub(super) fn left(&self) -> Left {
        let pid = self.program.lock().unwrap_or_else(PoisonError::into_inner).pid();
        // Connections are accepted in order: this one is accepted after all those of the visitors.
        let mut last = Connection::new(self.connect().expect("the daemon listens"));
        last.init(&[("field", &["usage".into()]), ("size", &[Value::Int(1)])]);
        last.end_input();
        last.rest();
        let started = Instant::now();
        // A new thread has the name of its parent until it sets its own.
        let busy = |name: &String| name.starts_with("connection") || name.starts_with("refusal");
        while threads(pid).iter().any(busy) && started.elapsed() < TIMEOUT {
            thread::yield_now();
        }
        let mut threads = threads(pid);
        threads.sort();
        let (descriptors, memory, peak) = (descriptors(pid), memory(pid), peak_memory(pid));
        Left { threads, descriptors, memory, peak }
    }
}

/// The resources of a daemon without visitors.
pub(super) struct Left {
    pub(super) threads: Vec<String>,
    pub(super) descriptors: usize,
    pub(super) memory: u64,
    /// The peak of the resident memory in bytes.
    pub(super) peak: u64,
}

impl Left {
    /// Returns whether both have the same threads and the same number of descriptors.
    pub(super) fn is_like(&self, other: &Left) -> bool {
        (&self.threads, self.descriptors) == (&other.threads, other.descriptors)
    }
}
