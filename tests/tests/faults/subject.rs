//! The running UDFs of the fault tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, KeepaliveResponse, Point};
use udf_tests::ends::Ends;
use udf_tests::program::{Connection, Program, TIMEOUT, Transport, example};

/// Returns the path of a UDF that only these tests use.
pub(crate) fn troubled() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_troubled"))
}

/// Returns the path of a UDF with secrets that only these tests use.
pub(crate) fn secretive() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_secretive"))
}

/// Returns the path of a UDF for batches that only these tests use.
pub(crate) fn troubled_batch() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_troubled_batch"))
}

/// Tries again and again until it is so; returns whether it is, in the time that a test waits for
/// anything.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if started.elapsed() > TIMEOUT {
            return false;
        }
    }
}

/// A running UDF, and a connection with it.
pub(crate) struct Subject {
    pub(crate) program: Program,
    pub(crate) connection: Connection,
    transport: Transport,
}

impl Subject {
    /// Starts a program and connects to it.
    pub(crate) fn start(path: PathBuf, transport: Transport, args: &[&str]) -> Self {
        let (program, ends) = start(path, transport, args);
        Subject { program, connection: Connection::new(ends), transport }
    }

    /// Starts an example without sending an Init.
    pub(crate) fn example(name: &str, transport: Transport) -> Self {
        Subject::start(example(name), transport, &[])
    }

    /// Sends an Init, which must be accepted.
    pub(crate) fn init(mut self, options: &[(&str, &[Value])]) -> Self {
        init(&mut self.connection, options);
        self
    }

    /// Starts the example `mirror`.
    pub(crate) fn mirror(transport: Transport) -> Self {
        Subject::example("mirror", transport).init(&[])
    }

    /// Starts the example `moving_avg` with a window of 3 points.
    pub(crate) fn moving_avg(transport: Transport) -> Self {
        let (field, size) = (["usage".into()], [Value::Int(3)]);
        Subject::example("moving_avg", transport).init(&[("field", &field), ("size", &size)])
    }

    /// Starts the example `outliers`.
    pub(crate) fn outliers(transport: Transport) -> Self {
        Subject::example("outliers", transport).init(&[("field", &["usage".into()])])
    }

    /// Starts a UDF that misbehaves in this way.
    pub(crate) fn troubled(transport: Transport, kind: &str) -> Self {
        Subject::troubled_with(transport, kind, 0, &[])
    }

    pub(crate) fn troubled_with(
        transport: Transport,
        kind: &str,
        amount: i64,
        args: &[&str],
    ) -> Self {
        Subject::start(troubled(), transport, args)
            .init(&[("kind", &[kind.into()]), ("amount", &[Value::Int(amount)])])
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.connection.send(bytes).expect("the other side reads");
    }

    pub(crate) fn ask(&mut self, message: Ask) {
        self.connection.ask(message);
    }

    /// Sends a point and expects it back.
    pub(crate) fn echo(&mut self, time: i64) {
        echo(&mut self.connection, time);
    }

    /// Expects the connection to end with an error that contains `with`. Returns the answers before
    /// it.
    ///
    /// A spawned process must exit with status 1, a daemon must serve other connections.
    pub(crate) fn fails(self, with: &str) -> Vec<Answer> {
        let mut rest = self.connection.rest();
        match rest.pop() {
            Some(Answer::Error(error)) => {
                assert!(error.error.contains(with), "`{with}` is not in `{}`", error.error);
            }
            other => panic!("not an error at the end: {other:?}, behind {rest:?}"),
        }
        self.ends(1);
        rest
    }

    /// Checks that the connection answers, and ends without an error after its input. Returns the
    /// answers.
    pub(crate) fn lives(mut self) -> Vec<Answer> {
        self.ask(Ask::Keepalive(KeepaliveRequest { time: 77 }));
        self.connection.end_input();
        let mut rest = self.connection.rest();
        let last = rest.pop();
        assert_eq!(last, Some(Answer::Keepalive(KeepaliveResponse { time: 77 })), "{rest:?}");
        self.ends(0);
        rest
    }

