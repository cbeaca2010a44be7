//! How far the partitions of a UDF are, and who runs them.

mod table;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::message::StreamMessage;
use serde::Serialize;
use serde_json::json;

use crate::log::LogError;
use crate::mark::Mark;
use crate::nats::{Groups, Names, Refusal, Session, unique};
use crate::owner::{BEAT, Members, Registry, Role, View};
use crate::partition::{Register, register_key};
use crate::setup::{SetupError, stored};
use crate::split::{self, REGISTER_KEY};

/// The status of a UDF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The name of the UDF on the server.
    pub name: String,
    /// The version of the server.
    pub server: String,
    /// The subject of the raw lines.
    pub input: String,
    /// The begin of the subjects of the output.
    pub output: String,
    /// How lines are grouped. `None` before a splitter or a worker has begun.
    pub grouping: Option<Groups>,
    /// The raw lines.
    pub raw: Raw,
    /// The partitions.
    pub partitions: Vec<Partition>,
    /// The splitters and the workers.
    pub workers: Vec<WorkerStatus>,
    /// The number of lines that were left out.
    pub dead_letters: u64,
}

/// The raw lines, and how far they are split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Raw {
    /// The stream.
    pub stream: String,
    /// The splitter that works.
    pub owner: Option<String>,
    /// Why it cannot go on, if it cannot.
    pub failed: Option<String>,
    /// What fails and is tried again, if something does.
    pub retrying: Option<String>,
    /// The sequence up to which lines are split. `None` if no line was split yet.
    pub position: Option<u64>,
    /// The messages that are not split yet.
    pub lag: u64,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// The number.
    pub number: u32,
    /// The worker that runs it.
    pub owner: Option<String>,
    /// Whether the owner shows that it lives.
    pub is_owner_alive: bool,
    /// Why it cannot run, if it cannot.
    pub failed: Option<String>,
    /// What fails and is tried again, if something does.
    pub retrying: Option<String>,
    /// The input sequence up to which the output is stored.
    pub position: u64,
    /// The messages that are not handled yet.
    pub lag: u64,
    /// The snapshot.
    pub snapshot: Option<Snapshot>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The input sequence that it belongs to.
    pub position: u64,
    /// The size in bytes. 0 if the UDF has no state.
    pub bytes: u64,
    /// The age in seconds.
    pub age: u64,
}

/// A splitter or a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// The name.
    pub name: String,
    /// `worker` or `splitter`.
    pub role: &'static str,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The version of `udf`.
    pub version: String,
    /// Whether it shows that it lives.
    pub is_alive: bool,
    /// The time since its start in seconds.
    pub uptime: u64,
    /// The partitions that it owns.
    pub partitions: Vec<u32>,
}

/// Reads the status. It takes a bit more than a second, to see which workers live.
///
/// # Errors
/// If the server cannot be asked, or has no such UDF.
pub async fn status(session: &Session, name: &str) -> Result<Status, SetupError> {
    let names = stored(session, name).await?.ok_or_else(|| {
        SetupError::Server(format!(
            "`{name}` is not set up on this server; run `udf nats setup --name {name} ...`"
        ))
    })?;
    let workers = Watched::watch(session, &names).await?;
    let now = now();
    let mut partitions = Vec::new();
    for number in 0..names.partitions {
        partitions.push(partition(session, &names, number, &workers.workers, now).await?);
    }
    let raw = raw(session, &names, &workers.splitters).await?;
    let dead = session.bounds(&names.dead_stream()).await?;
    Ok(Status {
        name: names.name.clone(),
        server: session.version(),
        input: names.input.clone(),
        output: names.output.clone(),
        grouping: names.grouping.clone(),
        raw,
        partitions,
        workers: workers.list(now),
        dead_letters: (dead.last + 1).saturating_sub(dead.first),
    })
}

/// The keys of workers and splitters, with those that live.
struct Watched {
    workers: (View, Members),
    splitters: (View, Members),
}

impl Watched {
    /// Reads the keys twice. A worker lives if its key changes in between.
    async fn watch(session: &Session, names: &Names) -> Result<Self, LogError> {
        let of = |role| Registry::new(session.clone(), &names.name, role);
        let (workers, splitters) = (of(Role::Worker), of(Role::Splitter));
        let (mut worker_members, mut splitter_members) = (Members::default(), Members::default());
        worker_members.observe(Duration::ZERO, workers.view().await?.signs());
        splitter_members.observe(Duration::ZERO, splitters.view().await?.signs());
        // One beat is never late by as much again, unless the worker hangs.
        tokio::time::sleep(2 * BEAT).await;
        let (workers, splitters) = (workers.view().await?, splitters.view().await?);
        worker_members.observe(ALIVE_AT, workers.signs());
        splitter_members.observe(ALIVE_AT, splitters.signs());
        Ok(Watched { workers: (workers, worker_members), splitters: (splitters, splitter_members) })
    }

