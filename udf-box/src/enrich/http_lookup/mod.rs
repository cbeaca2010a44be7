//! Members of the JSON objects that an HTTP server answers.

mod address;
mod answers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};
use udf_runtime::options::{Bytes, FieldName, OptionType, TagName};
use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, Task, udf};

use self::address::Address;
use self::answers::{Answers, Limits};
use crate::common::unmatched::Unmatched;

/// The largest answer in bytes.
const LARGEST: u64 = 64 << 10;

/// Members of the JSON object that an HTTP server answers, as fields and tags. Look-ups run at the
/// same time, and their answers are used again.
#[udf(wants = stream, provides = stream)]
pub struct HttpLookup {
    /// Address to ask. Each name of a tag in braces stands for its value.
    #[option]
    url: Address,
    /// Member that becomes a tag. Call it once for each member.
    #[option(len = ..=100, example = "owner")]
    as_tag: Vec<TagName>,
    /// Member that becomes a field of its type. Call it once for each member. Defaults to all members
    /// that `asTag` does not name.
    #[option(len = ..=100, example = "limit")]
    as_field: Vec<FieldName>,
    /// What happens to a point for which the server knows nothing: status 404 or 410.
    #[option(default = Unmatched::Pass)]
    unmatched: Unmatched,
    /// What happens to a point whose look-up fails.
    #[option(default = Failed::Pass)]
    failed: Failed,
    /// Number of look-ups at the same time.
    #[option(default = 16, range = 1..=256)]
    lookups: usize,
    /// Time after which a look-up fails.
    #[option(default = "5s", range = "1ms"..)]
    timeout: Duration,
    /// Time for which an answer is used again.
    #[option(default = "5m")]
    max_age: Duration,
    /// Time for which an address is not asked again after a look-up that failed.
    #[option(default = "10s")]
    retry_after: Duration,
    /// Memory for answers. Older answers are dropped.
    #[option(default = "16MiB")]
    cache: Bytes,
    client: Option<ureq::Agent>,
    answers: Answers<Outcome>,
    failures: AtomicU64,
}

/// What happens to a point whose look-up fails.
#[derive(Debug, Clone, Copy, OptionType)]
enum Failed {
    /// It is sent without new fields and tags.
    Pass,
    /// The task fails.
    Fail,
}

/// The members that a point gets, nothing, or the reason of a failure.
type Outcome = std::result::Result<Option<Arc<[Member]>>, Arc<str>>;

/// A member of an answer.
#[derive(Debug, PartialEq)]
struct Member {
    name: String,
    value: Cell,
}

/// A value that a point gets.
#[derive(Debug, PartialEq)]
enum Cell {
    Tag(String),
    Text(String),
    Float(f64),
    Bool(bool),
}

impl HttpLookup {
    /// Asks the server.
    fn ask(&self, address: &str) -> Outcome {
        let outcome = self.request(address).map_err(Arc::from);
        if let Err(why) = &outcome {
            let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
            // The 1st, 2nd, 4th, 8th and so on: a server that is down does not flood the log.
            if failures.is_power_of_two() {
                tracing::warn!("look-ups failed: {failures} so far; `{address}`: {why}");
            }
        }
        outcome
    }

    fn request(&self, address: &str) -> std::result::Result<Option<Arc<[Member]>>, String> {
        let client = self.client.as_ref().expect("`init` was called");
        let mut response = client.get(address).call().map_err(|error| error.to_string())?;
        match response.status().as_u16() {
            200 => {}
            404 | 410 => return Ok(None),
            status => return Err(format!("the server answers with status {status}")),
        }
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.map_err(|error| error.to_string())?;
        let object: Map<String, Value> = serde_json::from_slice(&body)
            .map_err(|error| format!("the answer is not a JSON object: {error}"))?;
        Ok(Some(self.members(object).into()))
    }

    /// Returns the members that a point gets.
    fn members(&self, object: Map<String, Value>) -> Vec<Member> {
        let member = |(name, value): (String, Value)| {
            let is_tag = self.as_tag.iter().any(|tag| **tag == *name);
            let is_field = match &*self.as_field {
                [] => !is_tag && FieldName::new(&name).is_ok(),
                fields => fields.iter().any(|field| **field == *name),
            };
            let value = match value {
                Value::String(text) if is_tag => Cell::Tag(text),
                Value::Number(number) if is_tag => Cell::Tag(number.to_string()),
                Value::Bool(value) if is_tag => Cell::Tag(value.to_string()),
                Value::String(text) if is_field => Cell::Text(text),
                // An integer here and a float there would be two types of one field.
                Value::Number(number) if is_field => Cell::Float(number.as_f64()?),
                Value::Bool(value) if is_field => Cell::Bool(value),
                _ => return None,
            };
            (value != Cell::Tag(String::new())).then_some(Member { name, value })
        };
        object.into_iter().filter_map(member).collect()
    }
}

/// Returns about how many bytes an outcome has.
fn size(outcome: &Outcome) -> usize {
    let member = |member: &Member| {
        let text = match &member.value {
            Cell::Tag(text) | Cell::Text(text) => text.len(),
            Cell::Float(_) | Cell::Bool(_) => 0,
        };
        size_of::<Member>() + member.name.len() + text
    };
    match outcome {
        Ok(Some(members)) => members.iter().map(member).sum(),
        Ok(None) => 0,
        Err(why) => why.len(),
    }
}

impl ConcurrentUdf for HttpLookup {
    fn workers(&self) -> usize {
        self.lookups
    }

    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .max_idle_connections(self.lookups)
            .max_idle_connections_per_host(self.lookups)
            .http_status_as_error(false)
            // The task names the server. Neither the environment nor an answer sends it elsewhere.
            .proxy(None)
            .max_redirects(0)
            .user_agent("udfs");
        self.client = Some(config.build().new_agent());
        Ok(())
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let limits =
            Limits { bytes: usize::try_from(self.cache.get()).unwrap_or(usize::MAX), size };
        let age = |outcome: &Outcome| match outcome {
            Ok(_) => self.max_age,
            Err(_) => self.retry_after,
        };
        let outcome = match self.url.of(point) {
            Some(address) => self.answers.of(&address, &limits, age, || self.ask(&address)),
            None => Ok(None),
        };
        match outcome {
            Ok(Some(members)) => {
                let edit = members.iter().fold(out.edit(point), |edit, member| {
                    let name = &member.name;
                    match &member.value {
                        Cell::Tag(text) => edit.tag(name, text),
                        Cell::Text(text) => edit.field(name, text.as_str()),
                        Cell::Float(value) => edit.field(name, *value),
                        Cell::Bool(value) => edit.field(name, *value),
                    }
                });
                Ok(edit.send()?)
            }
            Ok(None) => match self.unmatched {
                Unmatched::Pass => Ok(out.pass(point)?),
                Unmatched::Drop => Ok(()),
            },
            Err(why) => match self.failed {
                Failed::Pass => Ok(out.pass(point)?),
                Failed::Fail => Err(format!("a look-up failed: {why}").into()),
            },
        }
    }
}
