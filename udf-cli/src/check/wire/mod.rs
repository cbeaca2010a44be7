//! One connection of a check: sends any bytes, accepts any answer, and limits every wait.

mod requests;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use udf_host::diagnosis::{NoMessage, next_frame};
use udf_host::process::Exit;
use udf_proto::frame::{FrameReader, append};
use udf_proto::messages::Request;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::response;

use crate::check::fault::{Fault, MOST_ANSWERS, is_data};
use crate::check::notes::{StderrStats, Tally};
use crate::{Connection, Peer};

/// If there are signs of life, an awaited answer may take this many times the longest silence.
const ALIVE: u32 = 6;

/// One event on the connection.
#[expect(clippy::large_enum_variant, reason = "nearly all events are answers")]
enum Event {
    Answer(Answer),
    /// A Response without a message.
    Empty,
    /// Bytes that are not a message. Nothing can be read after them.
    Broken(NoMessage),
    /// The end of the connection within a message.
    Cut(String),
}

/// The result of waiting for a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// A response came.
    Life,
    /// Nothing came in time.
    Silence,
    /// The UDF closed its output.
    Closed,
}

/// Returns a request as a frame.
pub(super) fn frame(message: Ask) -> Vec<u8> {
    let mut out = Vec::new();
    append(&Request { message: Some(message) }, &mut out);
    out
}

/// One connection.
pub(super) struct Wire {
    input: Option<Sender<Vec<u8>>>,
    output: Receiver<Event>,
    ended: bool,
    peer: Peer,
    stderr: Arc<Mutex<StderrStats>>,
    timeout: Duration,
    /// A wait has timed out, so that later waits return at once.
    given_up: bool,
    keepalives: i64,
    /// The number of points sent.
    pub(super) sent: usize,
    tally: Rc<Tally>,
    /// All messages from the UDF, in order.
    pub(super) seen: Vec<Answer>,
    /// The number of empty responses.
    pub(super) empties: usize,
    /// How the last message was cut off.
    pub(super) cut: Option<String>,
}

impl Wire {
    pub(super) fn new(
        link: Connection,
        stderr: Arc<Mutex<StderrStats>>,
        timeout: Duration,
        tally: Rc<Tally>,
    ) -> std::io::Result<Self> {
        let Connection { reader, mut writer, peer } = link;
        let (input, chunks) = channel::<Vec<u8>>();
        thread::Builder::new().name("check-write".to_owned()).spawn(move || {
            for chunk in chunks {
                // The reading direction shows the cause of a failed write.
                if writer.write_all(&chunk).and_then(|()| writer.flush()).is_err() {
                    break;
                }
            }
        })?;
        let (events, output) = sync_channel(1024);
        thread::Builder::new().name("check-read".to_owned()).spawn(move || {
            let mut frames = FrameReader::new(reader);
            loop {
                let event = match next_frame(&mut frames) {
                    Ok(None) => return,
                    Ok(Some(frame)) => match response::decode(frame) {
                        Ok(answer) => answer.map_or(Event::Empty, Event::Answer),
                        Err(error) => Event::Broken(NoMessage::in_frame(&frames, error)),
                    },
                    Err(NoMessage::Cut(problem)) => Event::Cut(problem),
                    Err(error) => Event::Broken(error),
                };
                let last = matches!(event, Event::Broken(_) | Event::Cut(_));
                if events.send(event).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Wire {
            input: Some(input),
            output,
            ended: false,
            peer,
            stderr,
            timeout,
            given_up: false,
            keepalives: 0,
            sent: 0,
            tally,
            seen: Vec::new(),
            empties: 0,
            cut: None,
        })
    }

    /// Sends these bytes in one write, without waiting until they are read.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        if let Some(input) = &self.input {
            // After the end of the writing thread, the reading direction shows the cause.
            let _ = input.send(bytes);
        }
    }

    pub(super) fn ask(&mut self, message: Ask) {
        self.sent += usize::from(matches!(message, Ask::Point(_)));
        self.send(frame(message));
    }

    /// Sends a message byte by byte, each byte in a separate write.
    pub(super) fn ask_in_pieces(&mut self, message: Ask) {
        self.sent += usize::from(matches!(message, Ask::Point(_)));
        for byte in frame(message) {
            self.send(vec![byte]);
        }
    }

