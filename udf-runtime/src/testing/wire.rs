//! A connection with an agent in memory, and what comes over it.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use udf_proto::frame::{self, FrameReader};
use udf_proto::messages::{KeepaliveRequest, Request, request, response};
use udf_proto::{BeginBatch, PointBuf, Points, response as responses};

use super::WholeBatch;
use crate::{Agent, AgentError, Handler, OnUnfit};

/// What a UDF emits, as it came.
#[derive(Debug)]
pub enum Data {
    Point(PointBuf),
    Batch(WholeBatch),
}

enum Heard {
    Data(Data),
    Answer(response::Message),
    Wrong(String),
}

/// Kapacitor's end of a connection.
pub(super) struct Wire {
    /// None once the input has ended.
    input: Option<Sender<Vec<u8>>>,
    heard: Receiver<Heard>,
    ended: Receiver<Result<(), AgentError>>,
    patience: Duration,
    keepalives: i64,
    /// What has come and was not taken yet.
    pub(super) data: VecDeque<Data>,
    /// Why the UDF failed, once it has.
    pub(super) failure: Option<String>,
}

impl Wire {
    /// Starts an agent with `handler` on a thread of its own.
    pub(super) fn connect(
        handler: impl Handler,
        on_unfit: OnUnfit,
        patience: Duration,
    ) -> Result<Self, String> {
        let no_start = |error: io::Error| format!("the UDF could not be started: {error}");
        let (input, requests) = channel();
        let (output, writer) = io::pipe().map_err(no_start)?;
        let (sender, heard) = channel();
        let (end, ended) = channel();
        let reader = Requests { waiting: requests, current: Vec::new(), read: 0 };
        let agent = Agent::new(reader, writer, handler).with_unfit_points(on_unfit);
        // Nobody needs to hear of what comes when the test is over.
        let agent = move || drop(end.send(agent.run()));
        thread::Builder::new().name("udf".to_owned()).spawn(agent).map_err(no_start)?;
        thread::Builder::new()
            .name("udf-output".to_owned())
            .spawn(move || listen(output, &sender))
            .map_err(no_start)?;
        Ok(Wire {
            input: Some(input),
            heard,
            ended,
            patience,
            keepalives: 0,
            data: VecDeque::new(),
            failure: None,
        })
    }

    /// Sends a request. A UDF that has failed does not read it; that is told by what follows.
    pub(super) fn send(&self, message: request::Message) -> Result<(), String> {
        let input = self.input.as_ref().ok_or("the input of the UDF has ended already")?;
        let mut bytes = Vec::new();
        frame::append(&Request { message: Some(message) }, &mut bytes);
        let _ = input.send(bytes);
        Ok(())
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(
        &mut self,
        awaited: &str,
        message: request::Message,
    ) -> Result<response::Message, String> {
        self.send(message)?;
        self.wait(awaited, |answer| match answer {
            response::Message::Keepalive(_) => None,
            answer => Some(answer),
        })
    }

    /// Waits until all that was sent has been handled: the UDF answers in order.
    pub(super) fn sync(&mut self, awaited: &str) -> Result<(), String> {
        self.keepalives += 1;
        let time = self.keepalives;
        self.send(request::Message::Keepalive(KeepaliveRequest { time }))?;
        self.wait(awaited, |answer| match answer {
            response::Message::Keepalive(echo) if echo.time == time => Some(()),
            _ => None,
        })
    }

    /// Whether the UDF still reads, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.input.is_some() && self.failure.is_none()
    }

