//! The log of NATS JetStream.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Info, RawMessage};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::connect::Session;
use super::input::NatsInput;
use super::names::{Names, bucket, bucket_stream};
use super::requests::Refusal;
use crate::log::{AppendError, Bounds, Clock, DeadLetter, Entry, Last, Log, LogError, PutError};
use crate::mark::{Mark, TICK};

/// The room for headers in a message. Those of a mark take less than 200 bytes.
const HEADERS: usize = 512;

/// The room for the headers of a dead letter, with a reason of up to 200 characters.
const LETTER_HEADERS: usize = 2048;

/// The log of one partition, or of all partitions for a splitter.
#[derive(Debug, Clone)]
pub struct NatsLog {
    session: Session,
    names: Names,
    /// The partition whose input and output this is. None for a splitter, which reads the raw lines
    /// and whose outputs are the inputs of the partitions.
    partition: Option<u32>,
    /// The number of messages that wait on the server.
    pending: Arc<AtomicU64>,
}

impl NatsLog {
    /// Returns the log of the driver of a partition.
    pub fn of_partition(session: Session, names: Names, partition: u32) -> Self {
        NatsLog { session, names, partition: Some(partition), pending: Arc::default() }
    }

    /// Returns the log of a splitter.
    pub fn of_splitter(session: Session, names: Names) -> Self {
        NatsLog { session, names, partition: None, pending: Arc::default() }
    }

    /// Shows the number of messages that wait on the server.
    #[must_use]
    pub fn pending(mut self, pending: Arc<AtomicU64>) -> Self {
        self.pending = pending;
        self
    }

    /// Returns the stream and the subject of the input.
    fn input(&self) -> (String, String) {
        match self.partition {
            Some(partition) => (self.names.partitions_stream(), self.names.partition(partition)),
            None => (self.names.raw.clone(), self.names.input.clone()),
        }
    }

    /// Returns the stream and the subject of an output.
    fn output(&self, partition: u32) -> (String, String) {
        match self.partition {
            Some(_) => (self.names.output_stream(), self.names.output(partition)),
            None => (self.names.partitions_stream(), self.names.lines(partition)),
        }
    }
}

impl Log for NatsLog {
    type Input = NatsInput;

    async fn read(&self, after: u64) -> Result<(NatsInput, Bounds), LogError> {
        let (stream, subject) = self.input();
        let place = match self.partition {
            Some(partition) => format!("{}-{partition}", self.names.name),
            None => format!("{}-split", self.names.name),
        };
        let mut input = NatsInput::open(&self.session, stream, subject, &place, after).await?;
        input.show(Arc::clone(&self.pending));
        Ok((input, self.bounds().await?))
    }

    async fn bounds(&self) -> Result<Bounds, LogError> {
        Ok(self.session.bounds(&self.input().0).await?)
    }

    async fn last(&self, partition: u32) -> Result<Option<Last>, LogError> {
        let (stream, subject) = self.output(partition);
        let found = self.session.last(&stream, &subject).await?;
        Ok(found.map(|message| Last {
            seq: message.sequence,
            mark: Mark::from_headers(|name| Some(message.headers.get(name)?.as_str())),
        }))
    }

    async fn append(
        &self,
        partition: u32,
        mark: Mark,
        payload: Bytes,
        expected: u64,
    ) -> Result<u64, AppendError> {
        let headers = mark.headers().map(|(name, value)| (name, value.to_string()));
        let (stream, subject) = self.output(partition);
        let bytes = payload.len();
        let appended = self.session.publish(subject, headers, payload, Some(expected)).await;
        match appended {
            Err(AppendError::TooLarge { limit }) => {
                Err(self.session.too_large(&stream, limit, bytes).await)
            }
            appended => appended,
        }
    }

    fn max_payload(&self) -> usize {
        self.session.client.max_payload().saturating_sub(HEADERS)
    }

