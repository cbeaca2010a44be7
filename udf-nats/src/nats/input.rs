//! Reads the input of a log with a pull consumer.
//!
//! The consumer needs no acknowledgements, because the position is in the output. So a delivery
//! that is lost on the way is not repeated: the sequence of deliveries shows a gap, and the owner
//! opens a new input.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{self, MessagesErrorKind};
use async_nats::jetstream::consumer::{
    AckPolicy, Consumer, DeliverPolicy, Info, IntoConsumerConfig,
};
use async_nats::{HeaderMap, jetstream};
use futures_util::{FutureExt, StreamExt};
use serde_json::json;

use super::connect::{Session, causes};
use super::names::unique;
use super::requests::Refusal;
use crate::log::{Batch, Input, LogError, Message};
use crate::mark::TICK;

/// The bytes that a pull request asks for, if messages are not longer. The server cuts a connection
/// with more than 64 MiB on the way; two requests are under way at most.
const REQUESTED: usize = 8 << 20;

/// The messages that a pull request asks for. Below the capacity of the client, which drops what
/// exceeds it.
const MOST_MESSAGES: usize = 20_000;

/// The bytes after which a batch is handed over.
const BATCH: usize = 1 << 20;

/// A batch without messages is returned after this time.
const QUIET: Duration = Duration::from_secs(5);

/// The interval at which the server shows that it still serves a pull request.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The lifetime of a pull request.
const EXPIRES: Duration = Duration::from_secs(30);

/// The server deletes the consumer of a worker that is gone for this time.
const INACTIVE: Duration = Duration::from_secs(120);

/// Reads one subject of a stream.
pub struct NatsInput {
    session: Session,
    stream: String,
    consumer: String,
    deliveries: pull::Stream,
    /// The number of the last delivery.
    delivered: u64,
    /// The last delivery that had come when the server was last asked, if the server had sent more.
    waits_behind: Option<u64>,
    /// Everything up to this sequence has been read.
    upto: u64,
    /// The number of messages that wait on the server.
    pending: u64,
    /// The same number, for others.
    shown: Arc<AtomicU64>,
}

