//! Sets up the streams and the bucket of a UDF, as often as wanted.
//!
//! A plan is made first. If something on the server contradicts it, nothing is changed.

mod raw;
mod stream;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use self::raw::RawStream;
use self::stream::{Rule, Wanted};
use crate::log::{LogError, PutError};
use crate::nats::{CONFIG, Names, Refusal, Session, bucket_stream};

/// How long lines are kept if nothing else is asked for.
pub const RETENTION: Duration = Duration::from_secs(24 * 3600);

/// How long lines that were left out are kept.
const DEAD_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// What to set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The names, with the stream `NAME-raw` for raw lines.
    pub names: Names,
    /// The number of copies of each stream. `None` keeps what there is, and creates one copy.
    pub replicas: Option<usize>,
    /// How long lines are kept. `None` keeps what there is, and creates [`RETENTION`].
    pub retention: Option<Duration>,
    /// The bytes that each stream keeps at most. `None` keeps what there is, and creates no limit.
    pub max_bytes: Option<u64>,
}

/// What happens to a thing on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// It did not exist.
    Created,
    /// It was as wanted.
    Unchanged,
    /// It exists, and stays as it is, because it belongs to somebody else.
    Found,
    /// It was changed, without a loss.
    Changed(String),
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub did: Did,
    /// The thing, such as `stream ma-in`.
    pub what: String,
    /// What it holds.
    pub detail: String,
}

/// What setup has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The things, in order.
    pub steps: Vec<Step>,
    /// What operators should know.
    pub warnings: Vec<String>,
}

/// Why nothing was set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The server cannot be used.
    #[error("{0}")]
    Server(String),
    /// Something on the server contradicts the arguments. Nothing was changed.
    #[error("{}\nnothing was changed", .0.join("\n"))]
    Differs(Vec<String>),
}

impl From<Refusal> for SetupError {
    fn from(refusal: Refusal) -> Self {
        SetupError::Server(refusal.text().to_owned())
    }
}

impl From<LogError> for SetupError {
    fn from(error: LogError) -> Self {
        SetupError::Server(error.to_string())
    }
}

impl Setup {
    /// Sets everything up. A second call with the same arguments changes nothing.
    ///
    /// # Errors
    /// If the server cannot be used, or something on it contradicts the arguments.
    pub async fn run(&self, session: &Session) -> Result<Report, SetupError> {
        if let Some(why) = session.too_old() {
            return Err(SetupError::Server(why));
        }
        let mut problems = Vec::new();
        let mut names = self.names.clone();
        let present = stored(session, &names.name).await?;
        if let Some(present) = &present {
            problems.extend(contradictions(&names, present));
            names.grouping.clone_from(&present.grouping);
        }
        let raw = self.raw(session, &mut problems).await?;
        let mut wanted = Vec::new();
        match &raw {
            Raw::Found(stream) => names.raw.clone_from(&stream.name),
            Raw::Own => wanted.push(self.stream(&names.raw, &names.input, "raw lines")),
        }
        if let Some(present) = present.as_ref().filter(|present| present.raw != names.raw) {
            problems.push(format!(
                "`{}` reads raw lines from the stream {}, and `{}` is in the stream {} now: positions count the messages \
                 of the former; set up another name",
                names.name, present.raw, names.input, names.raw
            ));
        }
        let partitions = format!("udf.{}.in.>", names.name);
        wanted.push(self.stream(&names.partitions_stream(), &partitions, "lines by partition"));
        let output = format!("{}.*", names.output);
        wanted.push(self.stream(&names.output_stream(), &output, "lines of the UDF"));
        let mut dead = self.stream(&names.dead_stream(), &names.dead(), "lines that were left out");
        dead.set("max_age", nanoseconds(DEAD_RETENTION), Rule::Initial);
        wanted.push(dead);
        wanted.push(self.bucket(&names));

        let mut plans = Vec::new();
        for wanted in wanted {
            let plan = wanted.plan(session).await?;
            problems.extend(plan.problems());
            plans.push(plan);
        }
        if !problems.is_empty() {
            return Err(SetupError::Differs(problems));
        }
        let mut report = Report::default();
        if let Raw::Found(stream) = &raw {
            report.steps.push(Step {
                did: Did::Found,
                what: format!("stream {}", stream.name),
                detail: format!(
                    "{} ({}), for raw lines",
                    stream.subjects.join(", "),
                    stream.limits()
                ),
            });
            report.warnings.extend(stream.warnings());
        }
        let mut copies = 0;
        for plan in plans {
            let (step, info) = plan.run(session).await?;
            report.steps.push(step);
            copies = info["config"]["num_replicas"].as_u64().unwrap_or(1);
        }
        report.steps.push(self.store(session, &names, present.as_ref()).await?);
        if copies < 3 {
            report.warnings.push(durability(copies));
        }
        Ok(report)
    }