    fn list(&self, now: i64) -> Vec<WorkerStatus> {
        let roles = [(Role::Splitter, &self.splitters), (Role::Worker, &self.workers)];
        let all = roles.into_iter().flat_map(|(role, (view, members))| {
            view.workers.iter().map(move |(name, worker)| {
                let owned = view.leases.iter().filter(|(_, lease)| lease.value.worker == *name);
                WorkerStatus {
                    name: name.clone(),
                    role: role.name(),
                    host: worker.value.host.clone(),
                    pid: worker.value.pid,
                    version: worker.value.version.clone(),
                    is_alive: members.lives(name, ALIVE_AT),
                    uptime: seconds_since(worker.value.started, now),
                    partitions: owned.map(|(partition, _)| *partition).collect(),
                }
            })
        });
        all.collect()
    }
}

/// A time at which only workers live that were seen to change.
const ALIVE_AT: Duration = crate::owner::DEAD_AFTER;

async fn partition(
    session: &Session,
    names: &Names,
    number: u32,
    (view, members): &(View, Members),
    now: i64,
) -> Result<Partition, SetupError> {
    let entry = session.get(&names.name, &register_key(number)).await?;
    let register: Option<Register> =
        entry.and_then(|entry| serde_json::from_slice(&entry.value).ok());
    let last = session.last(&names.output_stream(), &names.output(number)).await?;
    let mark = last.and_then(|message| mark(&message));
    let stored = register.as_ref().map_or(0, |register| register.seq);
    let position = stored.max(mark.unwrap_or_default().upto);
    let owner = view.leases.get(&number).map(|lease| lease.value.worker.clone());
    let owner = owner.filter(|owner| !owner.is_empty());
    let failed = view.failed(owner.as_ref(), number);
    let retrying = view.retrying(owner.as_ref(), number);
    Ok(Partition {
        number,
        is_owner_alive: owner.as_ref().is_some_and(|owner| members.lives(owner, ALIVE_AT)),
        owner,
        failed,
        retrying,
        position,
        lag: lag(session, &names.partitions_stream(), &names.partition(number), position).await?,
        snapshot: register.map(|register| Snapshot {
            position: register.seq,
            bytes: register.state.map_or(0, |state| state.bytes),
            age: seconds_since(register.time, now),
        }),
    })
}

async fn raw(
    session: &Session,
    names: &Names,
    (view, _): &(View, Members),
) -> Result<Raw, SetupError> {
    // The last mark of a partition is newer, but says nothing of the other partitions.
    let register = session.get(&names.name, REGISTER_KEY).await?;
    let register: Option<split::Register> =
        register.and_then(|entry| serde_json::from_slice(&entry.value).ok());
    let position = register.map(|register| register.seq);
    let owner = view.leases.get(&0).map(|lease| lease.value.worker.clone());
    let owner = owner.filter(|owner| !owner.is_empty());
    Ok(Raw {
        stream: names.raw.clone(),
        failed: view.failed(owner.as_ref(), 0),
        retrying: view.retrying(owner.as_ref(), 0),
        owner,
        position,
        lag: lag(session, &names.raw, &names.input, position.unwrap_or(0)).await?,
    })
}

fn mark(message: &StreamMessage) -> Option<Mark> {
    Mark::from_headers(|name| Some(message.headers.get(name)?.as_str()))
}

/// Returns the number of messages of a subject behind a position.
async fn lag(
    session: &Session,
    stream: &str,
    subject: &str,
    position: u64,
) -> Result<u64, Refusal> {
    // Only a consumer counts the messages of a subject from a position on.
    let consumer = format!("status-{}", unique());
    let config = json!({
        "name": consumer,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": position + 1,
        "ack_policy": "none",
        "filter_subject": subject,
        "inactive_threshold": 10_000_000_000_u64,
        "num_replicas": 1,
        "mem_storage": true,
    });
    let request = json!({ "stream_name": stream, "config": config });
    let created = format!("CONSUMER.CREATE.{stream}.{consumer}.{subject}");
    let info: Info = session.request(created, &request).await?;
    let deleted = format!("CONSUMER.DELETE.{stream}.{consumer}");
    let _: serde_json::Value = session.request(deleted, &json!({})).await?;
    Ok(info.num_pending)
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn seconds_since(then: i64, now: i64) -> u64 {
    u64::try_from((now - then) / 1_000_000_000).unwrap_or(0)
}