    /// Ends the input. Returns the remaining answers.
    pub(crate) fn finishes(mut self) -> Vec<Answer> {
        self.connection.end_input();
        let rest = self.connection.rest();
        self.ends(0);
        rest
    }

    /// Ends the input, and stops a daemon. Returns the remaining answers and log lines.
    pub(crate) fn finishes_with_log(mut self) -> (Vec<Answer>, Vec<String>) {
        self.connection.end_input();
        let rest = self.connection.rest();
        drop(self.connection);
        if self.transport == Transport::Socket {
            self.program.signal("TERM");
        }
        (rest, self.program.rest_of_log())
    }

    /// Returns the answers before a signal ends the connection. The last message must report the
    /// signal.
    pub(crate) fn rest_until(&self, signal: &str) -> Vec<Answer> {
        let mut rest = self.connection.rest();
        match rest.pop() {
            Some(Answer::Error(error)) => assert_eq!(
                error.error,
                format!(
                    "the UDF was stopped ({signal}); start it again if it is a daemon, then disable and enable the task"
                )
            ),
            other => panic!("not an error at the end: {other:?}, behind {rest:?}"),
        }
        rest
    }

    /// Checks the state after the connection has ended: a spawned process exits with `status`, a
    /// daemon serves other connections and stops with status 0.
    pub(crate) fn ends(mut self, status: i32) {
        match self.transport {
            Transport::Pipe => {
                // After an error, some UDFs read their input to the end, so that Kapacitor reads
                // the error.
                drop(self.connection);
                assert_eq!(self.program.wait().code(), Some(status));
            }
            Transport::Socket => {
                drop(self.connection);
                serves(&self.program);
                self.program.signal("TERM");
                assert_eq!(self.program.wait().code(), Some(0));
            }
        }
    }
}

/// Starts a program, without reading its output.
pub(crate) fn start(path: PathBuf, on: Transport, args: &[&str]) -> (Program, Ends) {
    let mut command = Command::new(path);
    command.args(args);
    match on {
        Transport::Pipe => {
            let mut program = Program::spawn(command.stdin(Stdio::piped()));
            let ends = program.pipes();
            (program, ends)
        }
        Transport::Socket => {
            let program = Program::listen(&mut command);
            let ends = program.ends();
            (program, ends)
        }
    }
}

/// Checks that a daemon accepts a connection and answers.
pub(crate) fn serves(program: &Program) {
    let mut connection = program.connect();
    connection.ask(Ask::Keepalive(KeepaliveRequest { time: 5 }));
    assert_eq!(connection.answer(), Answer::Keepalive(KeepaliveResponse { time: 5 }));
    connection.end_input();
    assert_eq!(connection.rest(), []);
}

/// Sends an Init, which must be accepted.
pub(crate) fn init(connection: &mut Connection, options: &[(&str, &[Value])]) {
    match connection.init(options) {
        Answer::Init(init) => assert!(init.success, "{}", init.error),
        other => panic!("not an answer to Init: {other:?}"),
    }
}

/// Sends a point and expects it back.
pub(crate) fn echo(connection: &mut Connection, time: i64) {
    connection.ask(Ask::Point(point(time)));
    assert_eq!(connection.answer(), Answer::Point(point(time)));
}

/// Returns a point of a stream.
pub(crate) fn point(time: i64) -> Point {
    Point {
        time,
        name: "cpu".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: "host=a".into(),
        dimensions: vec!["host".into()],
        tags: BTreeMap::from([("host".into(), "a".into())]),
        fields_double: BTreeMap::from([("usage".into(), time as f64)]),
        ..Default::default()
    }
}

/// Returns a point that makes a UDF misbehave.
pub(crate) fn trouble(time: i64) -> Point {
    let mut point = point(time);
    point.fields_bool.insert("trouble".into(), true);
    point
}

/// Returns a point with a text of `bytes` bytes.
pub(crate) fn large_point(time: i64, bytes: usize) -> Point {
    let mut point = point(time);
    point.fields_string.insert("text".into(), "x".repeat(bytes));
    point
}