    fn stream(&self, name: &str, subject: &str, what: &'static str) -> Wanted {
        let mut wanted = Wanted::new(name, what, &[subject]);
        wanted.set("retention", json!("limits"), Rule::Fixed);
        wanted.set("storage", json!("file"), Rule::Fixed);
        wanted.set("discard", json!("old"), Rule::Initial);
        wanted.set("allow_direct", json!(true), Rule::Initial);
        wanted.ask("num_replicas", self.replicas.map(|n| json!(n)), json!(1));
        wanted.ask("max_age", self.retention.map(nanoseconds), nanoseconds(RETENTION));
        wanted.ask("max_bytes", self.max_bytes.map(|n| json!(n)), json!(-1));
        wanted
    }

    fn bucket(&self, names: &Names) -> Wanted {
        let bucket = names.bucket();
        let what = "the configuration, snapshots, workers and leases";
        let mut wanted =
            Wanted::new(&bucket_stream(&names.name), what, &[&format!("$KV.{bucket}.>")]);
        wanted.title = format!("bucket {bucket}");
        wanted.set("storage", json!("file"), Rule::Fixed);
        wanted.set("max_msgs_per_subject", json!(1), Rule::Fixed);
        // As the command `nats kv add` creates a bucket.
        wanted.set("discard", json!("new"), Rule::Initial);
        wanted.set("allow_rollup_hdrs", json!(true), Rule::Initial);
        wanted.set("deny_delete", json!(true), Rule::Initial);
        // The leases are read with it.
        wanted.set("allow_direct", json!(true), Rule::Fixed);
        wanted.ask("num_replicas", self.replicas.map(|n| json!(n)), json!(1));
        wanted
    }

    /// Finds the stream that holds the raw lines.
    async fn raw(&self, session: &Session, problems: &mut Vec<String>) -> Result<Raw, SetupError> {
        #[derive(Deserialize)]
        struct Found {
            streams: Option<Vec<String>>,
        }
        let input = &self.names.input;
        let request = json!({ "subject": input });
        let found: Found = session.request("STREAM.NAMES".to_owned(), &request).await?;
        let mut found = found.streams.unwrap_or_default();
        found.retain(|name| *name != self.names.raw);
        match &found[..] {
            [] => Ok(Raw::Own),
            [name] => {
                let stream = RawStream::read(session, name).await?;
                problems.extend(stream.problems(input));
                Ok(Raw::Found(stream))
            }
            names => {
                problems.push(format!(
                    "the input `{input}` is in several streams ({}), and a splitter reads one; choose a subject of one \
                     stream",
                    names.join(", ")
                ));
                Ok(Raw::Own)
            }
        }
    }

