//! Who is measured: a UDF, or a raw echo of bytes in its place.

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

use super::{BenchError, PATIENCE};
use crate::{Link, Peer, Target, Transport};

/// Who is measured.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A UDF, which is started with these options.
    Udf {
        /// How it is reached.
        target: Target,
        /// What it is started with.
        init: Init,
        /// The process whose CPU and memory are read, when it is not the one that was spawned or that listens.
        pid: Option<u32>,
    },
    /// Whatever it is sent comes back, byte for byte: over pipes from the program `cat`, over a socket from a
    /// thread. Data has the same members in both directions, so that the bytes are messages there and back.
    Echo(Transport),
}

impl Subject {
    /// A UDF, which is started with these options.
    pub fn udf(target: Target, init: Init) -> Self {
        Subject::Udf { target, init, pid: None }
    }

    /// The echo over the same transport.
    pub fn echo(&self) -> Self {
        match self {
            Subject::Udf { target, .. } => Subject::Echo(target.transport()),
            Subject::Echo(transport) => Subject::Echo(*transport),
        }
    }

    /// A connection that is ready for data.
    pub(super) fn open(&self) -> Result<Lane, BenchError> {
        let link = match self {
            Subject::Udf { target, .. } => target.link(None, PATIENCE).map_err(BenchError::Udf)?,
            Subject::Echo(Transport::Pipe) => {
                Target::program("cat").link(None, PATIENCE).map_err(BenchError::Udf)?
            }
            Subject::Echo(Transport::Socket) => socket_echo().map_err(BenchError::Setup)?,
        };
        let Link { reader, writer, peer } = link;
        let mut lane = Lane { frames: FrameReader::new(reader), writer, peer };
        if let Subject::Udf { init, .. } = self {
            lane = lane.start(init.clone())?;
        }
        Ok(lane)
    }

    /// The process that is to be looked at, when it is not for the lane to say.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Subject::Udf { pid, .. } => *pid,
            Subject::Echo(_) => None,
        }
    }
}

fn socket_echo() -> std::io::Result<Link> {
    let (ours, mut theirs) = UnixStream::pair()?;
    thread::Builder::new().name("echo".to_owned()).spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while let Ok(read @ 1..) = theirs.read(&mut buffer) {
            if theirs.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
    })?;
    Link::over(ours)
}

/// A connection that is measured.
pub(super) struct Lane {
    pub(super) frames: FrameReader<Box<dyn Read + Send>>,
    pub(super) writer: Box<dyn Write + Send>,
    pub(super) peer: Peer,
}

impl Lane {
    /// Sends Init, and waits for the answer.
    fn start(self, init: Init) -> Result<Self, BenchError> {
        let Lane { mut frames, mut writer, peer } = self;
        let mut bytes = Vec::new();
        append(&Request { message: Some(Ask::Init(init.into())) }, &mut bytes);
        let started = move || {
            // What is wrong shows on the other direction.
            let _ = writer.write_all(&bytes).and_then(|()| writer.flush());
            loop {
                match next(&mut frames)? {
                    Seen::Started(None) => return Ok((frames, writer)),
                    Seen::Started(Some(error)) => return Err(BenchError::Refused(error)),
                    _ => {}
                }
            }
        };
        let started = bounded(PATIENCE, || peer.cut(), started);
        let (frames, writer) = started.map_err(|error| error.with_traces(&peer))?;
        Ok(Lane { frames, writer, peer })
    }
}

/// As much of an answer as measurements look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Point,
    BatchEnd,
    Echo(i64),
    /// The answer to Init, and what was wrong if it was refused.
    Started(Option<String>),
    Other,
}

/// What comes next.
pub(super) fn next(frames: &mut FrameReader<impl Read>) -> Result<Seen, BenchError> {
    match next_frame(frames).map_err(BenchError::Broken)? {
        Some(frame) => look(frame).map_err(|error| named(error, frames)),
        None => Err(BenchError::Closed(String::new())),
    }
}

/// The error about a frame that was just taken: what is no message may be text.
pub(super) fn named(error: BenchError, frames: &FrameReader<impl Read>) -> BenchError {
    match error {
        BenchError::Broken(NoMessage::Bytes(problem)) => {
            BenchError::Broken(NoMessage::in_frame(frames, problem))
        }
        error => error,
    }
}

/// What is in a frame; of a point, no more than that it is one.
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
        Ok(None) => Err(broken("a response with nothing in it")),
        Err(error) => Err(broken(error)),
    }
}

fn broken(problem: impl ToString) -> BenchError {
    BenchError::Broken(NoMessage::Bytes(problem.to_string()))
}

/// A keepalive that is told from all others by its time.
pub(super) fn keepalive(time: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&Request { message: Some(Ask::Keepalive(KeepaliveRequest { time })) }, &mut bytes);
    bytes
}

pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), BenchError> {
    let thread = thread::Builder::new().name("bench".to_owned()).spawn(work);
    thread.map(drop).map_err(BenchError::Setup)
}

/// A thread has ended without a word.
pub(super) fn panicked() -> BenchError {
    BenchError::Setup(std::io::Error::other("a thread that measures panicked"))
}

/// Does `work` on a thread of its own; if it takes longer than `within`, it is `cut` short.
pub(super) fn bounded<T: Send + 'static>(
    within: Duration,
    cut: impl FnOnce(),
    work: impl FnOnce() -> Result<T, BenchError> + Send + 'static,
) -> Result<T, BenchError> {
    let (sender, done) = channel();
    spawn(move || {
        // When nobody waits for it any more, it is of no use.
        let _ = sender.send(work());
    })?;
    done.recv_timeout(within).unwrap_or_else(|error| {
        cut();
        Err(match error {
            RecvTimeoutError::Timeout => BenchError::Stuck(PATIENCE),
            RecvTimeoutError::Disconnected => panicked(),
        })
    })
}