impl NatsInput {
    /// Opens the input behind the sequence `after`. `place` begins the name of the consumer.
    pub(super) async fn open(
        session: &Session,
        stream: String,
        subject: String,
        place: &str,
        after: u64,
    ) -> Result<Self, LogError> {
        // Each opening has a consumer of its own. A worker that comes back after a pause takes no
        // messages from the present owner.
        let consumer = format!("{place}-{}", unique());
        let config = pull::Config {
            durable_name: Some(consumer.clone()),
            description: Some("input of a worker of udf nats".to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            ack_policy: AckPolicy::None,
            filter_subject: subject,
            inactive_threshold: INACTIVE,
            // Its state is of no use to another worker.
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        };
        let created = (&config).into_consumer_config();
        let request = json!({ "stream_name": stream, "config": created });
        let subject = format!("CONSUMER.CREATE.{stream}.{consumer}.{}", config.filter_subject);
        let info: Info = session.request(subject, &request).await?;
        let pending = info.num_pending;
        let bytes = REQUESTED.max(2 * session.client.max_payload());
        let deliveries = Consumer::new(config, info, session.jetstream.clone())
            .stream()
            .max_messages_per_batch(MOST_MESSAGES)
            .max_bytes_per_batch(bytes)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages()
            .await
            .map_err(|error| LogError::Unavailable(causes(&error)))?;
        let session = session.clone();
        Ok(NatsInput {
            session,
            stream,
            consumer,
            deliveries,
            delivered: 0,
            waits_behind: None,
            upto: after,
            pending,
            shown: Arc::default(),
        })
    }

    /// Shows the number of messages that wait on the server.
    pub(super) fn show(&mut self, pending: Arc<AtomicU64>) {
        pending.store(self.pending, Ordering::Relaxed);
        self.shown = pending;
    }

    fn take(
        &mut self,
        delivered: Option<Result<jetstream::Message, pull::MessagesError>>,
    ) -> Result<Message, LogError> {
        let unavailable = |why: String| Err(LogError::Unavailable(why));
        let message = match delivered {
            Some(Ok(message)) => message.message,
            Some(Err(error)) => {
                return unavailable(match error.kind() {
                    MessagesErrorKind::MissingHeartbeat => {
                        format!("the server sent nothing for {} seconds", 2 * HEARTBEAT.as_secs())
                    }
                    MessagesErrorKind::ConsumerDeleted | MessagesErrorKind::NoResponders => {
                        "the server has deleted the consumer".to_owned()
                    }
                    _ => causes(&error),
                });
            }
            None => return unavailable("the connection is closed".to_owned()),
        };
        let reply = message.reply.as_deref().unwrap_or_default();
        let Some(place) = Place::parse(reply) else {
            return unavailable(format!("the server sent a message without its place: {reply}"));
        };
        if place.delivery != self.delivered + 1 {
            return unavailable(lost(place.delivery.saturating_sub(self.delivered + 1)));
        }
        self.delivered = place.delivery;
        self.upto = place.seq;
        self.pending = place.pending;
        let tick = message.headers.as_ref().and_then(tick);
        Ok(Message { seq: place.seq, time: place.time, tick, payload: message.payload })
    }

    /// Moves on with the stream while it has no messages for this input.
    async fn quiet(&mut self) -> Result<Batch, LogError> {
        // The end of the stream is read first: a message that is stored in between is pending.
        let last = self.session.bounds(&self.stream).await?.last;
        let subject = format!("CONSUMER.INFO.{}.{}", self.stream, self.consumer);
        let info: Info = match self.session.request(subject, &json!({})).await {
            Err(refusal @ Refusal::Code(..)) => {
                return Err(LogError::Unavailable(refusal.text().to_owned()));
            }
            found => found?,
        };
        self.pending = info.num_pending;
        let missing = info.delivered.consumer_sequence.saturating_sub(self.delivered);
        if missing > 0 && self.waits_behind == Some(self.delivered) {
            // A gap shows at the next message, but none may come for a long time.
            return Err(LogError::Unavailable(lost(missing)));
        }
        self.waits_behind = (missing > 0).then_some(self.delivered);
        if info.num_pending == 0 && info.delivered.consumer_sequence == self.delivered {
            self.upto = self.upto.max(last);
        }
        self.shown.store(self.pending, Ordering::Relaxed);
        Ok(Batch { messages: Vec::new(), upto: self.upto, behind: self.pending > 0 })
    }
}

impl Input for NatsInput {
    async fn pull(&mut self) -> Result<Batch, LogError> {
        let Ok(first) = tokio::time::timeout(QUIET, self.deliveries.next()).await else {
            return self.quiet().await;
        };
        let first = self.take(first)?;
        let mut bytes = first.payload.len();
        let mut messages = vec![first];
        while bytes < BATCH {
            let Some(next) = self.deliveries.next().now_or_never() else { break };
            // After an error, the owner reads from its own position again.
            let message = self.take(next)?;
            bytes += message.payload.len();
            messages.push(message);
        }
        self.shown.store(self.pending, Ordering::Relaxed);
        Ok(Batch { messages, upto: self.upto, behind: self.pending > 0 })
    }
}

impl Drop for NatsInput {
    fn drop(&mut self) {
        // The server would keep the consumer for a while. Without a runtime, it does.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let session = self.session.clone();
        let subject = format!("CONSUMER.DELETE.{}.{}", self.stream, self.consumer);
        runtime.spawn(async move {
            let _: Result<serde_json::Value, _> = session.request(subject, &json!({})).await;
        });
    }
}

fn lost(messages: u64) -> String {
    format!("{messages} messages were lost on the way from the server")
}

fn tick(headers: &HeaderMap) -> Option<i64> {
    headers.get(TICK)?.as_str().parse().ok()
}

/// Where a message is, from the subject for its acknowledgement.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The sequence in the stream.
    seq: u64,
    /// The number of the delivery, counted from 1.
    delivery: u64,
    /// The time of the message, in nanoseconds since the epoch.
    time: i64,
    /// The number of messages that wait behind this one.
    pending: u64,
}

impl Place {
    /// Reads `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQ.DELIVERY.TIME.PENDING`, or with a domain and a
    /// hash of the account before `STREAM` and a token at the end.
    fn parse(reply: &str) -> Option<Self> {
        let mut words = reply.strip_prefix("$JS.ACK.")?.split('.');
        let skipped = match words.clone().count() {
            7 => 3,
            8.. => 5,
            _ => return None,
        };
        let mut number = || words.next()?.parse::<u64>().ok();
        let mut words_before = skipped;
        while words_before > 0 {
            number();
            words_before -= 1;
        }
        let (seq, delivery, time, pending) = (number()?, number()?, number()?, number()?);
        Some(Place { seq, delivery, time: i64::try_from(time).ok()?, pending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_message_is_read() {
        let expected =
            Some(Place { seq: 12, delivery: 34, time: 1_700_000_000_000_000_000, pending: 5 });
        let ends = "1.12.34.1700000000000000000.5";
        assert_eq!(Place::parse(&format!("$JS.ACK.ma-in.ma-0-ab.{ends}")), expected);
        assert_eq!(Place::parse(&format!("$JS.ACK.hub.hash.ma-in.ma-0-ab.{ends}.token")), expected);
        assert_eq!(Place::parse(&format!("$JS.ACK._.hash.ma-in.ma-0-ab.{ends}")), expected);
        for reply in ["", "$JS.ACK.a.b", "_INBOX.x.y", "$JS.ACK.s.c.1.x.2.3.4"] {
            assert_eq!(Place::parse(reply), None, "{reply}");
        }
    }
}
