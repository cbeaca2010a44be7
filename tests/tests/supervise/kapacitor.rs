//! Kapacitor's end of a connection. It keeps the bytes of all answers, so that runs can be compared.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use prost::Message as _;
use rustix::event::{PollFd, PollFlags, poll};
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveResponse, Response};
use udf_tests::ends::{Ends, Input, Output};
use udf_tests::program::{TIMEOUT, frame};

/// Kapacitor's end of a connection.
pub(crate) struct Kapacitor {
    input: Option<Input>,
    /// The messages that arrive, and at last the error of an end within a message.
    frames: Receiver<Result<Vec<u8>, String>>,
    /// The times of keepalives, which may arrive between any two messages.
    keepalives: Receiver<i64>,
}

/// Returns the messages that `answer` decodes.
pub(crate) fn decode(frame: &[u8]) -> Answer {
    let response = Response::decode(frame).expect("a frame is a response");
    response.message.expect("a response has a message")
}

impl Kapacitor {
    pub(crate) fn new(Ends { input, output }: Ends) -> Self {
        Kapacitor { input: Some(input), ..Kapacitor::reading(output) }
    }

    /// Begins to read a connection whose input has ended.
    pub(crate) fn reading(output: Output) -> Self {
        let (sender, frames) = channel();
        let (sign, keepalives) = channel();
        thread::spawn(move || {
            read(output, |frame| match frame.as_deref().map(decode) {
                Ok(Answer::Keepalive(KeepaliveResponse { time })) => sign.send(time).is_ok(),
                _ => sender.send(frame).is_ok(),
            })
        });
        Kapacitor { input: None, frames, keepalives }
    }

    /// Sends bytes unchanged.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the other side reads");
    }

    /// Sends bytes unchanged, unless the other side has closed the connection.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        let input = self.input.as_mut().expect("the input has not ended");
        input.write_all(bytes).map_err(|error| error.kind())
    }

    pub(crate) fn ask(&mut self, message: Ask) {
        self.send(&frame(message));
    }

    /// Ends the input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Returns the input, so that another thread can write to it.
    pub(crate) fn take_input(&mut self) -> Input {
        self.input.take().expect("the input has not ended")
    }

    /// Returns the next message, which is no keepalive and no error.
    #[track_caller]
    pub(crate) fn next(&self) -> Vec<u8> {
        match self.frames.recv_timeout(TIMEOUT) {
            Ok(Ok(frame)) => match decode(&frame) {
                Answer::Error(error) => panic!("the connection has failed: {}", error.error),
                _ => frame,
            },
            Ok(Err(error)) => panic!("the connection ends within a message: {error}"),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Returns the next messages.
    #[track_caller]
    pub(crate) fn take(&self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.next()).collect()
    }

    #[track_caller]
    pub(crate) fn answer(&self) -> Answer {
        decode(&self.next())
    }

    /// Returns whether a message arrives within `time`.
    pub(crate) fn has_answer_within(&self, time: Duration) -> bool {
        self.frames.recv_timeout(time).is_ok()
    }

    /// Returns the messages until the end of the connection.
    #[track_caller]
    pub(crate) fn rest(&self) -> Vec<Vec<u8>> {
        let (mut rest, begun) = (Vec::new(), Instant::now());
        loop {
            match self.frames.recv_timeout(TIMEOUT) {
                Ok(Ok(frame)) => rest.push(frame),
                Ok(Err(error)) => panic!("{error}, after {} messages", rest.len()),
                Err(RecvTimeoutError::Disconnected) => return rest,
                // A front that replaces hung workers, one after the other, sends keepalives.
                Err(RecvTimeoutError::Timeout) => {
                    let is_alive = self.keepalives.try_iter().count() > 0;
                    let is_late = begun.elapsed() > 4 * TIMEOUT;
                    assert!(is_alive && !is_late, "no end after {} messages", rest.len());
                }
            }
        }
    }

    /// Returns the messages before the error that ends the connection, and its text.
    #[track_caller]
    pub(crate) fn rest_and_error(&self) -> (Vec<Vec<u8>>, String) {
        let mut rest = self.rest();
        match rest.pop().map(|frame| decode(&frame)) {
            Some(Answer::Error(error)) => (rest, error.error),
            other => panic!("not an error at the end: {other:?}, after {} messages", rest.len()),
        }
    }

    /// Waits for a keepalive, and returns its time.
    #[track_caller]
    pub(crate) fn keepalive(&self) -> i64 {
        self.keepalives.recv_timeout(TIMEOUT).expect("a keepalive arrives")
    }

    /// Waits for the answer to the keepalive of this time.
    #[track_caller]
    pub(crate) fn wait_for_keepalive(&self, time: i64) {
        let begun = Instant::now();
        while self.keepalive() != time {
            assert!(begun.elapsed() < TIMEOUT, "the keepalive at {time} was not answered");
        }
    }
}

/// The output of a UDF, read in a thread of its own. A test that does not block in its writes to a
/// socket changes the mode of the reads as well.
struct Waiting(Output);

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None)?;
                }
                read => return read,
            }
        }
    }
}

/// Reads frames until `keep` wants no more.
fn read(output: Output, mut keep: impl FnMut(Result<Vec<u8>, String>) -> bool) {
    let mut reader = FrameReader::new(Waiting(output));
    loop {
        let frame = match reader.next_frame() {
            Ok(Some(frame)) => Ok(frame.to_vec()),
            Ok(None) => return,
            Err(error) => Err(error.to_string()),
        };
        let failed = frame.is_err();
        if !keep(frame) || failed {
            return;
        }
    }
}
