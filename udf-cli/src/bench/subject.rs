//! The measured side: a UDF, or a raw byte echo in its place.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use udf_host::diagnosis::{NoMessage, next_frame};
use udf_proto::Init;
use udf_proto::frame::{FrameReader, append};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, Request};
use udf_proto::response;

use super::{BenchError, TIMEOUT};
use crate::{Connection, Peer, Target, Transport};

/// The measured side.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A UDF, started with these options.
    Udf {
        /// How to connect to the UDF.
        target: Target,
        /// The Init of the UDF.
        init: Init,
        /// The process whose CPU and memory are measured. Defaults to the spawned or listening
        /// process.
        pid: Option<u32>,
    },
    /// An echo that sends back every byte: the program `cat` over pipes, or a thread over a socket.
    /// Data has the same members in both directions, so the bytes are valid messages both ways.
    Echo(Transport),
}

impl Subject {
    /// Creates a UDF that is started with these options.
    pub fn udf(target: Target, init: Init) -> Self {
        Subject::Udf { target, init, pid: None }
    }

    /// Returns the echo over the same transport.
    pub fn echo(&self) -> Self {
        match self {
            Subject::Udf { target, .. } => Subject::Echo(target.transport()),
            Subject::Echo(transport) => Subject::Echo(*transport),
        }
    }

    /// Opens a connection that is ready for data.
    pub(super) fn open(&self) -> Result<Lane, BenchError> {
        let link = match self {
            Subject::Udf { target, .. } => target.link(None, TIMEOUT).map_err(BenchError::Udf)?,
            Subject::Echo(Transport::Pipe) => {
                Target::program("cat").link(None, TIMEOUT).map_err(BenchError::Udf)?
            }
            Subject::Echo(Transport::Socket) => socket_echo().map_err(BenchError::Setup)?,
        };
        let Connection { reader, writer, peer } = link;
        let mut lane = Lane { frames: FrameReader::new(reader), writer, peer };
        if let Subject::Udf { init, .. } = self {
            lane = lane.start(init.clone())?;
        }
        Ok(lane)
    }

    /// Returns the process to measure, if it is not the one of the connection.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Subject::Udf { pid, .. } => *pid,
            Subject::Echo(_) => None,
        }
    }
}

fn socket_echo() -> std::io::Result<Connection> {
    let (ours, mut theirs) = UnixStream::pair()?;
    thread::Builder::new().name("echo".to_owned()).spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(read @ 1..) = theirs.read(&mut buffer) {
            if theirs.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
    })?;
    Connection::over(ours)
}

/// A measured connection.
pub(super) struct Lane {
    pub(super) frames: FrameReader<Box<dyn Read + Send>>,
    pub(super) writer: Box<dyn Write + Send>,
    pub(super) peer: Peer,
}

impl Lane {
    /// Sends Init and waits for the answer.
    fn start(self, init: Init) -> Result<Self, BenchError> {
        let Lane { mut frames, mut writer, peer } = self;
        let mut bytes = Vec::new();
        append(&Request { message: Some(Ask::Init(init.into())) }, &mut bytes);
        let started = move || {
            // The reading direction shows the cause of a failed write.
            let _ = writer.write_all(&bytes).and_then(|()| writer.flush());
            loop {
                match next(&mut frames)? {
                    Seen::Started(None) => return Ok((frames, writer)),
                    Seen::Started(Some(error)) => return Err(BenchError::Refused(error)),
                    _ => {}
                }
            }
        };
        let started = bounded(TIMEOUT, || peer.cut(), started);
        let (frames, writer) = started.map_err(|error| error.with_traces(&peer))?;
        Ok(Lane { frames, writer, peer })
    }
}

/// The part of an answer that measurements inspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Point,
    BatchEnd,
    Echo(i64),
    /// The answer to Init, with the text of a refusal.
    Started(Option<String>),
    Other,
}

/// Returns the next answer.
pub(super) fn next(frames: &mut FrameReader<impl Read>) -> Result<Seen, BenchError> {
    match next_frame(frames).map_err(BenchError::Broken)? {
        Some(frame) => look(frame).map_err(|error| named(error, frames)),
        None => Err(BenchError::Closed(String::new())),
    }
}

/// Returns the error about the last frame. An invalid frame may be text.
pub(super) fn named(error: BenchError, frames: &FrameReader<impl Read>) -> BenchError {
    match error {
        BenchError::Broken(NoMessage::Bytes(problem)) => {
            BenchError::Broken(NoMessage::in_frame(frames, problem))
        }
        error => error,
    }
}

/// Inspects a frame. A point is not decoded.
#[inline]
pub(super) fn look(frame: &[u8]) -> Result<Seen, BenchError> {
    if response::point_bytes(frame).is_some() {
        return Ok(Seen::Point);
    }
    match response::decode(frame) {
        Ok(Some(Answer::Point(_))) => Ok(Seen::Point),
        Ok(Some(Answer::End(_))) => Ok(Seen::BatchEnd),
        Ok(Some(Answer::Keepalive(echo))) => Ok(Seen::Echo(echo.time)),
        Ok(Some(Answer::Init(init))) => Ok(Seen::Started((!init.success).then_some(init.error))),
        Ok(Some(Answer::Error(error))) => Err(BenchError::Reported(error.error)),
        Ok(Some(_)) => Ok(Seen::Other),
        Ok(None) => Err(broken("an empty response")),
        Err(error) => Err(broken(error)),
    }
}

fn broken(problem: impl ToString) -> BenchError {
    BenchError::Broken(NoMessage::Bytes(problem.to_string()))
}

/// Returns a keepalive, distinguished from all others by its time.
pub(super) fn keepalive(time: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&Request { message: Some(Ask::Keepalive(KeepaliveRequest { time })) }, &mut bytes);
    bytes
}

pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), BenchError> {
    let thread = thread::Builder::new().name("bench".to_owned()).spawn(work);
    thread.map(drop).map_err(BenchError::Setup)
}

/// Returns the error of a thread that ended without a result.
pub(super) fn panicked() -> BenchError {
    BenchError::Setup(std::io::Error::other("a measuring thread panicked"))
}

/// Runs `work` on a separate thread. If it takes longer than `within`, calls `cut`.
pub(super) fn bounded<T: Send + 'static>(
    within: Duration,
    cut: impl FnOnce(),
    work: impl FnOnce() -> Result<T, BenchError> + Send + 'static,
) -> Result<T, BenchError> {
    let (sender, done) = channel();
    spawn(move || {
        // The receiver is gone if it has stopped waiting.
        let _ = sender.send(work());
    })?;
    done.recv_timeout(within).unwrap_or_else(|error| {
        cut();
        Err(match error {
            RecvTimeoutError::Timeout => BenchError::Stuck(TIMEOUT),
            RecvTimeoutError::Disconnected => panicked(),
        })
    })
}
