//! One connection of a check: anything can be sent, whatever comes is taken, and every wait is bounded.

use std::fmt;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use udf_host::diagnosis::{NoMessage, next_frame};
use udf_proto::frame::{FrameReader, append};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    InfoRequest, InfoResponse, InitRequest, InitResponse, KeepaliveRequest, Request,
    RestoreRequest, RestoreResponse, SnapshotRequest,
};
use udf_proto::{Init, response};

use crate::{Link, Peer};

/// No check causes more answers than this; a UDF that sends more does not stop by itself.
const MOST_ANSWERS: usize = 200_000;

/// What a UDF has written to stderr.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How many lines.
    pub(super) lines: usize,
    /// The length of the longest, in bytes.
    pub(super) longest: usize,
    /// The length of the line that has not ended.
    open: usize,
}

impl Heard {
    pub(super) fn hear(&mut self, line: &str, cut: bool) {
        self.open += line.len();
        self.longest = self.longest.max(self.open);
        if !cut {
            self.lines += 1;
            self.open = 0;
        }
    }
}

/// What came over the connection: an answer, a Response with nothing set, or bytes that are no message, after which
/// nothing can be read.
type Event = Result<Option<Answer>, String>;

/// What keeps a check from going on. As text, it says what was seen.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    NoConnection(String),
    Silence { awaited: String, within: Duration },
    Closed { awaited: String, traces: String },
    WrongAnswer { awaited: String, got: &'static str },
    Broken(String),
    Reported(String),
    Refused(String),
    NeverCloses(Duration),
    NeverExits(Duration),
    Flood,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoConnection(error) => write!(f, "no connection: {error}"),
            Trouble::Silence { awaited, within } => {
                write!(f, "{awaited} did not come within {within:?}")
            }
            Trouble::Closed { awaited, traces } => {
                write!(f, "it closed its side where {awaited} was awaited{traces}")
            }
            Trouble::WrongAnswer { awaited, got } => {
                write!(f, "{awaited} was awaited, and {got} came")
            }
            Trouble::Broken(problem) => f.write_str(problem),
            Trouble::Reported(text) => write!(f, "it reported an error: {}", one_line(text)),
            Trouble::Refused(text) => write!(f, "it refused its options: {}", one_line(text)),
            Trouble::NeverCloses(within) => {
                write!(f, "it did not close its side within {within:?} after its input had ended")
            }
            Trouble::NeverExits(within) => {
                write!(f, "it closed its side, but did not exit within {within:?}")
            }
            Trouble::Flood => write!(f, "it sent more than {MOST_ANSWERS} messages, and went on"),
        }
    }
}

/// Text of a UDF as part of a line.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut line: String = words.join(" ").chars().take(300).collect();
    if line.is_empty() {
        line.push_str("(no text)");
    }
    line
}

/// A request as a frame.
pub(super) fn frame(message: Ask) -> Vec<u8> {
    let mut out = Vec::new();
    append(&Request { message: Some(message) }, &mut out);
    out
}

/// The kind of an answer.
pub(super) fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Info(_) => "an Info answer",
        Answer::Init(_) => "an Init answer",
        Answer::Keepalive(_) => "a keepalive",
        Answer::Snapshot(_) => "a Snapshot answer",
        Answer::Restore(_) => "a Restore answer",
        Answer::Error(_) => "an error",
        Answer::Begin(_) => "the begin of a batch",
        Answer::Point(_) => "a point",
        Answer::End(_) => "the end of a batch",
    }
}

/// Whether Kapacitor expects it only when it has asked.
pub(super) fn is_answer(answer: &Answer) -> bool {
    matches!(answer, Answer::Info(_) | Answer::Init(_) | Answer::Snapshot(_) | Answer::Restore(_))
}

/// Whether it is data.
pub(super) fn is_data(answer: &Answer) -> bool {
    matches!(answer, Answer::Begin(_) | Answer::Point(_) | Answer::End(_))
}

/// Nothing came in time.
struct Silence;

/// One connection.
pub(super) struct Wire {
    input: Option<Sender<Vec<u8>>>,
    output: Receiver<Event>,
    ended: bool,
    peer: Peer,
    heard: Arc<Mutex<Heard>>,
    patience: Duration,
    /// Nothing is waited for beyond it.
    deadline: Instant,
    keepalives: i64,
    /// Everything that came, in its order.
    pub(super) seen: Vec<Answer>,
    /// How many responses with nothing set came.
    pub(super) empties: usize,
}

