//! The names of everything on the server that belongs to a UDF.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use serde::{Deserialize, Serialize};
use udf_text::line_protocol::Grouping;

/// The key of the configuration.
pub const CONFIG: &str = "config";

/// The version of the layout of streams and keys.
pub const VERSION: u32 = 1;

/// The largest number of partitions. One request reads the leases and the workers.
pub const MOST_PARTITIONS: u32 = 512;

/// The names on the server, and what all splitters and workers agree on. Setup stores it in the
/// bucket.
///
/// ```
/// use udf_nats::nats::Names;
///
/// let names = Names::new("ma", "telegraf.raw", "derived.ma", 8)?;
/// assert_eq!(names.lines(3), "udf.ma.in.3.lines");
/// assert_eq!(names.output(3), "derived.ma.3");
/// assert_eq!(names.bucket(), "udf-ma");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The version of the layout.
    pub version: u32,
    /// The name of the UDF on the server.
    pub name: String,
    /// The subject of the raw lines.
    pub input: String,
    /// The stream of the raw lines.
    pub raw: String,
    /// The begin of the subjects of the output.
    pub output: String,
    /// The number of partitions.
    pub partitions: u32,
    /// How lines are grouped, once a splitter or a worker has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<Groups>,
}

/// A grouping in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// The tags, or `*` for all of them.
    pub tags: Vec<String>,
    /// Whether the name of the measurement is part of the group.
    #[serde(default)]
    pub by_name: bool,
}

impl Names {
    /// Creates the names of a UDF. The stream of the raw lines is one of its own.
    ///
    /// # Errors
    /// If a name, a subject or a number is invalid.
    pub fn new(name: &str, input: &str, output: &str, partitions: u32) -> Result<Self, String> {
        check_name(name)?;
        check_subject("input", input, true)?;
        check_subject("output", output, false)?;
        if !(1..=MOST_PARTITIONS).contains(&partitions) {
            return Err(format!("{partitions} partitions: must be from 1 to {MOST_PARTITIONS}"));
        }
        let names = Names {
            version: VERSION,
            name: name.to_owned(),
            input: input.to_owned(),
            raw: format!("{name}-raw"),
            output: output.to_owned(),
            partitions,
            grouping: None,
        };
        let own = [names.lines(0), names.ticks(0), names.output(0), names.dead()];
        if let Some(subject) = own.iter().find(|subject| matches(input, subject)) {
            return Err(format!(
                "the input `{input}` contains `{subject}`, so the UDF would read its own lines; choose subjects that \
                 do not overlap"
            ));
        }
        let outputs = format!("{output}.*");
        let is_output = |subject: String| subject == output || matches(&outputs, &subject);
        if is_output(format!("udf.{name}.in"))
            || is_output(names.dead())
            || output.starts_with(&format!("udf.{name}.in."))
        {
            return Err(format!(
                "the output `{output}` contains the partitions `udf.{name}.in`; choose another subject"
            ));
        }
        Ok(names)
    }

    /// Returns the subject of the lines of a partition. Only splitters write to it.
    pub fn lines(&self, partition: u32) -> String {
        format!("udf.{}.in.{partition}.lines", self.name)
    }

    /// Returns the subject of the ticks of a partition. It is another one, because the fence of a
    /// splitter stands on the last message of its subject.
    pub fn ticks(&self, partition: u32) -> String {
        format!("udf.{}.in.{partition}.ticks", self.name)
    }

    /// Returns the subjects of the lines and the ticks of a partition.
    pub fn partition(&self, partition: u32) -> String {
        format!("udf.{}.in.{partition}.*", self.name)
    }

    /// Returns the subject of the output of a partition.
    pub fn output(&self, partition: u32) -> String {
        format!("{}.{partition}", self.output)
    }

    /// Returns the subject of lines that were left out.
    pub fn dead(&self) -> String {
        format!("udf.{}.dead", self.name)
    }

    /// Returns the stream with the input of all partitions.
    pub fn partitions_stream(&self) -> String {
        format!("{}-in", self.name)
    }

    /// Returns the stream with the output of all partitions.
    pub fn output_stream(&self) -> String {
        format!("{}-out", self.name)
    }

    /// Returns the stream with lines that were left out.
    pub fn dead_stream(&self) -> String {
        format!("{}-dead", self.name)
    }

