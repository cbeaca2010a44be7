//! The form of the page: the options of the UDF, the fields and tags of the input, and the values
//! at the start.

use std::collections::BTreeMap;

use serde::Serialize;
use udf_proto::point::FieldValue;
use udf_proto::{Info, Value};
use udf_text::describe::Description;

use crate::http::json;
use crate::{Page, Play};
use udf_host::replay::{Data, Replay};

/// The number of points that are read for the names of fields and tags.
pub(crate) const SCANNED: usize = 10_000;

/// The maximum number of names of fields, and of tags.
const MAX_NAMES: usize = 200;

/// The names in the input.
#[derive(Default, Serialize)]
struct Names {
    /// Whether the input is a recording of batches, which has its own groups and windows.
    is_recording: bool,
    fields: Vec<String>,
    /// The number that changes most often, for an option that needs the name of a field.
    liveliest: Option<String>,
    tags: Vec<String>,
    /// Why the input cannot be read.
    problem: Option<String>,
}

/// Returns the options of a UDF as an Info response has them, with their aliases.
pub(crate) fn info(udf: &Description) -> Info {
    let mut options = BTreeMap::new();
    for option in &udf.options {
        for name in [&option.name].into_iter().chain(&option.aliases) {
            options.insert(name.clone(), option.args.clone());
        }
    }
    Info { wants: udf.wants, provides: udf.provides, options }
}

/// The values at the start.
#[derive(Serialize)]
struct Start<'a> {
    options: Vec<Call<'a>>,
    group_by: Vec<&'a str>,
    by_name: bool,
    every: Option<String>,
}

/// A call of an option, as its arguments are typed.
#[derive(Serialize)]
struct Call<'a> {
    name: &'a str,
    args: Vec<String>,
}

/// Returns everything that the page needs to make its form, as JSON, and reads the input again.
pub(crate) fn form(page: &Page<'_>) -> Vec<u8> {
    let Page { play, calls, .. } = page;
    let grouping = &play.replay.grouping;
    let start = Start {
        options: calls
            .iter()
            .map(|call| Call {
                name: main_name(&play.udf, &call.name),
                args: call.values.iter().map(typed).collect(),
            })
            .collect(),
        group_by: match grouping.has_all_tags() {
            true => vec!["*"],
            false => grouping.tags().collect(),
        },
        by_name: grouping.is_by_name(),
        every: play.replay.every.map(|every| typed(&Value::Duration(every))),
    };
    let file = play.input.path().to_string_lossy();
    let parts = [
        (r#"{"udf":"#, play.udf.to_json().into_bytes()),
        (r#","file":"#, json(&file)),
        (r#","secrets":"#, json(&play.udf.secrets())),
        (r#","input":"#, json(&names(play))),
        (r#","start":"#, json(&start)),
        ("}", Vec::new()),
    ];
    parts.iter().flat_map(|(key, value)| [key.as_bytes(), value]).collect::<Vec<_>>().concat()
}

/// Returns the name of an option for one of its names.
fn main_name<'n>(udf: &'n Description, name: &'n str) -> &'n str {
    let is_of = |aliases: &[String]| aliases.iter().any(|alias| alias == name);
    let option = udf.options.iter().find(|option| is_of(&option.aliases));
    option.map_or(name, |option| &option.name)
}

/// Returns a value as a user types it.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn names(play: &Play) -> Names {
    let plain = Replay::default().precision(play.replay.precision);
    let failed = |problem: String| Names { problem: Some(problem), ..Names::default() };
    let refreshed = play.input.refresh();
    let data = match play.input.reader().map(|reader| plain.read(reader, SCANNED)) {
        Ok(Ok(read)) => read.data,
        Ok(Err(error)) => return failed(format!("the input cannot be read: {error}")),
        Err(error) => return failed(error.to_string()),
    };
    let (mut numbers, mut fields, mut tags) = (Seen::default(), Seen::default(), Seen::default());
    let is_recording = matches!(data, Data::Recorded(_));
    match data {
        Data::Points(points) => {
            for point in points {
                point.fields_int.iter().for_each(|(name, value)| numbers.add(name, *value as f64));
                point.fields_double.iter().for_each(|(name, value)| numbers.add(name, *value));
                point.fields_string.keys().for_each(|name| fields.add(name, 0.0));
                point.fields_bool.keys().for_each(|name| fields.add(name, 0.0));
                point.tags.keys().for_each(|name| tags.add(name, 0.0));
            }
        }
        Data::Windows(batches) | Data::Recorded(batches) => {
            for batch in batches {
                batch.tags.keys().for_each(|name| tags.add(name, 0.0));
                for point in batch.points.iter() {
                    point.tags().for_each(|(name, _)| tags.add(name, 0.0));
                    for (name, value) in point.fields() {
                        match value {
                            FieldValue::Float(value) => numbers.add(name, value),
                            FieldValue::Int(value) => numbers.add(name, value as f64),
                            _ => fields.add(name, 0.0),
                        }
                    }
                }
            }
        }
    }
    let liveliest = numbers.liveliest();
    numbers.0.iter().for_each(|number| fields.add(&number.name, 0.0));
    let problem = refreshed.err().map(|error| error.to_string());
    Names { is_recording, fields: fields.names(), liveliest, tags: tags.names(), problem }
}

/// Names in their order.
#[derive(Default)]
struct Seen(Vec<Name>);

/// A name, its last value, and how often the value has changed.
struct Name {
    name: String,
    last: f64,
    changes: u32,
}

impl Seen {
    fn add(&mut self, name: &str, value: f64) {
        match self.0.binary_search_by(|other| other.name.as_str().cmp(name)) {
            Ok(place) => {
                let known = &mut self.0[place];
                known.changes += u32::from(known.last != value);
                known.last = value;
            }
            Err(place) if self.0.len() < MAX_NAMES => {
                self.0.insert(place, Name { name: name.to_owned(), last: value, changes: 0 });
            }
            Err(_) => {}
        }
    }

    fn names(self) -> Vec<String> {
        self.0.into_iter().map(|name| name.name).collect()
    }

    /// Returns the number that changed most often, the first by name of several.
    fn liveliest(&self) -> Option<String> {
        let most = self.0.iter().map(|number| number.changes).max()?;
        let first = self.0.iter().find(|number| number.changes == most)?;
        Some(first.name.clone())
    }
}