impl Wire {
    pub(super) fn new(
        link: Link,
        heard: Arc<Mutex<Heard>>,
        patience: Duration,
        deadline: Instant,
    ) -> std::io::Result<Self> {
        let Link { reader, mut writer, peer } = link;
        let (input, chunks) = channel::<Vec<u8>>();
        thread::Builder::new().name("check-write".to_owned()).spawn(move || {
            for chunk in chunks {
                // What is wrong shows on the other direction.
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
                    Ok(Some(frame)) => {
                        response::decode(frame).map_err(|error| NoMessage::in_frame(&frames, error))
                    }
                    Err(error) => Err(error),
                };
                let event = event.map_err(|error| error.to_string());
                let last = event.is_err();
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
            heard,
            patience,
            deadline,
            keepalives: 0,
            seen: Vec::new(),
            empties: 0,
        })
    }

    /// Sends these bytes, in one write; it does not wait until they are read.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        if let Some(input) = &self.input {
            // When nobody writes any more, the other direction shows why.
            let _ = input.send(bytes);
        }
    }

    pub(super) fn ask(&self, message: Ask) {
        self.send(frame(message));
    }

    /// Takes the next thing that comes; none when all of it has.
    fn next(&mut self, within: Duration) -> Result<Option<Event>, Silence> {
        if self.ended {
            return Ok(None);
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.output.recv_timeout(within.min(left)) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Disconnected) => {
                self.ended = true;
                Ok(None)
            }
            Err(RecvTimeoutError::Timeout) => Err(Silence),
        }
    }

    /// Takes what comes until `pick` finds what it looks for. An error that the UDF reports ends it.
    pub(super) fn until<T>(
        &mut self,
        awaited: &str,
        mut pick: impl FnMut(&Answer) -> Option<T>,
    ) -> Result<T, Trouble> {
        let patience = self.patience;
        let until = crate::deadline(patience);
        loop {
            let event = self.next(until.saturating_duration_since(Instant::now()));
            let answer = match event {
                Ok(Some(Ok(Some(answer)))) => answer,
                Ok(Some(Ok(None))) => {
                    self.empties += 1;
                    continue;
                }
                Ok(Some(Err(problem))) => return Err(Trouble::Broken(problem)),
                Ok(None) => {
                    let (awaited, traces) = (awaited.to_owned(), self.traces());
                    return Err(Trouble::Closed { awaited, traces });
                }
                Err(Silence) => {
                    return Err(Trouble::Silence { awaited: awaited.to_owned(), within: patience });
                }
            };
            let picked = pick(&answer);
            let trouble = match &answer {
                _ if picked.is_some() => None,
                Answer::Error(error) => Some(Trouble::Reported(error.error.clone())),
                _ if self.seen.len() >= MOST_ANSWERS => Some(Trouble::Flood),
                _ => None,
            };
            self.seen.push(answer);
            match (picked, trouble) {
                (Some(found), _) => return Ok(found),
                (None, Some(trouble)) => return Err(trouble),
                (None, None) => {}
            }
        }
    }

    /// Asks, and takes what comes until an answer does; one of another kind is a trouble.
    fn answer<T>(
        &mut self,
        ask: Ask,
        awaited: &str,
        mut pick: impl FnMut(&Answer) -> Option<T>,
    ) -> Result<T, Trouble> {
        self.ask(ask);
        self.until(awaited, |answer| match pick(answer) {
            Some(found) => Some(Ok(found)),
            None if is_answer(answer) => Some(Err(kind(answer))),
            None => None,
        })?
        .map_err(|got| Trouble::WrongAnswer { awaited: awaited.to_owned(), got })
    }

    pub(super) fn info(&mut self) -> Result<InfoResponse, Trouble> {
        self.answer(Ask::Info(InfoRequest {}), "an answer to Info", |answer| match answer {
            Answer::Info(info) => Some(info.clone()),
            _ => None,
        })
    }

    pub(super) fn init(&mut self, init: Init) -> Result<InitResponse, Trouble> {
        self.raw_init(init.into())
    }

    pub(super) fn raw_init(&mut self, init: InitRequest) -> Result<InitResponse, Trouble> {
        self.answer(Ask::Init(init), "an answer to Init", |answer| match answer {
            Answer::Init(init) => Some(init.clone()),
            _ => None,
        })
    }

    pub(super) fn snapshot(&mut self) -> Result<Vec<u8>, Trouble> {
        self.answer(Ask::Snapshot(SnapshotRequest {}), "an answer to Snapshot", |answer| {
            match answer {
                Answer::Snapshot(snapshot) => Some(snapshot.snapshot.clone()),
                _ => None,
            }
        })
    }

    pub(super) fn restore(&mut self, snapshot: Vec<u8>) -> Result<RestoreResponse, Trouble> {
        let ask = Ask::Restore(RestoreRequest { snapshot });
        self.answer(ask, "an answer to Restore", |answer| match answer {
            Answer::Restore(restore) => Some(restore.clone()),
            _ => None,
        })
    }

    /// Sends a keepalive, and takes what comes until its echo does.
    pub(super) fn echo(&mut self, time: i64) -> Result<(), Trouble> {
        self.ask(Ask::Keepalive(KeepaliveRequest { time }));
        self.until("the echo of a keepalive", |answer| match answer {
            Answer::Keepalive(echo) if echo.time == time => Some(()),
            _ => None,
        })
    }

    /// A keepalive with a time of its own, which no other one of this connection has.
    pub(super) fn new_keepalive(&mut self) -> i64 {
        self.keepalives += 1;
        crate::sample::START + self.keepalives
    }

    /// Takes what comes until everything that was sent so far is read.
    pub(super) fn settle(&mut self) -> Result<(), Trouble> {
        let time = self.new_keepalive();
        self.echo(time)
    }

    /// Ends the input, as Kapacitor does when it stops a task.
    pub(super) fn end_input(&mut self) {
        self.input = None;
    }

    /// Ends the input, and takes what still comes until the UDF has closed its side. Its errors are not looked at.
    pub(super) fn drain(&mut self) -> Result<(), Trouble> {
        self.end_input();
        let patience = self.patience;
        loop {
            match self.next(patience) {
                Ok(Some(Ok(Some(answer)))) if self.seen.len() < MOST_ANSWERS => {
                    self.seen.push(answer);
                }
                Ok(Some(Ok(Some(_)))) => return Err(Trouble::Flood),
                Ok(Some(Ok(None))) => self.empties += 1,
                Ok(Some(Err(problem))) => return Err(Trouble::Broken(problem)),
                Ok(None) => return Ok(()),
                Err(Silence) => return Err(Trouble::NeverCloses(patience)),
            }
        }
    }

    /// As [`drain`](Self::drain), and waits until a program has exited; a daemon has no status.
    pub(super) fn finish(&mut self, is_program: bool) -> Result<Option<ExitStatus>, Trouble> {
        self.drain()?;
        if !is_program {
            return Ok(None);
        }
        match self.peer.exit(self.patience) {
            Some(status) => Ok(Some(status)),
            None => Err(Trouble::NeverExits(self.patience)),
        }
    }

    /// Waits for any sign of life; false when none came within this time, and none when it has closed.
    pub(super) fn sign(&mut self, within: Duration) -> Result<Option<bool>, Trouble> {
        match self.next(within) {
            Ok(Some(Ok(Some(Answer::Error(error))))) => Err(Trouble::Reported(error.error)),
            Ok(Some(Ok(Some(answer)))) => {
                if self.seen.len() >= MOST_ANSWERS {
                    return Err(Trouble::Flood);
                }
                self.seen.push(answer);
                Ok(Some(true))
            }
            Ok(Some(Ok(None))) => Ok(Some(true)),
            Ok(Some(Err(problem))) => Err(Trouble::Broken(problem)),
            Ok(None) => Ok(None),
            Err(Silence) => Ok(Some(false)),
        }
    }

    /// What a program that has closed its side left behind: its status, and what it wrote to stderr.
    pub(super) fn traces(&self) -> String {
        self.peer.traces()
    }

    /// How many lines it has written to stderr.
    pub(super) fn lines(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).lines
    }
}

/// The signal that a program died of.
pub(super) fn signal(status: Option<ExitStatus>) -> Option<i32> {
    status.and_then(|status| status.signal())
}