    async fn store(
        &self,
        session: &Session,
        names: &Names,
        present: Option<&Names>,
    ) -> Result<Step, SetupError> {
        let step = |did| Step {
            did,
            what: format!("key {CONFIG}"),
            detail: format!(
                "{} partitions, from {} to {}",
                names.partitions, names.input, names.output
            ),
        };
        if present == Some(names) {
            return Ok(step(Did::Unchanged));
        }
        let text =
            serde_json::to_vec(names).map_err(|error| SetupError::Server(error.to_string()))?;
        let revision = session.get(&names.name, CONFIG).await?.map_or(0, |entry| entry.revision);
        match session.put(&names.name, CONFIG, text.into(), revision).await {
            Ok(_) => Ok(step(Did::Created)),
            Err(PutError::Conflict) => Err(SetupError::Server(
                "another setup runs at the same time; run it again to see what it did".to_owned(),
            )),
            Err(error) => Err(SetupError::Server(error.to_string())),
        }
    }
}

/// Returns the configuration in the bucket of a UDF, or none if there is none.
///
/// # Errors
/// If the server cannot be asked, or the configuration is not one of this version.
pub async fn stored(session: &Session, name: &str) -> Result<Option<Names>, SetupError> {
    let entry = match session.entry(name, CONFIG).await {
        Ok(entry) => entry,
        Err(refusal) if refusal.is_missing() => None,
        Err(refusal) => return Err(refusal.into()),
    };
    let Some(entry) = entry else { return Ok(None) };
    let names: Names = serde_json::from_slice(&entry.value).map_err(|error| {
        SetupError::Server(format!(
            "the key `{CONFIG}` in the bucket of `{name}` cannot be read: {error}; was it written by a newer version?"
        ))
    })?;
    if names.version > crate::nats::VERSION {
        return Err(SetupError::Server(format!(
            "`{name}` was set up by a newer version of udf; update udf on this machine"
        )));
    }
    Ok(Some(names))
}

enum Raw {
    /// A stream of somebody else.
    Found(RawStream),
    /// The stream `NAME-raw`.
    Own,
}

/// Returns what the stored configuration contradicts.
fn contradictions(names: &Names, present: &Names) -> Vec<String> {
    let name = &names.name;
    let mut problems = Vec::new();
    if names.partitions != present.partitions {
        problems.push(format!(
            "`{name}` has {} partitions, not {}: with another number, groups would move to partitions without their \
             state; set up another name with {} partitions and another output, and stop the workers of `{name}` when \
             they have caught up",
            present.partitions, names.partitions, names.partitions
        ));
    }
    for (what, wanted, there) in
        [("input", &names.input, &present.input), ("output", &names.output, &present.output)]
    {
        if wanted != there {
            problems.push(format!(
                "`{name}` has the {what} `{there}`, not `{wanted}`: positions count the messages of that stream; \
                 set up another name"
            ));
        }
    }
    problems
}

fn durability(copies: u64) -> String {
    format!(
        "{copies} of each stream on one server: a crash of the process of the server loses nothing, but a power loss can \
         lose what was acknowledged since the last sync, by default up to 2 minutes, and while the server is down, nothing runs; use --replicas 3 in a \
         cluster of three servers, or set `sync_interval: always` in the server",
        copies = if copies == 1 { "one copy".to_owned() } else { format!("{copies} copies") }
    )
}

fn nanoseconds(duration: Duration) -> Value {
    json!(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// Returns a time of a configuration as text.
fn age(nanoseconds: u64) -> String {
    match nanoseconds {
        0 => "kept for ever".to_owned(),
        age => format!("kept for {}", rounded(Duration::from_nanos(age))),
    }
}

/// Returns a duration in the largest unit that shows it exactly, down to seconds.
fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        seconds if seconds >= 86_400 && seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did = match &self.did {
            Did::Created => "created",
            Did::Unchanged => "unchanged",
            Did::Found => "uses",
            Did::Changed(_) => "changed",
        };
        write!(f, "{did:<10} {:<24} {}", self.what, self.detail)?;
        match &self.did {
            Did::Changed(how) => write!(f, ": {how}"),
            _ => Ok(()),
        }
    }
}
