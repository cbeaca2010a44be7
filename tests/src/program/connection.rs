//! Kapacitor's end of a connection with a running program.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prost::Message as _;
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InitRequest, Request, Response};
use udf_proto::{Init, OptionCall, Value};

use super::{Program, TIMEOUT, Transport, example};
use crate::ends::{Ends, Input, Output};

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
