//! The keys of workers and leases.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Lease, Role, Sign, Worker};
use crate::log::{LogError, PutError};
use crate::nats::{Session, bucket, bucket_stream, unique};

/// The keys of the workers of a UDF, and of what they own.
#[derive(Debug, Clone)]
pub struct Registry {
    session: Session,
    name: String,
    role: Role,
    timeout: Duration,
}

/// A value with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    /// The revision.
    pub revision: u64,
    /// When the server has stored it, in nanoseconds since the epoch.
    pub time: i64,
    /// The value.
    pub value: T,
}

/// All keys of a role at one time.
#[derive(Debug, Default)]
pub struct View {
    /// The workers by their names.
    pub workers: BTreeMap<String, Seen<Worker>>,
    /// The leases by partition. Partitions that never had an owner are missing.
    pub leases: BTreeMap<u32, Seen<Lease>>,
}

impl View {
    /// Returns why a worker cannot run a partition, if it cannot.
    pub fn failed(&self, worker: Option<&String>, partition: u32) -> Option<String> {
        self.workers.get(worker?)?.value.failed.get(&partition).cloned()
    }

    /// Returns what fails in a partition of a worker and is tried again, if something does.
    pub fn retrying(&self, worker: Option<&String>, partition: u32) -> Option<String> {
        self.workers.get(worker?)?.value.retrying.get(&partition).cloned()
    }

    /// Returns the keys of the workers.
    pub fn signs(&self) -> impl Iterator<Item = Sign<'_>> {
        let newest = self.workers.values().map(|worker| worker.time).max().unwrap_or_default();
        self.workers.iter().map(move |(name, worker)| Sign {
            worker: name,
            revision: worker.revision,
            age: Duration::from_nanos(u64::try_from(newest - worker.time).unwrap_or_default()),
            is_leaving: worker.value.leaving,
        })
    }
}

impl Registry {
    /// Creates the registry of a role.
    pub fn new(session: Session, name: &str, role: Role) -> Self {
        let timeout = session.client.timeout().unwrap_or(crate::nats::REQUEST_TIMEOUT);
        Registry { session, name: name.to_owned(), role, timeout }
    }

    fn worker_key(&self, worker: &str) -> String {
        format!("{}.{worker}", self.role.name())
    }

    fn lease_key(&self, partition: u32) -> String {
        format!("lease.{}.{partition}", self.role.name())
    }

    /// Shows that a worker lives.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn beat(&self, id: &str, worker: &Worker) -> Result<(), LogError> {
        self.session.set(&self.name, &self.worker_key(id), json(worker)).await
    }

    /// Deletes the key of a worker.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn forget(&self, worker: &str) -> Result<(), LogError> {
        self.session.delete(&self.name, &self.worker_key(worker)).await
    }

    /// Sets the owner of a partition, if the lease still has this revision (0 for none). Returns
    /// the new revision.
    ///
    /// # Errors
    /// [`PutError::Conflict`] if another worker was faster.
    pub async fn lease(&self, partition: u32, owner: &str, revision: u64) -> Result<u64, PutError> {
        let lease = Lease { worker: owner.to_owned() };
        self.session.put(&self.name, &self.lease_key(partition), json(&lease), revision).await
    }

    /// Reads all workers and leases in one request. Any server with a copy answers, so the view may
    /// be a moment old.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn view(&self) -> Result<View, LogError> {
        let prefix = format!("$KV.{}.", bucket(&self.name));
        let (role, leases) = (self.role.name(), format!("lease.{}.", self.role.name()));
        let subjects = [format!("{prefix}{role}.>"), format!("{prefix}{leases}>")];
        let read = self.read(json!({ "multi_last": subjects, "batch": 1024 }));
        let found = tokio::time::timeout(self.timeout, read).await.unwrap_or_else(|_| {
            Err(LogError::Unavailable("the server did not answer in time".to_owned()))
        })?;
        let mut view = View::default();
        for (subject, revision, time, payload) in found {
            let Some(key) = subject.strip_prefix(&prefix) else { continue };
            if let Some(partition) = key.strip_prefix(&leases).and_then(|text| text.parse().ok()) {
                if let Some(value) = parse(&payload) {
                    view.leases.insert(partition, Seen { revision, time, value });
                }
            } else if let Some(worker) =
                key.strip_prefix(role).and_then(|key| key.strip_prefix('.'))
                && let Some(value) = parse(&payload)
            {
                view.workers.insert(worker.to_owned(), Seen { revision, time, value });
            }
        }
        Ok(view)
    }

    /// Reads the last messages of many subjects: their subjects, sequences, times and payloads.
    async fn read(
        &self,
        request: serde_json::Value,
    ) -> Result<Vec<(String, u64, i64, Bytes)>, LogError> {
        let unavailable = |error: &dyn std::fmt::Display| LogError::Unavailable(error.to_string());
        let client = &self.session.client;
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.map_err(|e| unavailable(&e))?;
        let subject = format!("DIRECT.GET.{}", bucket_stream(&self.name));
        let request = async_nats::Request::new().inbox(inbox).payload(json(&request));
        let sent = self.session.jetstream.send_request(subject, request).await;
        sent.map_err(|e| unavailable(&e))?;
        let mut found = Vec::new();
        while let Some(message) = answers.next().await {
            match message.status {
                Some(StatusCode::OK) | None => {}
                // The end, or no message at all.
                Some(status) if [204, 404].contains(&status.as_u16()) => return Ok(found),
                Some(status) => {
                    let why = message.description.as_deref().unwrap_or("no reason");
                    return Err(LogError::Unavailable(format!("status {status}: {why}")));
                }
            }
            let headers = message.headers.as_ref();
            let header = |name| Some(headers?.get(name)?.as_str());
            let (subject, seq) = (header("Nats-Subject"), header("Nats-Sequence"));
            let time = header("Nats-Time-Stamp").map(|text| OffsetDateTime::parse(text, &Rfc3339));
            if let (Some(subject), Some(Ok(seq)), Some(Ok(time))) =
                (subject, seq.map(str::parse), time)
            {
                let time = i64::try_from(time.unix_timestamp_nanos()).unwrap_or(i64::MAX);
                found.push((subject.to_owned(), seq, time, message.payload));
            }
        }
        Err(LogError::Unavailable("the connection is closed".to_owned()))
    }
}

/// Returns a name for a worker that no other one has, and that tells people its machine and process.
pub fn worker_name(host: &str, pid: u32) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '-';
    let host: String = host.chars().map(|char| if is_plain(char) { char } else { '-' }).collect();
    format!("{}-{pid}-{}", host.get(..40).unwrap_or(&host), &unique()[..6])
}

fn json(value: &impl Serialize) -> Bytes {
    // The values are plain structs.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}
