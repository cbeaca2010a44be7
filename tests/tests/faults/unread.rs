//! The log is a full pipe that nobody reads.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InfoRequest, KeepaliveRequest};
use udf_tests::ends::Ends;
use udf_tests::program::{Connection, TIMEOUT, Transport, example, frame};

use crate::subject::{echo, init, point, trouble, troubled};
use crate::{BOTH, SOCKET, cases};

cases! {
    a_full_log_and_a_sigterm, BOTH, "A UDF whose log nobody reads stops at SIGTERM with status 0.";
    a_full_log_and_a_handler_that_hangs, BOTH, "A UDF whose log nobody reads and whose handler hangs exits with status 1 after the grace period.";
    a_full_log_and_a_second_signal, BOTH, "A second signal ends a UDF at once, even if a handler hangs and nobody reads its log.";
    a_full_log_and_connections, SOCKET, "A daemon whose log nobody reads serves, refuses and ends connections.";
    a_full_log_that_is_read_again, BOTH, "No handler waits for the log. The log keeps 1 MiB of lines, and loses further ones. When it is read again, one line reports their number.";
}

/// A program whose log is not read.
struct Unread {
    child: Child,
    log: PipeReader,
    /// The number of bytes in the pipe before the program started.
    filled: usize,
    transport: Transport,
    directory: TempDir,
}

impl Unread {
    fn start(path: PathBuf, transport: Transport, args: &[&str]) -> Self {
        let (log, mut writer) = std::io::pipe().expect("a descriptor is left");
        let flags = fcntl_getfl(&writer).expect("the descriptor is open");
        fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("the descriptor is open");
        let mut filled = 0;
        while let Ok(written) = writer.write(&[b'\n'; 1 << 12]) {
            filled += written;
        }
        fcntl_setfl(&writer, flags).expect("the descriptor is open");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(path);
        command.args(args).env_remove("UDF_LOG").stdout(Stdio::piped()).stderr(writer);
        match transport {
            Transport::Pipe => command.stdin(Stdio::piped()),
            Transport::Socket => {
                command.arg("--socket").arg(directory.path().join("udf.sock")).stdin(Stdio::null())
            }
        };
        let child = command.spawn().expect("the program starts");
        Unread { child, log, filled, transport, directory }
    }

    fn connect(&mut self) -> Connection {
        Connection::new(match self.transport {
            Transport::Pipe => {
                let input = self.child.stdin.take().expect("it has one connection");
                Ends::pipes(input, self.child.stdout.take().expect("stdout is piped"))
            }
            Transport::Socket => Ends::socket(self.stream()),
        })
    }

    /// Waits until the daemon listens, and connects.
    fn stream(&self) -> UnixStream {
        let begun = Instant::now();
        loop {
            match UnixStream::connect(self.directory.path().join("udf.sock")) {
                Ok(stream) => return stream,
                Err(error) => {
                    assert!(begun.elapsed() < TIMEOUT, "the daemon does not listen: {error}")
                }
            }
            std::thread::yield_now();
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process exists");
    }

    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status;
            }
            assert!(begun.elapsed() < TIMEOUT, "the program does not exit");
            std::thread::yield_now();
        }
    }

    /// Starts to read the log.
    fn lines(&self) -> impl Iterator<Item = String> + use<> {
        let mut log = self.log.try_clone().expect("a descriptor is left");
        let mut before = vec![0; self.filled];
        log.read_exact(&mut before).expect("the bytes have arrived");
        BufReader::new(log).lines().map_while(Result::ok)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // After a successful test, the program has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn a_full_log_and_a_sigterm(on: Transport) {
    let mut program = Unread::start(example("mirror"), on, &[]);
    let mut connection = program.connect();
    init(&mut connection, &[]);
    echo(&mut connection, 1);
    program.signal(Signal::TERM);
    let rest = connection.rest();
    assert!(matches!(&rest[..], [Answer::Error(_)]), "{rest:?}");
    drop(connection);
    assert_eq!(program.wait().code(), Some(0));
}

/// Returns a program with a hanging handler, whose log is not read.
fn hanging(on: Transport, args: &[&str]) -> (Unread, Connection) {
    let mut program = Unread::start(troubled(), on, args);
    let mut connection = program.connect();
    init(&mut connection, &[("kind", &["hang".into()])]);
    connection.ask(Ask::Point(trouble(1)));
    connection.wait_for_keepalive();
    (program, connection)
}

