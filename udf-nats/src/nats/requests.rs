//! Requests to the interface of JetStream, and what their errors mean to a driver.

use std::error::Error;

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::{PublishErrorKind, RequestErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connect::{Session, causes};
use crate::log::{AppendError, LogError};

/// The last message of the subject is another one than expected.
const FENCED: [ErrorCode; 2] = [
    ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
    // Without the number of the last message.
    ErrorCode(10164),
];

/// The leader does not know yet which message is the last one.
const NOT_READY: ErrorCode = ErrorCode(10163);

/// The message is longer than the stream accepts.
const TOO_LONG: ErrorCode = ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No answer came.
    Unavailable(String),
    /// The server refuses the request.
    Code(ErrorCode, usize, String),
}

impl Refusal {
    /// Returns whether the stream, the consumer or the message does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Refusal::Code(_, 404, _))
    }

    /// Returns what the server says.
    pub fn text(&self) -> &str {
        match self {
            Refusal::Unavailable(text) | Refusal::Code(_, _, text) => text,
        }
    }
}

impl From<Refusal> for LogError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Code(_, code, text) if code < 500 => LogError::Fatal(text),
            refusal => LogError::Unavailable(refusal.text().to_owned()),
        }
    }
}

impl From<&jetstream::Error> for Refusal {
    fn from(error: &jetstream::Error) -> Self {
        Refusal::Code(error.error_code(), error.code(), error.to_string())
    }
}

impl Session {
    /// Sends a request to the interface of JetStream, such as `STREAM.INFO.x`.
    ///
    /// # Errors
    /// If no answer comes, or the server refuses.
    pub async fn request<T: DeserializeOwned>(
        &self,
        subject: String,
        body: &impl Serialize,
    ) -> Result<T, Refusal> {
        match self.jetstream.request(subject, body).await {
            Ok(Response::Ok(answer)) => Ok(answer),
            Ok(Response::Err { error }) => Err(Refusal::from(&error)),
            Err(error) => Err(Refusal::Unavailable(match error.kind() {
                RequestErrorKind::TimedOut => self.unanswered("answer"),
                RequestErrorKind::NoResponders => {
                    "no JetStream answers: it is not enabled for this account, or it has no leader at the moment"
                        .to_owned()
                }
                _ => causes(&error),
            })),
        }
    }

    /// Publishes a message, and waits until it is stored. With `expected`, only behind this
    /// sequence.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn publish(
        &self,
        subject: String,
        headers: impl IntoIterator<Item = (&'static str, String)>,
        payload: Bytes,
        expected: Option<u64>,
    ) -> Result<u64, AppendError> {
        let mut message = PublishMessage::build().payload(payload);
        if let Some(expected) = expected {
            message =
                message.header(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string().as_str());
        }
        for (name, value) in headers {
            message = message.header(name, value.as_str());
        }
        let sent = self.jetstream.send_publish(subject.clone(), message).await;
        let acknowledged = match sent {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        let PublishAck { sequence, .. } = acknowledged.map_err(|error| {
            let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
            match (error.kind(), refusal) {
                (_, Some(refusal)) => self.refused(refusal),
                (PublishErrorKind::StreamNotFound, _) => AppendError::TryAgain(format!(
                    "no stream takes messages for `{subject}`: it has no leader at the moment, or does not exist"
                )),
                (PublishErrorKind::MaxPayloadExceeded, _) => {
                    AppendError::TooLarge { limit: self.client.max_payload() }
                }
                (PublishErrorKind::MaxAckPending, _) => AppendError::TryAgain(error.to_string()),
                (PublishErrorKind::TimedOut, _) => {
                    AppendError::InDoubt(self.unanswered("acknowledge a message"))
                }
                _ => AppendError::InDoubt(causes(&error)),
            }
        })?;
        Ok(sequence)
    }

    fn refused(&self, refusal: &jetstream::Error) -> AppendError {
        let text = refusal.to_string();
        match refusal.error_code() {
            code if FENCED.contains(&code) => AppendError::Fenced,
            NOT_READY => AppendError::TryAgain(text),
            TOO_LONG => AppendError::TooLarge { limit: self.client.max_payload() },
            _ if refusal.code() >= 500 => AppendError::TryAgain(text),
            _ => AppendError::Fatal(text),
        }
    }
}
