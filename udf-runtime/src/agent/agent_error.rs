//! Why an agent ended before its input did.

use std::io;
use std::time::Duration;

use udf_proto::frame::FrameError;
use udf_proto::request::RequestError;

use crate::agent::error::{Error, chain};
use crate::agent::link::{EmitError, Link};
use crate::agent::pulse::Call;

/// Why an agent ended before its input did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// What came is not framed messages; where the next one begins is not known.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A request is over the limit that holds before Init.
    #[error(
        "a request of {length} bytes came before Init, over the limit of {limit} bytes until then; raise \
         --init-limit if a task has options of that size"
    )]
    LongBeforeInit {
        /// The length of the request.
        length: u64,
        /// The limit.
        limit: usize,
    },
    /// No Init has come in time.
    #[error(
        "no Init has come within {within:?} since the connection was opened; raise --init-timeout if it needs longer"
    )]
    NoInit {
        /// The time.
        within: Duration,
    },
    /// A request that needs memory beyond the connection's own buffer has not come whole in time.
    #[error(
        "a large request was not complete {within:?} after its begin; raise --request-timeout if it needs longer"
    )]
    Unfinished {
        /// The time.
        within: Duration,
    },
    /// A frame is not a request of this protocol.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The other side speaks HTTP.
    #[error(
        "malformed request: it is HTTP, but this socket takes requests of Kapacitor only; --metrics serves counts over \
         HTTP"
    )]
    Http,
    /// A request came when it must not.
    #[error("unexpected {request}: {reason}")]
    OutOfOrder {
        /// What came.
        request: &'static str,
        /// What is wrong about it.
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
        /// What it said.
        message: String,
    },
    /// Answers could not be written.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A thread could not be started.
    #[error("{0}")]
    Thread(io::Error),
}

impl AgentError {
    /// The error of a reader that has failed, which may be one of ours.
    pub(super) fn of_reader(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => {
                error.downcast().unwrap_or_else(|error| FrameError::Io(error).into())
            }
            error => error.into(),
        }
    }

    /// The error of a writer that has failed, which may have waited for the other side until Init was overdue.
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

    /// Names the limit that holds before Init, where that was `limit`.
    pub(super) fn before_init(self, limit: usize) -> Self {
        match self {
            AgentError::Frame(FrameError::TooLong { length, limit: found }) if found == limit => {
                AgentError::LongBeforeInit { length, limit }
            }
            other => other,
        }
    }

    /// Whether the other side was waited for in vain.
    pub(crate) fn is_overdue(&self) -> bool {
        matches!(self, AgentError::NoInit { .. } | AgentError::Unfinished { .. })
    }

    /// What failed, for the log: whoever speaks another protocol does so from the start.
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
            true => format!("{self}; no task was started, so the other side may not be Kapacitor"),
            false => self.to_string(),
        }
    }
}