    async fn append_tick(&self, time: i64) -> Result<(), LogError> {
        let subject = self.names.ticks(self.partition.unwrap_or(0));
        let headers = [(TICK, time.to_string())];
        let appended = self.session.publish(subject, headers, Bytes::new(), None).await;
        appended.map(drop).map_err(unavailable)
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), LogError> {
        let DeadLetter { partition, seq, line, why, payload } = letter;
        let stream = self.names.dead_stream();
        let mut limit = self.session.client.max_payload();
        loop {
            let sent = payload.slice(..payload.len().min(limit.saturating_sub(LETTER_HEADERS)));
            let (length, is_cut) = (sent.len(), sent.len() < payload.len());
            let headers = [
                ("Udf-Partition", partition.map(|partition| partition.to_string())),
                ("Udf-Sequence", Some(seq.to_string())),
                ("Udf-Line", Some(line.to_string())),
                ("Udf-Reason", Some(one_line(&why))),
                ("Udf-Cut-From", is_cut.then(|| payload.len().to_string())),
            ];
            let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let error = match self.session.publish(self.names.dead(), headers, sent, None).await {
                Ok(_) => return Ok(()),
                Err(AppendError::TooLarge { limit: of_server }) => {
                    self.session.too_large(&stream, of_server, length).await
                }
                Err(error) => error,
            };
            match error {
                AppendError::TooLarge { limit: smaller } if smaller < limit => limit = smaller,
                error => return Err(unavailable(error)),
            }
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, LogError> {
        self.session.get(&self.names.name, key).await
    }

    async fn put(&self, key: &str, value: Bytes, expected: u64) -> Result<u64, PutError> {
        self.session.put(&self.names.name, key, value, expected).await
    }

    async fn delete(&self, key: &str) -> Result<(), LogError> {
        self.session.delete(&self.names.name, key).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        self.session.keys(&self.names.name, prefix).await
    }
}

impl Session {
    /// Returns the bounds of a stream.
    pub(crate) async fn bounds(&self, stream: &str) -> Result<Bounds, Refusal> {
        let info: Info = self.request(format!("STREAM.INFO.{stream}"), &json!({})).await?;
        // An empty stream that never had a message says 0.
        Ok(Bounds { first: info.state.first_sequence.max(1), last: info.state.last_sequence })
    }

    /// Returns what follows from a message of `bytes` bytes that was too large: the limit of the
    /// stream, or of the server if it is lower.
    async fn too_large(&self, stream: &str, of_server: usize, bytes: usize) -> AppendError {
        let info: Result<Info, _> = self.request(format!("STREAM.INFO.{stream}"), &json!({})).await;
        let of_stream = match info {
            Ok(info) => usize::try_from(info.config.max_message_size).ok(),
            Err(refusal) => return AppendError::TryAgain(refusal.text().to_owned()),
        };
        let limit = of_stream.filter(|limit| *limit > 0).unwrap_or(of_server).min(of_server);
        if bytes < limit.saturating_sub(HEADERS) {
            return AppendError::TryAgain(format!(
                "a message of {bytes} bytes was refused as too large, and the limit is {limit}"
            ));
        }
        AppendError::TooLarge { limit }
    }

    /// Returns the last message of a subject. The leader of the stream answers.
    pub(crate) async fn last(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<StreamMessage>, Refusal> {
        #[derive(Deserialize)]
        struct Found {
            message: RawMessage,
        }
        let request = json!({ "last_by_subj": subject });
        let found = self.request(format!("STREAM.MSG.GET.{stream}"), &request).await;
        match found {
            Ok(Found { message }) => {
                let message = StreamMessage::try_from(message);
                message.map(Some).map_err(|error| Refusal::Unavailable(error.to_string()))
            }
            Err(refusal) if refusal.is_no_message() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Returns the value of a key of the bucket of a UDF.
    ///
    /// # Errors
    /// If the server cannot be asked, or has no such bucket.
    pub async fn get(&self, name: &str, key: &str) -> Result<Option<Entry>, LogError> {
        Ok(self.entry(name, key).await?)
    }

    /// As [`get`](Self::get), with the answer of the server.
    pub(crate) async fn entry(&self, name: &str, key: &str) -> Result<Option<Entry>, Refusal> {
        let subject = format!("$KV.{}.{key}", bucket(name));
        let found = self.last(&bucket_stream(name), &subject).await?;
        let is_set = |message: &StreamMessage| message.headers.get("KV-Operation").is_none();
        let found = found.filter(is_set);
        Ok(found.map(|message| Entry { revision: message.sequence, value: message.payload }))
    }

    /// Sets a key of the bucket of a UDF if its revision is `expected`, or 0 for a key without a
    /// value.
    ///
    /// # Errors
    /// If the revision is another one, or the server does not answer.
    pub async fn put(
        &self,
        name: &str,
        key: &str,
        value: Bytes,
        expected: u64,
    ) -> Result<u64, PutError> {
        let subject = self.key_subject(name, key);
        self.publish(subject, [], value, Some(expected)).await.map_err(|error| match error {
            AppendError::Fenced => PutError::Conflict,
            AppendError::InDoubt(why) | AppendError::TryAgain(why) => PutError::InDoubt(why),
            error => PutError::Fatal(format!("cannot set the key `{key}`: {error}")),
        })
    }

    /// Sets a key of the bucket of a UDF, whatever its revision.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn set(&self, name: &str, key: &str, value: Bytes) -> Result<(), LogError> {
        let set = self.publish(self.key_subject(name, key), [], value, None).await;
        set.map(drop).map_err(unavailable)
    }

    /// Deletes a key of the bucket of a UDF, without a trace.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn delete(&self, name: &str, key: &str) -> Result<(), LogError> {
        // A marker of a deletion would stay for ever, for each part of each snapshot.
        let filter = json!({ "filter": format!("$KV.{}.{key}", bucket(name)) });
        let purged = self.request(format!("STREAM.PURGE.{}", bucket_stream(name)), &filter).await;
        let _: serde_json::Value = purged?;
        Ok(())
    }

    /// Returns the keys of the bucket of a UDF that begin with a text, which ends with a dot.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn keys(&self, name: &str, begin: &str) -> Result<Vec<String>, LogError> {
        #[derive(Deserialize)]
        struct Page {
            state: Subjects,
            #[serde(default)]
            total: usize,
        }
        #[derive(Deserialize)]
        struct Subjects {
            #[serde(default)]
            subjects: HashMap<String, u64>,
        }
        let (stream, prefix) = (bucket_stream(name), format!("$KV.{}.", bucket(name)));
        let mut keys = Vec::new();
        loop {
            let request =
                json!({ "subjects_filter": format!("{prefix}{begin}>"), "offset": keys.len() });
            let page: Page = self.request(format!("STREAM.INFO.{stream}"), &request).await?;
            let found = page.state.subjects.into_keys();
            let before = keys.len();
            keys.extend(found.filter_map(|key| Some(key.strip_prefix(&prefix)?.to_owned())));
            if keys.len() == before || keys.len() >= page.total {
                keys.sort_unstable();
                return Ok(keys);
            }
        }
    }

    /// Returns the subject for writing a key.
    fn key_subject(&self, name: &str, key: &str) -> String {
        format!("{}$KV.{}.{key}", self.key_prefix, bucket(name))
    }
}

impl Refusal {
    fn is_no_message(&self) -> bool {
        matches!(self, Refusal::Code(ErrorCode::NO_MESSAGE_FOUND, ..))
    }
}

/// Returns the error of a message that may be stored twice.
fn unavailable(error: AppendError) -> LogError {
    match error {
        AppendError::Fatal(why) => LogError::Fatal(why),
        error @ AppendError::TooLarge { .. } => LogError::Fatal(error.to_string()),
        error => LogError::Unavailable(error.to_string()),
    }
}

/// Returns a text that fits into a header.
fn one_line(text: &str) -> String {
    let end = text.char_indices().nth(200).map_or(text.len(), |(at, _)| at);
    text[..end].chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// The time of this machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
