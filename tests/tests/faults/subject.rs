//! A case of the suite, and the running UDF that it is done to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, KeepaliveResponse, Point};
use udf_tests::ends::Ends;
use udf_tests::program::{Connection, PATIENCE, Program, Transport, example};

/// A fault, and what must hold when it happens.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) on: Transports,
    pub(crate) run: fn(Transport),
}

pub(crate) type Transports = &'static [Transport];

pub(crate) const BOTH: Transports = &[Transport::Pipe, Transport::Socket];
pub(crate) const PIPE: Transports = &[Transport::Pipe];
pub(crate) const SOCKET: Transports = &[Transport::Socket];

/// A table of cases, and a test for each of them: `name, transports, promise;`, with a function `name` that
/// is done over each of the transports.
macro_rules! cases {
    ($($name:ident, $on:expr, $promise:literal;)*) => {
        pub(crate) const CASES: &[$crate::Case] = &[
            $($crate::Case { name: stringify!($name), promise: $promise, on: $on, run: $name },)*
        ];

        mod case {
            $(
                #[test]
                fn $name() {
                    let case = super::CASES.iter().find(|case| case.name == stringify!($name));
                    let case = case.expect("it is in the table");
                    case.on.iter().for_each(|transport| (case.run)(*transport));
                }
            )*
        }
    };
}
pub(crate) use cases;

/// The path of a UDF that is made for this suite.
pub(crate) fn troubled() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_troubled"))
}

/// The path of a UDF of batches that is made for this suite.
pub(crate) fn troubled_batch() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_troubled_batch"))
}

/// Tries again and again until it is so; returns whether it is, in the time that a test waits for anything.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if started.elapsed() > PATIENCE {
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
    /// Starts a program; over a socket, as a daemon that is connected to.
    pub(crate) fn start(path: PathBuf, transport: Transport, args: &[&str]) -> Self {
        let (program, ends) = start(path, transport, args);
        Subject { program, connection: Connection::new(ends), transport }
    }

    /// An example that has not had its Init.
    pub(crate) fn example(name: &str, transport: Transport) -> Self {
        Subject::start(example(name), transport, &[])
    }

    /// Sends an Init that must be accepted.
    pub(crate) fn init(mut self, options: &[(&str, &[Value])]) -> Self {
        init(&mut self.connection, options);
        self
    }

    /// The mirror, started.
    pub(crate) fn mirror(transport: Transport) -> Self {
        Subject::example("mirror", transport).init(&[])
    }

    /// A mean over 3 points, started.
    pub(crate) fn moving_avg(transport: Transport) -> Self {
        let (field, size) = (["usage".into()], [Value::Int(3)]);
        Subject::example("moving_avg", transport).init(&[("field", &field), ("size", &size)])
    }

    /// The outliers, started.
    pub(crate) fn outliers(transport: Transport) -> Self {
        Subject::example("outliers", transport).init(&[("field", &["usage".into()])])
    }

    /// A UDF that gets into trouble of this kind, started.
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
        self.connection.send(bytes).expect("it reads");
    }

    pub(crate) fn ask(&mut self, message: Ask) {
        self.connection.ask(message);
    }

    /// Sends a point and expects it back.
    pub(crate) fn echo(&mut self, time: i64) {
        echo(&mut self.connection, time);
    }

    /// The connection ends with an error that has this in it, which is returned with what came before; the
    /// process tells the log, and does what becomes it: when spawned, it ends with status 1, as a daemon it
    /// serves others.
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

    /// The connection lives: it answers, and ends without an error when its input does.
    pub(crate) fn lives(mut self) -> Vec<Answer> {
        self.ask(Ask::Keepalive(KeepaliveRequest { time: 77 }));
        self.connection.end_input();
        let mut rest = self.connection.rest();
        let last = rest.pop();
        assert_eq!(last, Some(Answer::Keepalive(KeepaliveResponse { time: 77 })), "{rest:?}");
        self.ends(0);
        rest
    }

    /// Ends the input and returns what came from then on.
    pub(crate) fn finishes(mut self) -> Vec<Answer> {
        self.connection.end_input();
        let rest = self.connection.rest();
        self.ends(0);
        rest
    }

    /// Ends the input, and a daemon too; returns what came from then on, and what was logged.
    pub(crate) fn finishes_with_log(mut self) -> (Vec<Answer>, Vec<String>) {
        self.connection.end_input();
        let rest = self.connection.rest();
        drop(self.connection);
        if self.transport == Transport::Socket {
            self.program.signal("TERM");
        }
        (rest, self.program.rest_of_log())
    }

    /// The answers until a signal has ended the connection, which Kapacitor is told at the end.
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

    /// The connection has ended. Spawned, the process ends with this status; a daemon serves on, and ends well
    /// when it is asked to.
    pub(crate) fn ends(mut self, status: i32) {
        match self.transport {
            Transport::Pipe => {
                // Some read their input until it ends, so that the error is not lost.
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

/// Starts a program, from whose output nobody reads yet.
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

/// A daemon takes one more connection and answers on it.
pub(crate) fn serves(program: &Program) {
    let mut connection = program.connect();
    connection.ask(Ask::Keepalive(KeepaliveRequest { time: 5 }));
    assert_eq!(connection.answer(), Answer::Keepalive(KeepaliveResponse { time: 5 }));
    connection.end_input();
    assert_eq!(connection.rest(), []);
}

/// Sends an Init that must be accepted.
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

/// A point of a stream.
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

/// A point that makes trouble.
pub(crate) fn trouble(time: i64) -> Point {
    let mut point = point(time);
    point.fields_bool.insert("trouble".into(), true);
    point
}

/// A point of `bytes` bytes and some more.
pub(crate) fn large_point(time: i64, bytes: usize) -> Point {
    let mut point = point(time);
    point.fields_string.insert("text".into(), "x".repeat(bytes));
    point
}
