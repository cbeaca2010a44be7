//! Errors of a connection with a UDF, as Kapacitor's side sees them: one variant for each fault.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::EdgeType;
use udf_proto::info::InfoError;
use udf_proto::point::PointError;

/// Why a connection with a UDF, or a request on it, failed.
///
/// The connection keeps its first error: every pending request fails with it, and `stop` returns
/// it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The session was used before `start`, or the connection before `open`.
    #[error("the session is not started")]
    NotStarted,
    /// The session or connection was started or opened a second time.
    #[error("the session has already been started; create a new one for each connection")]
    AlreadyStarted,
    /// The session was used after `stop`.
    #[error("session already stopped")]
    AlreadyStopped,
    /// A sink was set after the Init; see [`Session::data_to`](crate::Session::data_to).
    #[error("the sink of the data must be set before the Init")]
    SinkTooLate,
    /// The [sink](crate::Sink) of the data failed.
    #[error("the data of the UDF could not be passed on: {0}")]
    Sink(Arc<io::Error>),
    /// The owner aborted the connection for this reason.
    #[error("{0}")]
    Aborted(String),
    /// The UDF refused its options. Holds the text of the UDF.
    #[error("the UDF refused its options: {0}")]
    InitRefused(String),
    /// The UDF refused the snapshot. Holds the text of the UDF.
    #[error("the UDF refused to restore the snapshot: {0}")]
    RestoreRefused(String),
    /// The Info response names an edge or a type that does not exist.
    #[error("the Info answer of the UDF is invalid: {0}")]
    BadInfo(InfoError),
    /// The UDF sent an ErrorResponse. Holds the text of the UDF.
    #[error("the UDF failed: {0}")]
    Reported(String),

    /// No message came from the UDF within the timeout.
    #[error(
        "keepalive timedout: no message from the UDF for {timeout:?}; \
         a UDF must answer keepalives while it works"
    )]
    KeepaliveTimedout {
        /// The timeout.
        timeout: Duration,
    },
    /// The UDF is alive but did not answer a request.
    #[error("the UDF did not answer the {asked} request within {within:?}")]
    NoAnswer {
        /// The request.
        asked: RequestKind,
        /// The time limit.
        within: Duration,
    },
    /// The UDF answered another request than the pending one. Kapacitor would wait forever.
    #[error("the UDF answered {got} to the {asked} request")]
    WrongAnswer {
        /// The oldest request without an answer.
        asked: RequestKind,
        /// The answer that came.
        got: RequestKind,
    },
    /// The UDF did not close its output after the end of its input. Kapacitor's task would never
    /// stop.
    #[error("the UDF did not close its output within {within:?} after the end of its input")]
    NeverCloses {
        /// The time limit.
        within: Duration,
    },
    /// The program closed its output but kept running, and was killed.
    #[error("the program was still running {within:?} after it closed its output, and was killed")]
    NeverExits {
        /// The time limit.
        within: Duration,
    },
    /// The owner did not read the UDF's points or batches, so the UDF could not finish.
    #[error("{what} of the UDF were still unread {within:?} after the end of its input")]
    NotRead {
        /// `points`, `batches`, or `data` for a [sink](crate::Sink).
        what: &'static str,
        /// The time limit.
        within: Duration,
    },

    /// The UDF sent an EndBatch without a BeginBatch. Kapacitor would crash.
    #[error("the UDF ended the batch `{name}` without beginning it")]
    EndWithoutBegin {
        /// The name in the EndBatch.
        name: String,
    },
    /// The UDF sent a BeginBatch while a batch was open.
    #[error("the UDF began the batch `{name}` before it ended the batch `{open}`")]
    BeginWithinBatch {
        /// The name of the open batch.
        open: String,
        /// The name in the new BeginBatch.
        name: String,
    },
    /// The UDF sent a point or batch before Init.
    #[error("the UDF sent {what} before it was initialized")]
    DataBeforeInit {
        /// `a point`, `the begin of a batch`, `the end of a batch`.
        what: &'static str,
    },
    /// The UDF sent data of a kind of edge that it does not provide.
    #[error("the UDF sent {what}, but its edge is {provides}")]
    WrongEdge {
        /// `a point outside of a batch`, `a batch`.
        what: &'static str,
        /// The edge that the UDF says it provides, or that its owner reads.
        provides: EdgeType,
    },
    /// The UDF sent a BeginBatch with a size that is negative or over the limit. Kapacitor would
    /// panic.
    #[error(
        "the UDF began the batch `{name}` with the size {size}; the size must be 0 to {limit}, \
         or 0 if it is unknown"
    )]
    BadBatchSize {
        /// The name of the batch.
        name: String,
        /// The announced size.
        size: i64,
        /// The limit in points.
        limit: usize,
    },
    /// A batch exceeded a limit.
    #[error("the batch `{name}` of the UDF exceeds the limit of {limit}")]
    BatchTooLarge {
        /// The name of the batch.
        name: String,
        /// The exceeded limit, in points or in bytes.
        limit: Limit,
    },
    /// The UDF sent a Response with no message, or with a message of an unknown kind. Kapacitor
    /// would panic.
    #[error("the UDF sent an empty response: it holds no message of a known kind")]
    EmptyResponse,
    /// The UDF printed text to stdout, among the messages. Holds the first line of the text.
    #[error(
        "the UDF printed text where only protocol frames may go: `{0}`; \
         print to stderr, not to stdout"
    )]
    Text(String),
    /// The UDF sent a frame that is not a Response.
    #[error("the UDF sent {length} bytes that are not a response: {problem}; {STDOUT}")]
    MalformedResponse {
        /// The length of the frame.
        length: usize,
        /// The decoding error.
        problem: String,
    },
    /// The UDF sent a frame with an invalid point.
    #[error("the UDF sent a {0}")]
    MalformedPoint(PointError),
    /// The UDF announced a frame over the length limit. The frame was not read.
    #[error(
        "the UDF announced a message of {length} bytes, over the limit of {limit} bytes; {STDOUT}"
    )]
    FrameTooLong {
        /// The announced length.
        length: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The length of a frame is not a varint of at most 64 bits.
    #[error("the UDF sent an endless frame length; {STDOUT}")]
    BadFrameLength,
    /// The output of the UDF ended within a message.
    #[error("the UDF closed its output within a message ({0})")]
    FrameCut(String),
    /// The output of the UDF ended within a batch.
    #[error("the UDF closed its output within the batch `{name}`")]
    ClosedInBatch {
        /// The name of the batch.
        name: String,
    },
    /// The output of the UDF ended while the connection was in use.
    #[error("the UDF closed its output while it was in use")]
    ClosedEarly,

    /// The program of the UDF exited while the connection was in use, or exited with a failure.
    #[error("process exited unexpectedly: {status}{}{}", before(.found), wrote(.said))]
    Exited {
        /// The [exit](crate::process::Exit) as text: `exit status: 3`.
        status: String,
        /// The error that the connection showed, if it says more than the exit.
        found: Option<Box<Error>>,
        /// The most telling line of stderr, if any: the line of a panic, or the last line.
        said: Option<String>,
    },
    /// The code of a UDF in this process ended while the connection was in use, or ended with a
    /// failure.
    #[error("the UDF ended unexpectedly: {0}")]
    Ended(String),
    /// Reading from the UDF failed.
    #[error("reading from the UDF failed: {0}")]
    Read(Arc<io::Error>),
    /// Writing to the UDF failed.
    #[error("writing to the UDF failed: {0}")]
    Write(Arc<io::Error>),
    /// The program of the UDF could not be started.
    #[error("cannot start the program `{}`: {error}", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The error of the operating system.
        error: Arc<io::Error>,
    },
    /// The connection to the UDF's socket failed.
    #[error(
        "cannot connect to the socket `{}` within {within:?}: {error}; check that the UDF is running",
        .path.display()
    )]
    Connect {
        /// The path of the socket.
        path: PathBuf,
        /// How long the host tried to connect.
        within: Duration,
        /// The error of the last attempt.
        error: Arc<io::Error>,
    },
    /// The operating system refused a thread or a pipe for the connection.
    #[error("cannot set up the connection: {0}")]
    Setup(Arc<io::Error>),
    /// A thread of the connection panicked. The cause is a callback or a bug in this library.
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

/// The usual source of bytes that are not a message.
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
    /// Asks for the edges and options of the UDF.
    Info,
    /// Starts the UDF with its options.
    Init,
    /// Asks for the state of the UDF.
    Snapshot,
    /// Hands back an earlier state.
    Restore,
    /// Asks for a sign of life.
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
    /// A number of points.
    Points(usize),
    /// A number of bytes.
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
