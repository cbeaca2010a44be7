//! A daemon that is visited.

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
use udf_tests::program::{Connection, PATIENCE, Program, example};

/// A daemon, which may be killed and started again.
pub(super) struct Daemon {
    directory: TempDir,
    pub(super) program: Mutex<Program>,
    /// Where the metrics of its first start are.
    pub(super) metrics: SocketAddr,
    /// How often it was killed or stopped, and started again: odd meanwhile.
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
        // However busy this machine is, what is stopped may finish.
        command.args(["--farewell", "5m", "--metrics", "0", "--socket"]).arg(&path);
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

    /// Kills or stops it, and starts it again.
    pub(super) fn restart(&self, rng: &mut Rng) {
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        if rng.bool() {
            program.signal("KILL");
            program.wait();
        } else {
            program.signal("TERM");
            assert!(program.wait().success(), "what was received has not been finished");
        }
        *program = Daemon::program(&self.directory).0;
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all have left; returns what the daemon has then.
    pub(super) fn left(&self) -> Left {
        let pid = self.program.lock().unwrap_or_else(PoisonError::into_inner).pid();
        // Connections are accepted in their order: behind this one, none of theirs waits for it.
        let mut last = Connection::new(self.connect().expect("it listens"));
        last.init(&[("field", &["usage".into()]), ("size", &[Value::Int(1)])]);
        last.end_input();
        last.rest();
        let started = Instant::now();
        // A thread has the name of the one that has started it, until it has its own.
        let busy = |name: &String| name.starts_with("connection") || name.starts_with("refusal");
        while threads(pid).iter().any(busy) && started.elapsed() < PATIENCE {
            thread::yield_now();
        }
        let mut threads = threads(pid);
        threads.sort();
        let (descriptors, memory, peak) = (descriptors(pid), memory(pid), peak_memory(pid));
        Left { threads, descriptors, memory, peak }
    }
}

/// What a daemon has when nobody visits it.
pub(super) struct Left {
    pub(super) threads: Vec<String>,
    pub(super) descriptors: usize,
    pub(super) memory: u64,
    /// The most memory that it ever had.
    pub(super) peak: u64,
}

impl Left {
    /// Whether both have the same threads, and as many descriptors.
    pub(super) fn is_like(&self, other: &Left) -> bool {
        (&self.threads, self.descriptors) == (&other.threads, other.descriptors)
    }
}