fn a_full_log_and_a_handler_that_hangs(on: Transport) {
    let (mut program, _connection) = hanging(on, &["--shutdown-timeout", "200ms"]);
    program.signal(Signal::TERM);
    assert_eq!(program.wait().code(), Some(1));
}

fn a_full_log_and_a_second_signal(on: Transport) {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut program, connection) = hanging(on, &[]);
        program.signal(Signal::TERM);
        // Two pending signals can be merged. The first one has been delivered when it is no longer
        // pending.
        let begun = Instant::now();
        while is_pending(program.child.id()) {
            assert!(begun.elapsed() < TIMEOUT, "the first signal is not taken");
            std::thread::yield_now();
        }
        program.signal(signal);
        // Two threads may take one signal each. The thread with the first signal may then be the
        // second to handle it.
        let ended_by = program.wait().signal();
        assert!(ended_by == Some(signal.as_raw()) || ended_by == Some(15), "{ended_by:?}");
        drop(connection);
    }
}

/// Returns whether a process has a pending signal.
fn is_pending(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the file can be read");
    let pending = status.lines().filter_map(|line| line.strip_prefix("ShdPnd:"));
    pending.into_iter().any(|mask| mask.trim().bytes().any(|digit| digit != b'0'))
}

fn a_full_log_and_connections(on: Transport) {
    const LIMIT: usize = 20;
    let args = ["--max-connections", &LIMIT.to_string()];
    let mut program = Unread::start(example("mirror"), on, &args);
    let mut first = program.connect();
    init(&mut first, &[]);
    for time in 0..300 {
        let mut connection = program.connect();
        match time % 3 {
            0 => {
                init(&mut connection, &[]);
                echo(&mut connection, time);
                connection.end_input();
            }
            1 => {
                connection.ask(Ask::Info(InfoRequest {}));
                connection.end_input();
            }
            // Not a valid request.
            _ => connection.send(&[2, 0x08, 1]).expect("the other side reads"),
        }
        connection.rest_or_reset();
        echo(&mut first, time);
    }
    // A connection over the limit gets an error.
    let mut open = Vec::new();
    let refused = loop {
        let mut connection = program.connect();
        let _ = connection.send(&frame(Ask::Keepalive(KeepaliveRequest { time: 1 })));
        match connection.next() {
            Some(Answer::Keepalive(_)) if open.len() < LIMIT => open.push(connection),
            refused => break refused,
        }
    };
    assert!(
        matches!(&refused, Some(Answer::Error(error)) if error.error.contains("limit of 20 open")),
        "{refused:?}"
    );
    echo(&mut first, 301);
    drop((open, first));
    program.signal(Signal::TERM);
    assert_eq!(program.wait().code(), Some(0));
}

fn a_full_log_that_is_read_again(on: Transport) {
    const LINES: i64 = 100_000;
    let mut program = Unread::start(troubled(), on, &[]);
    let mut connection = program.connect();
    init(&mut connection, &[("kind", &["logFlood".into()]), ("amount", &[Value::Int(LINES)])]);
    connection.ask(Ask::Point(trouble(1)));
    assert_eq!(connection.answer(), Answer::Point(trouble(1)));
    connection.ask(Ask::Point(point(2)));
    assert_eq!(connection.answer(), Answer::Point(point(2)));
    let mut lines = program.lines();
    let (mut kept, mut before) = (0, 0);
    let lost = loop {
        let line = lines.next().expect("it says how many lines were lost");
        if let Some((text, _)) =
            line.split_once(" log lines were lost, because stderr was not read")
        {
            assert!(text.contains(" WARN "), "{line}");
            break text.rsplit(' ').next().and_then(|count| count.parse::<i64>().ok());
        }
        if line.contains("the flood rises to") {
            kept += 1;
        } else {
            before += 1;
        }
    };
    assert!(before < 10 && kept < LINES / 2, "{before} and {kept} lines");
    assert_eq!(lost, Some(LINES - kept));
    // From here on, no lines are lost.
    connection.end_input();
    assert_eq!(connection.rest(), []);
    drop(connection);
    if on == Transport::Socket {
        program.signal(Signal::TERM);
    }
    assert!(lines.any(|line| line.contains("the connection has ended: points_in=2")));
    assert!(lines.all(|line| !line.contains("were lost")));
    assert_eq!(program.wait().code(), Some(0));
}
