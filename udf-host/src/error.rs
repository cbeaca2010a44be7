//! What can go wrong with a UDF, seen from Kapacitor's side: one name for each fault.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::EdgeType;
use udf_proto::info::InfoError;
use udf_proto::point::PointError;

/// Why a connection with a UDF failed, or a request on it.
///
/// The first error of a connection is kept: every pending request fails with it, and `stop` returns
/// it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server was used before it was started, or the connection before it was opened.
    #[error("the server is not started")]
    NotStarted,
    /// It was started, or opened, a second time.
    #[error("the server was started already; make a new one for each connection")]
    AlreadyStarted,
    /// It was used after `stop`.
    #[error("server already stopped")]
    AlreadyStopped,
    /// The owner aborted it, and gave this reason.
    #[error("{0}")]
    Aborted(String),
    /// The UDF refused its options; the text is the UDF's own.
    #[error("the UDF refused its options: {0}")]
    InitRefused(String),
    /// The UDF did not take the snapshot; the text is the UDF's own.
    #[error("the UDF refused to restore the snapshot: {0}")]
    RestoreRefused(String),
    /// The Info answer names an edge or a type that does not exist.
    #[error("the UDF describes itself wrongly: {0}")]
    BadInfo(InfoError),
    /// The UDF sent an ErrorResponse; the text is the UDF's own.
    #[error("the UDF failed: {0}")]
    Reported(String),

    /// Nothing came from the UDF within the timeout.
    #[error(
        "keepalive timedout: nothing came from the UDF for {timeout:?}; \
         it must answer keepalives while it works, or be given a longer timeout"
    )]
    KeepaliveTimedout {
        /// The timeout that is set.
        timeout: Duration,
    },
    /// The UDF is alive but did not answer a request.
    #[error("the UDF did not answer the {asked} request within {within:?}")]
    NoAnswer {
        /// What was asked.
        asked: RequestKind,
        /// How long was waited.
        within: Duration,
    },
    /// The UDF answered another question than the one that was asked. Kapacitor would wait for ever.
    #[error("the UDF answered {got} where {asked} was asked")]
    WrongAnswer {
        /// The oldest request without an answer.
        asked: RequestKind,
        /// What came.
        got: RequestKind,
    },
    /// The UDF did not close its side after its input had ended. Kapacitor's task would never stop.
    #[error("the UDF did not close its side within {within:?} after its input had ended")]
    NeverCloses {
        /// How long was waited.
        within: Duration,
    },
    /// The program closed its side but went on running, and was killed.
    #[error("the program had not exited {within:?} after it closed its side, and was killed")]
    NeverExits {
        /// How long was waited.
        within: Duration,
    },
    /// What the UDF sent was not read by the owner, so that the UDF could not come to an end.
    #[error("{what} of the UDF were still not read {within:?} after its input had ended")]
    NotRead {
        /// `points` or `batches`.
        what: &'static str,
        /// How long was waited.
        within: Duration,
    },

    /// An EndBatch without a BeginBatch before it. Kapacitor would crash.
    #[error("the UDF ended the batch `{name}` without having begun it")]
    EndWithoutBegin {
        /// The name in the EndBatch.
        name: String,
    },
    /// A BeginBatch while a batch is open.
    #[error("the UDF began the batch `{name}` within the batch `{open}`, which it had not ended")]
    BeginWithinBatch {
        /// The name of the batch that is open.
        open: String,
        /// The name in the new BeginBatch.
        name: String,
    },
    /// A point or batch before the UDF was asked to start.
    #[error("the UDF sent {what} before it was initialized")]
    DataBeforeInit {
        /// `a point`, `the begin of a batch`, `the end of a batch`.
        what: &'static str,
    },
    /// Data of the kind of edge that the UDF does not provide.
    #[error("the UDF sent {what}, but its edge is {provides}")]
    WrongEdge {
        /// `a point outside of a batch`, `a batch`.
        what: &'static str,
        /// The edge that it says it provides, or that its owner reads.
        provides: EdgeType,
    },
    /// A BeginBatch with a size that is negative or over the limit. Kapacitor would panic.
    #[error(
        "the UDF began the batch `{name}` with the size {size}; it must be 0 to {limit}, \
         and 0 if it is not known"
    )]
    BadBatchSize {
        /// The name of the batch.
        name: String,
        /// The size that was announced.
        size: i64,
        /// The limit that is set.
        limit: usize,
    },
    /// A batch went on beyond the limits.
    #[error("the batch `{name}` of the UDF is over the limit of {limit}")]
    BatchTooLarge {
        /// The name of the batch.
        name: String,
        /// The limit that was hit, in points or in bytes.
        limit: Limit,
    },
    /// A Response with nothing set, or of a kind that does not exist. Kapacitor would panic.
    #[error("the UDF sent an empty response: it has no message that this protocol knows")]
    EmptyResponse,
    /// Text among the messages, as a program prints it to stdout; this is its first line.
    #[error(
        "the UDF printed text where only protocol frames may go: `{0}`; \
         print to stderr, not to stdout"
    )]
    Text(String),
    /// A frame that is no Response.
    #[error("the UDF sent {length} bytes that are no response: {problem}; {STDOUT}")]
    MalformedResponse {
        /// The length of the frame.
        length: usize,
        /// What is wrong.
        problem: String,
    },
    /// A frame with a point that is none.
    #[error("the UDF sent a {0}")]
    MalformedPoint(PointError),
    /// A frame with a length over the limit; nothing of it was read.
    #[error(
        "the UDF announced a message of {length} bytes, over the limit of {limit} bytes; {STDOUT}"
    )]
    FrameTooLong {
        /// The length that was announced.
        length: u64,
        /// The limit that is set.
        limit: usize,
    },
    /// The length of a frame is no varint of up to 64 bits.
    #[error("the UDF sent a length that does not end; {STDOUT}")]
    BadFrameLength,
    /// The output of the UDF ended within a message.
    #[error("the UDF closed its side within a message ({0})")]
    FrameCut(String),
    /// The output of the UDF ended within a batch.
    #[error("the UDF closed its side within the batch `{name}`")]
    ClosedInBatch {
        /// The name of the batch.
        name: String,
    },
    /// The output of the UDF ended while it was in use.
    #[error("the UDF closed its side while it was in use")]
    ClosedEarly,

    /// The program of the UDF ended while it was in use, or not with success.
    #[error("process exited unexpectedly: {status}{}{}", before(.found), wrote(.said))]
    Exited {
        /// The [exit](crate::process::Exit) in words: `exit status: 3`.
        status: String,
        /// What the connection showed of it, if that tells more.
        found: Option<Box<Error>>,
        /// The line of stderr that tells most, if there is one: that of a panic, or the last.
        said: Option<String>,
    },
    /// The code of a UDF in this process ended while it was in use, or not with success.
    #[error("the UDF ended unexpectedly: {0}")]
    Ended(String),
    /// Reading from the UDF failed.
    #[error("reading from the UDF failed: {0}")]
    Read(Arc<io::Error>),
    /// Writing to the UDF failed.
    #[error("writing to the UDF failed: {0}")]
    Write(Arc<io::Error>),
    /// The program of the UDF could not be started.
    #[error("the program `{}` could not be started: {error}", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        error: Arc<io::Error>,
    },
    /// The socket of the UDF could not be connected to.
    #[error(
        "no connection to the socket `{}` within {within:?}: {error}; is the UDF running?",
        .path.display()
    )]
    Connect {
        /// The path of the socket.
        path: PathBuf,
        /// How long it was tried.
        within: Duration,
        /// How the last try failed.
        error: Arc<io::Error>,
    },
    /// The machine gave no thread or no pipe for the connection.
    #[error("the connection could not be set up: {0}")]
    Setup(Arc<io::Error>),
    /// A thread of the connection panicked: a callback did, or this library is wrong.
    #[error("the thread that {0} panicked")]
    Panicked(&'static str),
}

