//! The form of the page: the options of the UDF, the fields and tags of the input, and the values
//! at the start.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use udf_proto::point::FieldValue;
use udf_proto::{Info, Value};
use udf_text::describe::Description;

use crate::http::json;
use crate::{Page, Play};
use udf_host::replay::{Data, Replay};

/// The number of points that are read for the names of fields and tags.
const SCANNED: usize = 10_000;

/// The maximum number of names of fields, and of tags.
const MAX_NAMES: usize = 200;

/// The names in the input.
#[derive(Default, Serialize)]
struct Names {
    /// Whether the input is a recording of batches, which has its own groups and windows.
    is_recording: bool,
    fields: BTreeSet<String>,
    /// The number that changes most often, for an option that needs the name of a field.
    liveliest: Option<String>,
    tags: BTreeSet<String>,
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
    let mut names = Names {
        is_recording: matches!(data, Data::Recorded(_)),
        problem: refreshed.err().map(|error| error.to_string()),
        ..Names::default()
    };
    let mut changes = Changes::default();
    match &data {
        Data::Points(points) => {
            for point in points {
                let numbers = point.fields_int.iter().map(|(name, value)| (name, *value as f64));
                let numbers = numbers.chain(point.fields_double.iter().map(|(name, v)| (name, *v)));
                numbers.for_each(|(name, value)| changes.add(name, value));
                let others = point.fields_string.keys().chain(point.fields_bool.keys());
                others.for_each(|name| add(name, &mut names.fields));
                point.tags.keys().for_each(|name| add(name, &mut names.tags));
            }
        }
        Data::Windows(batches) | Data::Recorded(batches) => {
            for batch in batches {
                batch.tags.keys().for_each(|name| add(name, &mut names.tags));
                for point in batch.points.iter() {
                    point.tags().for_each(|(name, _)| add(name, &mut names.tags));
                    for (name, value) in point.fields() {
                        match value {
                            FieldValue::Float(value) => changes.add(name, value),
                            FieldValue::Int(value) => changes.add(name, value as f64),
                            _ => add(name, &mut names.fields),
                        }
                    }
                }
            }
        }
    }
    names.liveliest = changes.liveliest();
    changes.0.keys().for_each(|name| add(name, &mut names.fields));
    names
}

fn add(name: &str, to: &mut BTreeSet<String>) {
    if to.len() < MAX_NAMES && !to.contains(name) {
        to.insert(name.to_owned());
    }
}

/// The last value of each number, and how often it has changed.
#[derive(Default)]
struct Changes(BTreeMap<String, (f64, u32)>);

impl Changes {
    fn add(&mut self, name: &str, value: f64) {
        if let Some((last, count)) = self.0.get_mut(name) {
            *count += u32::from(*last != value);
            *last = value;
        } else if self.0.len() < MAX_NAMES {
            self.0.insert(name.to_owned(), (value, 0));
        }
    }

    /// Returns the number that changed most often, the first by name of several.
    fn liveliest(&self) -> Option<String> {
        let most = self.0.iter().rev().max_by_key(|(_, (_, count))| *count);
        most.map(|(name, _)| name.clone())
    }
}
