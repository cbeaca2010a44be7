//! What a UDF is, as people and tools are told it.
//!
//! | form | for |
//! | --- | --- |
//! | [`Description::to_text`] | a person at a terminal |
//! | [`Description::to_json`] | tools |
//! | [`Description::to_toml`] | kapacitor.conf |
//! | [`Description::to_tick`] | a TICKscript to start from |
//!
//! ```
//! use std::collections::BTreeMap;
//! use udf_host::describe::Description;
//! use udf_proto::{EdgeType, Info, ValueType};
//!
//! let info = Info {
//!     wants: EdgeType::Stream,
//!     provides: EdgeType::Stream,
//!     options: BTreeMap::from([("size".to_owned(), vec![ValueType::Int])]),
//! };
//! let description = Description::from_info("moving_avg", &info);
//! assert!(description.to_text(80).contains(".size(INT)"));
//! ```

mod json;
mod text;
mod tick;
mod toml;

use udf_proto::{EdgeType, Info, Value, ValueType};

pub use toml::Install;

/// What is known of a UDF: from its Info response alone, or from the UDF itself, with its help.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its name, as a TICKscript calls it after `@`.
    pub name: String,
    /// What it does; empty when it is not known.
    pub help: String,
    /// The kind of edge that it reads from.
    pub wants: EdgeType,
    /// The kind of edge that it writes to.
    pub provides: EdgeType,
    /// Its options, in the order in which they are explained.
    pub options: Vec<OptionHelp>,
    /// Whether all of it is known. An Info response tells the names and types of the options, and not
    /// which of them are required, can be called several times or have a default.
    pub complete: bool,
}

/// What is known of one option.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionHelp {
    /// Its name, as a TICKscript calls it.
    pub name: String,
    /// Other names by which it can be called.
    pub aliases: Vec<String>,
    /// What it is for; empty when it is not known.
    pub help: String,
    /// The types of its arguments; none for a flag.
    pub args: Vec<ValueType>,
    /// Whether a task must call it.
    pub required: bool,
    /// Whether it can be called several times.
    pub repeated: bool,
    /// The arguments that count when it is not called.
    pub default: Option<Vec<Value>>,
    /// What its value must be, in words: `at least 1`.
    pub range: Option<String>,
    /// The only values that it takes, each with its help.
    pub choices: Vec<(String, String)>,
    /// What to use in its place, when it is deprecated.
    pub deprecated: Option<String>,
    /// Arguments that it accepts, for samples.
    pub example: Vec<Value>,
}

impl Description {
    /// What an Info response tells of the UDF `name`: its edges, and its options with their types.
    pub fn from_info(name: impl Into<String>, info: &Info) -> Self {
        let options = info.options.iter().map(|(name, args)| OptionHelp {
            name: name.clone(),
            args: args.clone(),
            ..OptionHelp::default()
        });
        Description {
            name: name.into(),
            help: String::new(),
            wants: info.wants,
            provides: info.provides,
            options: options.collect(),
            complete: false,
        }
    }
}

impl OptionHelp {
    /// Arguments for a sample: the default, or else the example, or else some of the right types.
    fn sample(&self) -> Vec<Value> {
        let fits = |values: &&Vec<Value>| values.len() == self.args.len();
        let given = self.default.as_ref().filter(fits).or(Some(&self.example).filter(fits));
        if let Some(given) = given {
            return given.clone();
        }
        if let ([ValueType::String], [(choice, _), ..]) = (&self.args[..], &self.choices[..]) {
            return vec![Value::from(choice.as_str())];
        }
        let plain = self.args.iter().map(|expected| match expected {
            ValueType::Bool => Value::Bool(true),
            ValueType::Int => Value::Int(10),
            ValueType::Double => Value::Double(1.0),
            ValueType::String => Value::from("text"),
            ValueType::Duration => Value::Duration(10_000_000_000),
        });
        plain.collect()
    }
}

/// Values as the arguments of a call in a TICKscript.
fn arguments(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}
