//! The errors that end an agent before its input ends.

use std::io;
use std::time::Duration;

use udf_proto::frame::FrameError;
use udf_proto::request::RequestError;

use crate::agent::error::{Error, chain};
use crate::agent::link::{EmitError, Link};
use crate::agent::pulse::Call;

/// The reason why an agent ended before its input did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The input is not a sequence of frames. The position of the next frame is unknown.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A request exceeds the limit that applies before Init.
    #[error(
        "a request of {length} bytes before Init exceeds the limit of {limit} bytes; raise \
         --init-limit if a task has options of that size"
    )]
    LongBeforeInit {
        /// The length of the request in bytes.
        length: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// No Init arrived within the time limit.
    #[error(
        "no Init arrived within {within:?} of the connection; raise --init-timeout if the peer needs longer"
    )]
    NoInit {
        /// The time limit.
        within: Duration,
    },
    /// A request that needs memory beyond the connection's own buffer did not arrive in time.
    #[error(
        "a large request did not arrive within {within:?}; raise --request-timeout if the peer needs longer"
    )]
    Unfinished {
        /// The time limit.
        within: Duration,
    },
    /// A frame is not a valid request of the protocol.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The peer speaks HTTP.
    #[error(
        "malformed request: the peer speaks HTTP, but this socket serves only Kapacitor; use \
         --metrics for metrics over HTTP"
    )]
    Http,
    /// A request arrived in a state that does not allow it.
    #[error("unexpected {request}: {reason}")]
    OutOfOrder {
        /// The request.
        request: &'static str,
        /// The reason why the state does not allow it.
        reason: &'static str,
    },
    /// A method of the handler returned an error.
    #[error("{}", chain(error.as_ref()))]
    Handler {
        /// The method.
        call: Call,
        /// Its error.
        error: Error,
    },
    /// A method of the handler panicked.
    #[error("the handler panicked in {call}: {message}")]
    Panicked {
        /// The method.
        call: Call,
        /// The message of the panic.
        message: String,
    },
    /// A thread that the UDF started with [`Task::spawn`](crate::Task::spawn) returned an error.
    #[error("the thread `{name}` failed: {}", chain(error.as_ref()))]
    Spawned {
        /// The name of the thread.
        name: String,
        /// Its error.
        error: Error,
    },
    /// A thread that the UDF started with [`Task::spawn`](crate::Task::spawn) panicked.
    #[error("the thread `{name}` panicked: {message}")]
    SpawnedPanicked {
        /// The name of the thread.
        name: String,
        /// The message of the panic.
        message: String,
    },
    /// Threads of the UDF still run at the end.
    #[error(
        "{threads} did not return within {within:?} of the end of the input, and later output is lost; \
         return when `is_stopped` is true or `wait` returns false, and drop the sender of a channel in `finish`"
    )]
    NotReturned {
        /// The threads with their names.
        threads: String,
        /// The time limit.
        within: Duration,
    },
    /// The worker of a supervised UDF has failed.
    #[error("{0}")]
    Worker(String),
    /// Responses could not be written.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A thread could not be started.
    #[error("{0}")]
    Thread(io::Error),
}

impl AgentError {
    /// Converts the error of a failed reader. The reader may carry one of our own errors inside an
    /// I/O error.
    pub(super) fn of_reader(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => {
                error.downcast().unwrap_or_else(|error| FrameError::Io(error).into())
            }
            error => error.into(),
        }
    }

    /// Converts the error of a failed writer. The cause may be a write that waited for the peer
    /// until Init was overdue.
    pub(super) fn of_writer(self) -> Self {
        let overdue = match &self {
            AgentError::Emit(EmitError::Write(error)) => error.get_ref(),
            _ => None,
        };
        match overdue.and_then(|error| error.downcast_ref()) {
            Some(&AgentError::NoInit { within }) => AgentError::NoInit { within },
            _ => self,
        }
    }

    /// Replaces the error about a long frame by one that names `limit`, if that limit applied
    /// before Init.
    pub(crate) fn before_init(self, limit: usize) -> Self {
        match self {
            AgentError::Frame(FrameError::TooLong { length, limit: found }) if found == limit => {
                AgentError::LongBeforeInit { length, limit }
            }
            other => other,
        }
    }

    /// Returns whether the peer exceeded a time limit.
    pub(crate) fn is_overdue(&self) -> bool {
        matches!(self, AgentError::NoInit { .. } | AgentError::Unfinished { .. })
    }

    /// Returns the text for the log. A peer that speaks another protocol fails with its first
    /// bytes, so the text adds a hint if no task was started.
    pub(crate) fn told(&self, link: &Link) -> String {
        let strange = match self {
            AgentError::Frame(error) => matches!(
                error,
                FrameError::TooLong { .. } | FrameError::BadLength | FrameError::Cut { .. }
            ),
            AgentError::Request(_) | AgentError::LongBeforeInit { .. } => true,
            _ => false,
        };
        match strange && !link.pulse.is_started() {
            true => format!("{self}; no task was started, so the peer may not be Kapacitor"),
            false => self.to_string(),
        }
    }
}
