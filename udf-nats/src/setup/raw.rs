//! A stream of somebody else that holds the raw lines.

use serde_json::{Value, json};

use super::stream;
use crate::nats::{Refusal, Session, matches};

/// A stream that somebody else has created.
pub(super) struct RawStream {
    pub(super) name: String,
    pub(super) subjects: Vec<String>,
    config: Value,
}

impl RawStream {
    pub(super) async fn read(session: &Session, name: &str) -> Result<Self, Refusal> {
        let mut info: Value = session.request(format!("STREAM.INFO.{name}"), &json!({})).await?;
        let config = info["config"].take();
        let subjects = config["subjects"].as_array().into_iter().flatten();
        let subjects = subjects.filter_map(|subject| Some(subject.as_str()?.to_owned())).collect();
        Ok(RawStream { name: name.to_owned(), subjects, config })
    }

    pub(super) fn problems(&self, input: &str) -> Vec<String> {
        let name = &self.name;
        let mut problems = Vec::new();
        if !self.subjects.iter().any(|pattern| matches(pattern, input)) {
            problems.push(format!(
                "the stream {name} holds only a part of the input `{input}`: its subjects are {}; choose one of them",
                self.subjects.join(", ")
            ));
        }
        if self.config["retention"] != "limits" {
            problems.push(format!(
                "the stream {name} has the retention {}, which removes lines before they are handled; \
                 use a stream with the retention limits",
                self.config["retention"]
            ));
        }
        problems
    }

    pub(super) fn limits(&self) -> String {
        stream::limits(&self.config)
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let (name, config) = (&self.name, &self.config);
        let mut warnings = Vec::new();
        if config["storage"] == "memory" {
            warnings.push(format!(
                "the stream {name} is in memory: a restart of the server loses its lines"
            ));
        }
        if config["persist_mode"] == "async" {
            warnings.push(format!("the stream {name} acknowledges lines before they are stored"));
        }
        if let Some(most) = config["max_msgs_per_subject"].as_i64().filter(|most| *most > 0) {
            warnings.push(format!(
                "the stream {name} keeps only the last {most} messages of each subject: lines that are not split by \
                 then are lost"
            ));
        }
        warnings
    }
}