    /// Returns the bucket of the configuration, the snapshots, the workers and the leases.
    pub fn bucket(&self) -> String {
        bucket(&self.name)
    }
}

/// Returns the name of the bucket of a UDF.
pub fn bucket(name: &str) -> String {
    format!("udf-{name}")
}

/// Returns the stream that holds a bucket.
pub fn bucket_stream(name: &str) -> String {
    format!("KV_{}", bucket(name))
}

/// Returns a text that no other process and no other call returns.
pub fn unique() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

impl Groups {
    /// Returns the grouping as text of the configuration.
    pub fn of(grouping: &Grouping) -> Self {
        let tags = match grouping.has_all_tags() {
            true => vec!["*".to_owned()],
            false => grouping.tags().map(str::to_owned).collect(),
        };
        Groups { tags, by_name: grouping.is_by_name() }
    }
}

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = self.tags.join(",");
        write!(f, "--group-by '{tags}'{}", if self.by_name { " --by-name" } else { "" })
    }
}

/// Checks the name of a UDF, which is a part of names of streams, of a bucket and of subjects.
///
/// # Errors
/// If it has other characters than letters, digits, `-` and `_`, or is too long.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_valid = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_valid) {
        return Err(format!("the name `{name}` must be of up to 64 letters, digits, `-` and `_`"));
    }
    Ok(())
}

fn check_subject(what: &str, subject: &str, wild: bool) -> Result<(), String> {
    let tokens: Vec<_> = subject.split('.').collect();
    let is_token = |(at, token): (usize, &&str)| match *token {
        "*" => wild,
        ">" => wild && at + 1 == tokens.len(),
        token => {
            !token.is_empty() && !token.contains(|c: char| c.is_whitespace() || "*>".contains(c))
        }
    };
    if !tokens.iter().enumerate().all(is_token) || subject.starts_with('$') {
        let wildcards = if wild { "" } else { " and no wildcards" };
        return Err(format!(
            "the {what} `{subject}` is not a subject: it must have words that are separated by dots{wildcards}, such \
             as telegraf.raw"
        ));
    }
    Ok(())
}

/// Returns whether a subject belongs to a pattern.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut subject = subject.split('.');
    let mut pattern = pattern.split('.');
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(pattern), Some(subject)) if pattern == subject => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_match_patterns() {
        for (pattern, subject, expected) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("a.*", "a.b.c", false),
            (">", "a", true),
            ("a", "a.b", false),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn names_that_would_mix_input_and_output_are_refused() {
        assert!(Names::new("m_a-1", "telegraf.>", "derived.ma", 8).is_ok());
        for (name, input, output, partitions, named) in [
            ("m.a", "raw", "out", 1, "`m.a`"),
            ("", "raw", "out", 1, "``"),
            ("m", "raw..x", "out", 1, "raw..x"),
            ("m", "raw", "out.*", 1, "no wildcards"),
            ("m", "$JS.API", "out", 1, "$JS.API"),
            ("m", ">", "out", 1, "udf.m.in.0.lines"),
            ("m", "out.>", "out", 1, "out.0"),
            ("m", "raw", "udf.m.in", 1, "choose another"),
            ("m", "raw", "udf.m", 1, "choose another"),
            ("m", "raw", "out", 0, "0 partitions"),
            ("m", "raw", "out", 513, "513 partitions"),
        ] {
            let error = Names::new(name, input, output, partitions).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_configuration_is_stored_as_json() {
        let mut names = Names::new("ma", "telegraf.raw", "derived.ma", 8).unwrap();
        names.grouping = Some(Groups::of(&Grouping::parse("host,cpu").by_name(true)));
        let text = serde_json::to_string(&names).unwrap();
        assert_eq!(
            text,
            r#"{"version":1,"name":"ma","input":"telegraf.raw","raw":"ma-raw","output":"derived.ma","partitions":8,"grouping":{"tags":["cpu","host"],"by_name":true}}"#
        );
        assert_eq!(serde_json::from_str::<Names>(&text).unwrap(), names);
        assert_eq!(names.grouping.unwrap().to_string(), "--group-by 'cpu,host' --by-name");
        assert_eq!(Groups::of(&Grouping::parse("*")).tags, ["*"]);
    }
}