impl From<InfoError> for Error {
    fn from(error: InfoError) -> Self {
        Error::BadInfo(error)
    }
}

impl From<PointError> for Error {
    fn from(error: PointError) -> Self {
        Error::MalformedPoint(error)
    }
}

/// Where bytes that are no message usually come from.
const STDOUT: &str = "if it prints to stdout, print to stderr";

fn before(found: &Option<Box<Error>>) -> String {
    found.as_ref().map_or(String::new(), |found| format!(" ({found})"))
}

fn wrote(said: &Option<String>) -> String {
    said.as_ref().map_or(String::new(), |line| format!("; it wrote to stderr: {line}"))
}

/// A request that has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// What is this UDF?
    Info,
    /// Start with these options.
    Init,
    /// Hand out the state.
    Snapshot,
    /// Take this state.
    Restore,
    /// A sign of life, which was awaited.
    Keepalive,
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RequestKind::Info => "Info",
            RequestKind::Init => "Init",
            RequestKind::Snapshot => "Snapshot",
            RequestKind::Restore => "Restore",
            RequestKind::Keepalive => "Keepalive",
        })
    }
}

/// A limit of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// So many points.
    Points(usize),
    /// So many bytes.
    Bytes(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Points(points) => write!(f, "{points} points"),
            Limit::Bytes(bytes) => write!(f, "{bytes} bytes"),
        }
    }
}
