//! A stream as setup wants it, compared with the one on the server.

use serde_json::{Map, Value, json};

use super::{Did, SetupError, Step, age};
use crate::nats::{Refusal, Session};

/// What a difference to the server means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The value must be this one.
    Fixed,
    /// The value is for a new stream.
    Initial,
    /// The value was asked for. A change that keeps more is made, and one that loses data refused.
    Asked,
}

pub(super) struct Wanted {
    pub(super) name: String,
    /// The name in messages, such as `stream ma-in`.
    pub(super) title: String,
    what: &'static str,
    subjects: Vec<String>,
    values: Vec<(&'static str, Value, Rule)>,
}

impl Wanted {
    pub(super) fn new(name: &str, what: &'static str, subjects: &[&str]) -> Self {
        Wanted {
            name: name.to_owned(),
            title: format!("stream {name}"),
            what,
            subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
            values: vec![("subjects", json!(subjects), Rule::Fixed)],
        }
    }

    pub(super) fn set(&mut self, name: &'static str, value: Value, rule: Rule) {
        self.values.retain(|(other, ..)| *other != name);
        self.values.push((name, value, rule));
    }

    /// Sets a value that was asked for, or else the one of a new stream.
    pub(super) fn ask(&mut self, name: &'static str, asked: Option<Value>, initial: Value) {
        let rule = if asked.is_some() { Rule::Asked } else { Rule::Initial };
        self.set(name, asked.unwrap_or(initial), rule);
    }

    /// Compares with the server.
    pub(super) async fn plan(self, session: &Session) -> Result<Plan, Refusal> {
        let found = session.request(format!("STREAM.INFO.{}", self.name), &json!({})).await;
        let present: Option<Value> = match found {
            Ok(info) => Some(info),
            Err(refusal) if refusal.is_missing() => None,
            Err(refusal) => return Err(refusal),
        };
        let differences = match &present {
            Some(info) => self.differences(&info["config"]),
            None => Vec::new(),
        };
        Ok(Plan { wanted: self, present, differences })
    }

    fn differences(&self, present: &Value) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (name, wanted, rule) in &self.values {
            let there = &present[*name];
            if there == wanted || *rule == Rule::Initial {
                continue;
            }
            // The server leaves out limits that are off.
            let (there_number, wanted_number) = (there.as_i64().unwrap_or(0), wanted.as_i64());
            let is_off = |number: i64| number <= 0 && *name != "num_replicas";
            let keeps_more = wanted_number.is_some_and(|wanted| {
                is_off(wanted) || (!is_off(there_number) && wanted > there_number)
            });
            if wanted_number.is_some_and(|wanted| is_off(wanted) && is_off(there_number)) {
                continue;
            }
            differences.push(Difference {
                name,
                there: there.clone(),
                wanted: wanted.clone(),
                is_safe: (*rule == Rule::Asked && keeps_more) || *wanted == json!(true),
            });
        }
        differences
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        config.insert("name".to_owned(), json!(self.name));
        for (name, value, _) in &self.values {
            config.insert((*name).to_owned(), value.clone());
        }
        config
    }
}

struct Difference {
    name: &'static str,
    there: Value,
    wanted: Value,
    /// Whether the change loses nothing.
    is_safe: bool,
}

impl Difference {
    /// Returns the values as people read them.
    fn texts(&self) -> (String, String) {
        let text = |value: &Value| match (self.name, value) {
            ("max_age", value) => age(value.as_u64().unwrap_or(0)).replace("kept ", ""),
            // The server leaves out values that are off.
            (_, Value::Null) => "off".to_owned(),
            (_, Value::String(text)) => text.clone(),
            (_, value) => value.to_string(),
        };
        (text(&self.there), text(&self.wanted))
    }

    fn problem(&self, wanted: &Wanted) -> String {
        let (there, want) = self.texts();
        let (title, stream) = (&wanted.title, &wanted.name);
        let flag = match self.name {
            "num_replicas" => "--replicas",
            "max_age" => "--max-age",
            "max_bytes" => "--max-bytes",
            name => {
                return format!(
                    "the {title} has the {name} {there}, but must have {want}; set up another name, or delete the {title} \
                     if its data is not needed"
                );
            }
        };
        let advice = match self.name {
            "num_replicas" => "a power loss could lose lines",
            _ => "lines that are not handled yet could be lost",
        };
        format!(
            "the {title} has the {} {there}, not {want}: with less, {advice}; leave the argument out, or change it with \
             `nats stream edit {stream} {flag}=...`",
            self.name
        )
    }
}

pub(super) struct Plan {
    wanted: Wanted,
    present: Option<Value>,
    differences: Vec<Difference>,
}

impl Plan {
    pub(super) fn problems(&self) -> Vec<String> {
        let unsafe_ones = self.differences.iter().filter(|difference| !difference.is_safe);
        unsafe_ones.map(|difference| difference.problem(&self.wanted)).collect()
    }