    /// Returns the next event, or `None` after the last one. As in Kapacitor, every response is a
    /// sign of life, and the time limit applies to silence. The wait that began at `since` also has
    /// a total limit, since a UDF can be alive and never answer.
    fn next(&mut self, awaited: &str, since: Instant) -> Result<Option<Event>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let (timeout, total) = (self.timeout, self.timeout.saturating_mul(ALIVE));
        let awaited = || awaited.to_owned();
        if since.elapsed() >= total {
            self.given_up = true;
            return Err(Fault::Slow { awaited: awaited(), within: total });
        }
        match self.output.recv_timeout(timeout) {
            Ok(Event::Cut(problem)) => {
                (self.ended, self.cut) = (true, Some(problem));
                Ok(None)
            }
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Disconnected) => {
                self.ended = true;
                Ok(None)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.given_up = true;
                Err(Fault::Silence { awaited: awaited(), within: timeout })
            }
        }
    }

    /// Records an answer.
    fn keep(&mut self, answer: Answer) -> Result<(), Fault> {
        if self.seen.len() >= MOST_ANSWERS {
            return Err(Fault::Flood);
        }
        self.seen.push(answer);
        Ok(())
    }

    /// Reads messages until `pick` returns a value. An error that the UDF reports ends the wait.
    pub(super) fn until<T>(
        &mut self,
        awaited: &str,
        mut pick: impl FnMut(&Answer) -> Option<T>,
    ) -> Result<T, Fault> {
        let since = Instant::now();
        loop {
            let answer = match self.next(awaited, since)? {
                Some(Event::Answer(answer)) => answer,
                Some(Event::Empty) => {
                    self.empties += 1;
                    continue;
                }
                Some(Event::Broken(problem)) => return Err(Fault::Broken(problem.to_string())),
                Some(Event::Cut(_)) | None => {
                    let (awaited, traces) = (awaited.to_owned(), self.traces());
                    return Err(Fault::Closed { awaited, traces });
                }
            };
            let picked = pick(&answer);
            let error = match &answer {
                Answer::Error(error) => Some(Fault::Reported(error.error.clone())),
                _ => None,
            };
            self.keep(answer)?;
            match (picked, error) {
                (Some(found), _) => return Ok(found),
                (None, Some(error)) => return Err(error),
                (None, None) => {}
            }
        }
    }

    /// Ends the input, as Kapacitor does when it stops a task.
    pub(super) fn end_input(&mut self) {
        self.input = None;
    }

    /// Ends the input and reads messages until the UDF has closed its output. Errors from the UDF
    /// are ignored.
    pub(super) fn drain(&mut self) -> Result<(), Fault> {
        self.end_input();
        let since = Instant::now();
        loop {
            match self.next("the end of its output", since) {
                Ok(Some(Event::Answer(answer))) => self.keep(answer)?,
                Ok(Some(Event::Empty)) => self.empties += 1,
                Ok(Some(Event::Broken(problem))) => {
                    return Err(Fault::Broken(problem.to_string()));
                }
                Ok(Some(Event::Cut(_)) | None) => return Ok(()),
                Err(Fault::Silence { within, .. }) => return Err(Fault::NeverCloses(within)),
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Does what [`drain`](Self::drain) does, and then waits until a program has exited. A daemon
    /// does not exit.
    pub(super) fn finish(&mut self, is_program: bool) -> Result<Option<Exit>, Fault> {
        self.drain()?;
        if !is_program {
            return Ok(None);
        }
        match self.peer.exit(self.timeout) {
            Some(exited) => Ok(Some(exited)),
            None => Err(Fault::NeverExits(self.timeout)),
        }
    }

    /// Waits for any sign of life.
    pub(super) fn sign(&mut self) -> Result<Sign, Fault> {
        match self.next("a sign of life", Instant::now()) {
            Ok(Some(Event::Answer(Answer::Error(error)))) => Err(Fault::Reported(error.error)),
            Ok(Some(Event::Answer(answer))) => self.keep(answer).map(|()| Sign::Life),
            Ok(Some(Event::Empty)) => Ok(Sign::Life),
            Ok(Some(Event::Broken(problem))) => Err(Fault::Broken(problem.to_string())),
            Ok(Some(Event::Cut(_)) | None) => Ok(Sign::Closed),
            Err(Fault::Silence { .. }) => Ok(Sign::Silence),
            Err(fault) => Err(fault),
        }
    }

    /// Describes the status and the stderr of a program that has closed its output.
    pub(super) fn traces(&self) -> String {
        self.peer.traces(self.timeout)
    }

    /// Returns the number of lines that the UDF has written to stderr.
    pub(super) fn lines(&self) -> usize {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).lines
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let came = |seen: &[Answer]| seen.iter().filter(|answer| is_data(answer)).count();
        if self.sent > 0 && came(&self.seen) == 0 && !self.given_up {
            // A UDF may answer late or at the end of its input. Its errors do not matter here.
            let _ = self.drain();
        }
        self.tally.add(self.sent, came(&self.seen));
    }
}

/// Returns the signal that killed the program, if known.
pub(super) fn signal(exited: Option<Exit>) -> Option<i32> {
    match exited? {
        Exit::Status(status) => status.signal(),
        Exit::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_wait_has_a_total_limit_which_the_option_for_it_sets() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let (stderr, tally) = (Arc::default(), Rc::default());
        // A limit of zero ends every wait at once, whatever has come.
        let mut wire =
            Wire::new(Connection::over(ours).unwrap(), stderr, Duration::ZERO, tally).unwrap();
        let fault = wire.settle().unwrap_err().to_string();
        assert_eq!(
            fault,
            "the echo of a keepalive did not come within 0ns, despite signs of life; \
             give a slow UDF more time with --timeout"
        );
    }
}
