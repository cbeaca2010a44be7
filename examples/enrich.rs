//! Adds the answers of an HTTP server to points. Shows several look-ups at the same time, and a
//! cache.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use udf_runtime::options::{FieldName, OptionType, TagName};
use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, Task, udf};

/// What happens to a point whose look-up fails.
#[derive(Clone, Copy, OptionType)]
enum OnFailure {
    /// The point is passed on without the field. The log counts the failures.
    Pass,
    /// The task fails.
    Fail,
}

/// Asks an HTTP server about a tag of each point, and adds the answer as a field.
///
/// A point with the tag `host=a` asks `URL?host=a`. Output keeps the order of the input.
#[udf(wants = stream, provides = stream, on_missing = pass)]
struct Enrich {
    /// The address to ask, without a query.
    #[option(parse, example = "http://127.0.0.1:8080/owner")]
    url: ureq::http::Uri,
    /// Tag whose value is looked up.
    #[option]
    tag: TagName,
    /// Name of the field that gets the answer.
    #[option(default = "answer")]
    r#as: FieldName,
    /// Number of look-ups at the same time.
    #[option(default = 16, range = 1..=256)]
    lookups: usize,
    /// Time after which a look-up fails.
    #[option(default = "5s", range = "1ms"..)]
    timeout: Duration,
    /// Time for which an answer is used again.
    #[option(default = "5m")]
    max_age: Duration,
    /// Number of answers that are kept.
    #[option(default = 10_000, range = 1..)]
    max_answers: usize,
    #[option(default = OnFailure::Pass)]
    on_failure: OnFailure,
    client: Option<ureq::Agent>,
    answers: Mutex<Cache>,
    failures: AtomicU64,
}

impl ConcurrentUdf for Enrich {
    fn workers(&self) -> usize {
        self.lookups
    }

    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        if self.url.scheme_str() != Some("http") {
            return Err(
                format!("the address must begin with http://, not be `{}`", self.url).into()
            );
        }
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .max_idle_connections_per_host(self.lookups)
            .build();
        self.client = Some(config.new_agent());
        Ok(())
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let key = point.require_tag(&self.tag)?;
        match self.answer(key) {
            Ok(answer) => Ok(out.edit(point).field(&self.r#as, answer.as_str()).send()?),
            Err(error) if matches!(self.on_failure, OnFailure::Fail) => Err(error),
            Err(error) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                // The 1st, 2nd, 4th, 8th and so on: a server that is down does not flood the log.
                if failures.is_power_of_two() {
                    eprintln!("{failures} look-ups have failed: {error}");
                }
                Ok(out.pass(point)?)
            }
        }
    }
}

impl Enrich {
    fn answer(&self, key: &str) -> Result<String> {
        // The lock is not held during the look-up.
        let known =
            self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(key, self.max_age);
        if let Some(answer) = known {
            return Ok(answer);
        }
        let client = self.client.as_ref().ok_or("`init` was not called")?;
        let asked = client.get(self.url.clone()).query(&*self.tag, key).call();
        let mut response =
            asked.map_err(|error| format!("the look-up of `{key}` failed: {error}"))?;
        let body = response.body_mut().with_config().limit(64 << 10).read_to_string()?;
        let answer = body.trim().to_owned();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(key, answer.clone(), self.max_answers);
        Ok(answer)
    }
}

/// Answers with the times at which they arrived.
#[derive(Default)]
struct Cache {
    /// The answers that arrived since the cache was half full.
    new: HashMap<String, (Instant, String)>,
    /// The answers from before that. They are dropped when the cache is half full again.
    old: HashMap<String, (Instant, String)>,
}

impl Cache {
    fn get(&self, key: &str, max_age: Duration) -> Option<String> {
        let (at, answer) = self.new.get(key).or_else(|| self.old.get(key))?;
        (at.elapsed() < max_age).then(|| answer.clone())
    }

    fn insert(&mut self, key: &str, answer: String, most: usize) {
        self.new.insert(key.to_owned(), (Instant::now(), answer));
        if self.new.len() >= most.div_ceil(2) {
            self.old = std::mem::take(&mut self.new);
        }
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Enrich>()
}

#[cfg(test)]
#[path = "tests/enrich.rs"]
mod tests;