    fn wait<T>(
        &mut self,
        awaited: &str,
        mut pick: impl FnMut(response::Message) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(answer) = self.hear(deadline, self.patience, awaited)?
                && let Some(picked) = pick(answer)
            {
                return Ok(picked);
            }
        }
    }

    /// Waits for one more point or batch, until `deadline`, which is `within` away.
    pub(super) fn wait_for_data(
        &mut self,
        deadline: Instant,
        within: Duration,
        awaited: &str,
    ) -> Result<(), String> {
        let before = self.data.len();
        while self.data.len() == before {
            self.hear(deadline, within, awaited)?;
        }
        Ok(())
    }

    /// Takes in one thing that comes; returns it if it is an answer.
    fn hear(
        &mut self,
        deadline: Instant,
        within: Duration,
        awaited: &str,
    ) -> Result<Option<response::Message>, String> {
        match self.heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Heard::Data(data)) => {
                self.data.push_back(data);
                Ok(None)
            }
            Ok(Heard::Answer(response::Message::Error(error))) => Err(self.failed(error.error)),
            Ok(Heard::Wrong(error)) => Err(self.failed(error)),
            Ok(Heard::Answer(answer)) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("waited {within:?} in vain for {awaited}"))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("waited for {awaited}, but the UDF has ended"))
            }
        }
    }

    fn failed(&mut self, error: String) -> String {
        let text = self.failure.get_or_insert(error);
        format!("the UDF failed: {text}")
    }

    /// Waits until the UDF fails.
    pub(super) fn wait_for_failure(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + self.patience;
        while self.failure.is_none() {
            if let Err(error) = self.hear(deadline, self.patience, "the UDF to fail")
                && self.failure.is_none()
            {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the input, and waits until the UDF has ended.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.input = None;
        let deadline = Instant::now() + self.patience;
        let awaited = "the UDF to close its side, after its input had ended";
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(Heard::Data(data)) => self.data.push_back(data),
                Ok(Heard::Answer(response::Message::Error(error))) => {
                    self.failure.get_or_insert(error.error);
                }
                Ok(Heard::Wrong(error)) => {
                    self.failure.get_or_insert(error);
                }
                Ok(Heard::Answer(_)) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("waited {:?} in vain for {awaited}", self.patience));
                }
            }
        }
        // Only now `stop` is called.
        match self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Err(error)) => {
                self.failure.get_or_insert(error.to_string());
                Ok(())
            }
            Ok(Ok(())) | Err(RecvTimeoutError::Disconnected) => Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("waited {:?} in vain for the UDF's `stop` to return", self.patience))
            }
        }
    }
}

/// What an agent reads: requests, as long as there is somebody to send them.
struct Requests {
    waiting: Receiver<Vec<u8>>,
    current: Vec<u8>,
    read: usize,
}

impl Read for Requests {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.current.len() {
            let Ok(next) = self.waiting.recv() else { return Ok(0) };
            (self.current, self.read) = (next, 0);
        }
        let read = (&self.current[self.read..]).read(buffer)?;
        self.read += read;
        Ok(read)
    }
}

/// Reads all that the UDF sends, so that it never has to wait for the test.
fn listen(output: PipeReader, heard: &Sender<Heard>) {
    let mut frames = FrameReader::new(output);
    let mut open = None;
    loop {
        let message = match frames.next_frame() {
            Ok(None) => return,
            Ok(Some(frame)) => responses::decode(frame).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let message = match message {
            Ok(message) => message.and_then(|message| gather(message, &mut open)),
            Err(error) => Some(Heard::Wrong(error)),
        };
        let Some(message) = message else { continue };
        let wrong = matches!(message, Heard::Wrong(_));
        if heard.send(message).is_err() || wrong {
            return;
        }
    }
}

/// Puts batches together. That they are balanced is what emitters are for.
fn gather(message: response::Message, open: &mut Option<(BeginBatch, Points)>) -> Option<Heard> {
    Some(match message {
        response::Message::Begin(begin) => {
            *open = Some((begin, Points::new()));
            return None;
        }
        response::Message::Point(point) => {
            let point = PointBuf::from(point);
            match open {
                None => Heard::Data(Data::Point(point)),
                Some((_, points)) => {
                    points.push(&point.as_point());
                    return None;
                }
            }
        }
        response::Message::End(end) => match open.take() {
            None => Heard::Wrong(format!("the end of the batch `{}` without its begin", end.name)),
            Some((begin, points)) => Heard::Data(Data::Batch(WholeBatch {
                name: end.name,
                group: begin.group,
                tags: end.tags,
                by_name: begin.by_name,
                tmax: end.tmax,
                points,
            })),
        },
        answer => Heard::Answer(answer),
    })
}