    /// Makes the changes. Returns the information of the stream after them.
    pub(super) async fn run(self, session: &Session) -> Result<(Step, Value), SetupError> {
        let Plan { wanted, present, differences } = self;
        let name = &wanted.name;
        let (did, info) = match present {
            None => {
                let subject = format!("STREAM.CREATE.{name}");
                let created = session.request(subject, &wanted.config()).await;
                (Did::Created, created.map_err(|refusal| failed(&wanted, "created", &refusal))?)
            }
            Some(info) if differences.is_empty() => (Did::Unchanged, info),
            Some(info) => {
                // The whole configuration, with members that this version does not know.
                let mut config = info["config"].clone();
                let mut changes = Vec::new();
                for difference in &differences {
                    config[difference.name] = difference.wanted.clone();
                    let (there, want) = difference.texts();
                    changes.push(format!("{} was {there}, is {want}", difference.name));
                }
                let updated = session.request(format!("STREAM.UPDATE.{name}"), &config).await;
                let info: Value =
                    updated.map_err(|refusal| failed(&wanted, "changed", &refusal))?;
                (Did::Changed(changes.join(", ")), info)
            }
        };
        let limits = limits(&info["config"]);
        let subjects = wanted.subjects.join(", ");
        let detail = match wanted.title.starts_with("bucket") {
            true => format!("for {}", wanted.what),
            false => format!("{subjects} ({limits}), for {}", wanted.what),
        };
        Ok((Step { did, what: wanted.title, detail }, info))
    }
}

fn failed(wanted: &Wanted, what: &str, refusal: &Refusal) -> SetupError {
    let title = &wanted.title;
    let text = refusal.text();
    let advice = match refusal {
        // Replicas > 1 are for clusters, or there are too few servers.
        Refusal::Code(code, ..) if [10074, 10005].contains(&code.0) => {
            "; lower --replicas to the number of servers in the cluster"
        }
        Refusal::Code(code, ..) if code.0 == 10065 => {
            "; another stream holds these subjects: choose other subjects, or delete that stream"
        }
        _ => "",
    };
    SetupError::Server(format!("the {title} cannot be {what}: {text}{advice}"))
}

/// Returns the limits of a stream as text.
pub(super) fn limits(config: &Value) -> String {
    let mut texts = vec![age(config["max_age"].as_u64().unwrap_or(0))];
    if let Some(bytes) = config["max_bytes"].as_i64().filter(|bytes| *bytes > 0) {
        texts.push(format!("up to {bytes} bytes"));
    }
    if let Some(messages) = config["max_msgs"].as_i64().filter(|messages| *messages > 0) {
        texts.push(format!("up to {messages} messages"));
    }
    match config["num_replicas"].as_u64().unwrap_or(1) {
        1 => texts.push("1 replica".to_owned()),
        replicas => texts.push(format!("{replicas} replicas")),
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(age: Option<u64>, replicas: Option<u64>) -> Wanted {
        let mut wanted = Wanted::new("ma-in", "lines", &["udf.ma.in.*"]);
        wanted.set("storage", json!("file"), Rule::Fixed);
        wanted.ask("max_age", age.map(|age| json!(age)), json!(7));
        wanted.ask("num_replicas", replicas.map(|n| json!(n)), json!(1));
        wanted
    }

    #[test]
    fn only_changes_that_keep_more_are_made() {
        let present = json!({
            "subjects": ["udf.ma.in.*"], "storage": "file", "max_age": 5_000_000_000_u64, "num_replicas": 3
        });
        let found = |wanted: Wanted| -> Vec<(&str, bool)> {
            let differences = wanted.differences(&present);
            differences.iter().map(|difference| (difference.name, difference.is_safe)).collect()
        };
        assert_eq!(found(wanted(None, None)), []);
        assert_eq!(found(wanted(Some(5_000_000_000), Some(3))), []);
        assert_eq!(found(wanted(Some(6_000_000_000), None)), [("max_age", true)]);
        assert_eq!(found(wanted(Some(0), None)), [("max_age", true)]);
        assert_eq!(found(wanted(Some(4), Some(1))), [("max_age", false), ("num_replicas", false)]);
        assert_eq!(found(wanted(None, Some(5))), [("num_replicas", true)]);
        let mut other = wanted(None, None);
        other.set("storage", json!("memory"), Rule::Fixed);
        assert_eq!(found(other), [("storage", false)]);
    }

    #[test]
    fn a_limit_that_is_off_is_not_lowered() {
        let present = json!({"subjects": ["udf.ma.in.*"], "storage": "file", "num_replicas": 1});
        let differences = wanted(Some(9), None).differences(&present);
        assert_eq!(differences.len(), 1);
        assert!(!differences[0].is_safe);
        let problem = differences[0].problem(&wanted(Some(9), None));
        assert!(
            problem.contains("max_age for ever, not for 0s")
                && problem.contains("nats stream edit ma-in --max-age"),
            "{problem}"
        );
        assert!(wanted(Some(0), None).differences(&present).is_empty());
    }
}
