//! Runs the example programs as Kapacitor does, and exchanges frames with them.

mod connection;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::connection::{Connection, frame, init};
use crate::ends::Ends;

/// The timeout of a test.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the path of an example, built with the profile of the tests.
///
/// # Panics
/// If the build fails.
pub fn example(name: &str) -> PathBuf {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    let examples = EXAMPLES.get_or_init(|| {
        // A test runs from target/PROFILE/deps.
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test.parent().and_then(Path::parent).expect("a test is in target");
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--locked",
            "--offline",
            "-p",
            "udf-examples",
            "--examples",
        ]);
        build.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--target-dir");
        build.arg(profile.parent().expect("a profile is in target"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the examples do not build");
        profile.join("examples")
    });
    examples.join(name)
}

/// The transport to a UDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Spawned, with frames on stdin and stdout.
    Pipe,
    /// A daemon, on a Unix socket.
    Socket,
}

/// A running program.
pub struct Program {
    child: Child,
    /// The lines on stderr.
    log: Receiver<String>,
    /// The path of the socket, and the directory that was created for it.
    socket: Option<(Option<TempDir>, PathBuf)>,
}

impl Program {
    /// Starts an example with these arguments. Only stderr is a pipe.
    ///
    /// # Panics
    /// If the example does not start.
    pub fn start(name: &str, args: &[&str]) -> Self {
        Program::spawn(Command::new(example(name)).args(args).stdin(Stdio::null()))
    }

    /// Starts an example as a daemon, and waits until it listens.
    ///
    /// # Panics
    /// If the daemon does not listen in time.
    pub fn daemon(name: &str, args: &[&str]) -> Self {
        Program::listen(Command::new(example(name)).args(args))
    }

    /// Starts a command with `--socket` as a daemon, and waits until it listens.
    ///
    /// # Panics
    /// If the daemon does not listen in time.
    pub fn listen(command: &mut Command) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("udf.sock");
        let mut program = Program::spawn(command.arg("--socket").arg(&path).stdin(Stdio::null()));
        program.socket = Some((Some(directory), path));
        program.wait_for_log("listens on");
        program
    }

    /// Starts a daemon like [`listen`](Self::listen), on a socket at `path`.
    ///
    /// # Panics
    /// If the daemon does not listen in time.
    pub fn listen_at(path: &Path, command: &mut Command) -> Self {
        let mut program = Program::spawn(command.arg("--socket").arg(path).stdin(Stdio::null()));
        program.socket = Some((None, path.to_owned()));
        program.wait_for_log("listens on");
        program
    }

    /// Starts a command with its own stdin. Stdout is a pipe, and a thread reads stderr.
    ///
    /// # Panics
    /// If the command does not start.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("UDF_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (sender, log) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    // Keep reading: the program must not block on its log.
                }
            }
        });
        Program { child, log, socket: None }
    }

    /// Sets the path of the socket of a daemon.
    pub fn at(mut self, path: &Path) -> Self {
        self.socket = Some((None, path.to_owned()));
        self
    }

    /// Sets the path of the socket of a daemon, in a directory that is removed with the program.
    pub fn within(mut self, directory: TempDir, path: &Path) -> Self {
        self.socket = Some((Some(directory), path.to_owned()));
        self
    }

    /// Returns the next line of the log that contains `text`.
    ///
    /// # Panics
    /// If no such line arrives in time.
    pub fn wait_for_log(&self, text: &str) -> String {
        loop {
            match self.log.recv_timeout(TIMEOUT) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line with `{text}` was logged: {error}"),
            }
        }
    }

    /// Returns the lines of the log until one contains `text`, or until the program exits.
    ///
    /// # Panics
    /// If neither happens in time.
    pub fn log_until(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.log.recv_timeout(TIMEOUT) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("neither `{text}` nor an exit: {lines:?}"),
            }
            if lines.last().is_some_and(|line| line.contains(text)) {
                return lines;
            }
        }
    }

    /// Returns the lines of the log until the program exits.
    ///
    /// # Panics
    /// If the program does not exit in time.
    pub fn rest_of_log(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.log.recv_timeout(TIMEOUT) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("the program still runs: {lines:?}"),
            }
        }
    }

    /// Waits until a daemon with `--metrics` logs the address of its metrics. Returns the address.
    ///
    /// # Panics
    /// If the daemon does not log the address in time.
    pub fn metrics(&self) -> SocketAddr {
        let line = self.wait_for_log("serving metrics");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        address.and_then(|address| address.parse().ok()).expect("the line ends with an address")
    }

    /// Returns the path of the socket.
    ///
    /// # Panics
    /// If the program is not a daemon.
    pub fn socket(&self) -> &Path {
        &self.socket.as_ref().expect("a daemon").1
    }

    /// Opens a connection with a daemon.
    ///
    /// # Panics
    /// If the connection fails.
    pub fn connect(&self) -> Connection {
        Connection::new(self.ends())
    }

    /// Opens a connection with a daemon, without reading from it.
    ///
    /// # Panics
    /// If the connection fails.
    pub fn ends(&self) -> Ends {
        Ends::socket(UnixStream::connect(self.socket()).expect("the socket is there"))
    }

    /// Returns stdin and stdout of the program, without reading from it.
    ///
    /// # Panics
    /// If they are not pipes, or were taken before.
    pub fn pipes(&mut self) -> Ends {
        let input = self.child.stdin.take().expect("stdin is piped");
        Ends::pipes(input, self.child.stdout.take().expect("stdout is piped"))
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program.
    ///
    /// # Panics
    /// If the program has exited.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until the program exits. Drops the lines that it logs meanwhile.
    ///
    /// # Panics
    /// If the program does not exit in time.
    pub fn wait(&mut self) -> ExitStatus {
        self.rest_of_log();
        self.child.wait().expect("the process can be waited for")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After a successful test, the program has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `holds` returns true.
///
/// # Panics
/// After [`TIMEOUT`]. The message contains `fact`.
#[track_caller]
pub fn wait_until(fact: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < TIMEOUT, "timed out until {fact}");
        thread::sleep(Duration::from_millis(1));
    }
}
