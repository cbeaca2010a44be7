//! Runs the example programs as Kapacitor does, and exchanges frames with them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prost::Message as _;
use tempfile::TempDir;
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InitRequest, Request, Response};
use udf_proto::{Init, OptionCall, Value};

use crate::ends::{Ends, Input, Output};

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

/// Kapacitor's end of a connection.
pub struct Connection {
    input: Option<Input>,
    answers: Receiver<Result<Answer, String>>,
    /// Keepalives without a request. A UDF that is busy or slow may send them at any time.
    signs: Receiver<()>,
}

/// Encodes a request: its length, and its body.
fn parts(message: Ask) -> (Vec<u8>, Vec<u8>) {
    let body = Request { message: Some(message) }.encode_to_vec();
    let mut length = Vec::new();
    prost::encoding::encode_varint(body.len() as u64, &mut length);
    (length, body)
}

/// Encodes a request as one frame.
pub fn frame(message: Ask) -> Vec<u8> {
    let (mut frame, body) = parts(message);
    frame.extend(body);
    frame
}

/// Returns an Init with these options, for the node `node` of the task `task`.
pub fn init(options: &[(&str, &[Value])]) -> Ask {
    let options = options
        .iter()
        .map(|(name, values)| OptionCall { name: (*name).into(), values: values.to_vec() });
    let init = Init { options: options.collect(), task_id: "task".into(), node_id: "node".into() };
    Ask::Init(InitRequest::from(init))
}

/// Reads answers on a separate thread, so that a test can wait with a timeout.
fn read(stream: impl Read + Send + 'static) -> (Receiver<Result<Answer, String>>, Receiver<()>) {
    let (sender, answers) = channel();
    let (sign, signs) = channel();
    let opened = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    thread::spawn(move || {
        let mut reader = FrameReader::new(stream);
        loop {
            let answer = match reader.next_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => match Response::decode(frame) {
                    Ok(Response { message: Some(message) }) => Ok(message),
                    other => Err(format!("no response: {other:?}")),
                },
                Err(error) => Err(error.to_string()),
            };
            // Keepalives of tests have times in the past.
            if let Ok(Answer::Keepalive(keepalive)) = &answer
                && i128::from(keepalive.time) >= opened as i128
            {
                // The test may have dropped the receiver.
                let _ = sign.send(());
                continue;
            }
            let failed = answer.is_err();
            if sender.send(answer).is_err() || failed {
                return;
            }
        }
    });
    (answers, signs)
}

impl Connection {
    /// Spawns an example, or starts it as a daemon and connects.
    ///
    /// # Panics
    /// If the example does not start.
    pub fn open(name: &str, transport: Transport) -> (Program, Connection) {
        match transport {
            Transport::Socket => {
                let program = Program::daemon(name, &[]);
                let connection = program.connect();
                (program, connection)
            }
            Transport::Pipe => {
                let mut program = Program::spawn(Command::new(example(name)).stdin(Stdio::piped()));
                let connection = Connection::new(program.pipes());
                (program, connection)
            }
        }
    }

    /// Starts to read answers from these ends.
    pub fn new(ends: Ends) -> Connection {
        let mut connection = Connection::reading(ends.output);
        connection.input = Some(ends.input);
        connection
    }

    /// Starts to read answers from this end. The caller writes the input.
    pub fn reading(output: Output) -> Connection {
        let (answers, signs) = read(output);
        Connection { input: None, answers, signs }
    }

    /// Sends bytes unchanged.
    ///
    /// # Errors
    /// If the write fails.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.input.as_mut().expect("the input has not ended").write_all(bytes)
    }

    /// Sends a request as Kapacitor does: the length in one write, the body in another.
    ///
    /// # Panics
    /// If the write fails.
    pub fn ask(&mut self, message: Ask) {
        let (length, body) = parts(message);
        self.send(&length).and_then(|()| self.send(&body)).expect("a request can be sent");
    }

    /// Sends an Init with these options. Returns the answer.
    pub fn init(&mut self, options: &[(&str, &[Value])]) -> Answer {
        self.ask(init(options));
        self.answer()
    }

    /// Returns the next answer.
    ///
    /// # Panics
    /// If no answer arrives in time.
    pub fn answer(&self) -> Answer {
        match self.answers.recv_timeout(TIMEOUT) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("{error}"),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Waits for the next keepalive without a request.
    ///
    /// # Panics
    /// If none arrives in time.
    pub fn wait_for_keepalive(&self) {
        assert!(self.has_keepalive_within(TIMEOUT), "no keepalive arrived");
    }

    /// Drops the keepalives that have arrived so far.
    pub fn forget_keepalives(&self) {
        while self.signs.try_recv().is_ok() {}
    }

    /// Returns the input, so that another thread can write to it.
    ///
    /// # Panics
    /// If the input has ended.
    pub fn take_input(&mut self) -> Input {
        self.input.take().expect("the input has not ended")
    }

    /// Sets the input again, after [`take_input`](Self::take_input).
    pub fn give_input(&mut self, input: Input) {
        self.input = Some(input);
    }

    /// Returns whether a keepalive without a request arrives within `time`.
    pub fn has_keepalive_within(&self, time: Duration) -> bool {
        self.signs.recv_timeout(time).is_ok()
    }

    /// Ends the input.
    ///
    /// # Panics
    /// If the input has ended already.
    pub fn end_input(&mut self) {
        drop(self.input.take().expect("the input has not ended"));
    }

    /// Ends the input, and stops reading.
    pub fn close(self) {}

    /// Returns the next answer, or none at the end of the connection or after an error.
    ///
    /// # Panics
    /// If neither an answer nor the end arrives in time.
    pub fn next(&self) -> Option<Answer> {
        match self.answers.recv_timeout(TIMEOUT) {
            Ok(answer) => answer.ok(),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("neither an answer nor an end arrived"),
        }
    }

    /// Returns the answers up to the end of the connection, or up to an error.
    ///
    /// # Panics
    /// If the connection does not end in time.
    pub fn rest_or_reset(&self) -> Vec<Answer> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Returns the answers up to the end of the connection.
    ///
    /// # Panics
    /// If the connection does not end in time, or ends within an answer.
    pub fn rest(&self) -> Vec<Answer> {
        let (mut rest, begun) = (Vec::new(), Instant::now());
        loop {
            assert!(begun.elapsed() < 2 * TIMEOUT, "no end, but {} answers", rest.len());
            match self.answers.recv_timeout(TIMEOUT) {
                Ok(Ok(answer)) => rest.push(answer),
                Ok(Err(error)) => panic!("{error}; before it {rest:?}"),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => panic!("no end after {rest:?}"),
            }
        }
    }
}
