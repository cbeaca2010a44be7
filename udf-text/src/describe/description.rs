//! What is known of a UDF and of its options.

use udf_proto::{EdgeType, Info, Value, ValueType};

use super::words::{call_form, listed};

/// What is known of a UDF: from its Info response alone, or from the UDF itself, with its help.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its name, as a TICKscript calls it after `@`.
    pub name: String,
    /// What it does: a line for each paragraph and each item of a list. Empty when it is not known.
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
    /// What it is for: a line for each paragraph and each item of a list. Empty when it is not known.
    pub help: String,
    /// The types of its arguments; none for a flag.
    pub args: Vec<ValueType>,
    /// Whether it can be called several times.
    pub repeated: bool,
    /// How often a task must call it at least.
    pub min_calls: usize,
    /// The arguments that count when it is not called, when they are known.
    pub default: Option<Vec<Value>>,
    /// The expression of the UDF that makes the value when it is not called, when that value is not known
    /// before a task starts.
    pub default_expression: Option<String>,
    /// What its value must be, in words: `at least 1`.
    pub range: Option<String>,
    /// The only values that it takes.
    pub choices: Vec<Choice>,
    /// The options that cannot be called together with it.
    pub conflicts: Vec<String>,
    /// The options that must be called together with it.
    pub requires: Vec<String>,
    /// What to use in its place, when it is deprecated.
    pub deprecated: Option<String>,
    /// Arguments that it accepts, for samples. Empty when none are known, or when it has no arguments.
    pub example: Vec<Value>,
}

/// One of the only values that an option takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The text that a TICKscript writes.
    pub value: String,
    /// What it means; empty when it is not known.
    pub help: String,
    /// Other texts for the same.
    pub aliases: Vec<String>,
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
    /// Whether every task must call it.
    pub fn is_required(&self) -> bool {
        self.min_calls > 0
    }

    /// Arguments for a sample; none when nobody knows any that would do.
    ///
    /// Of an option of which nothing is known but its types, any of these types are as good as others.
    pub(super) fn sample(&self, complete: bool) -> Option<Vec<Value>> {
        let fits = |values: &&Vec<Value>| {
            values.len() == self.args.len() && values.iter().all(Value::is_writable)
        };
        let given = Some(&self.example).filter(fits).or(self.default.as_ref().filter(fits));
        if given.is_some() || complete {
            return given.cloned();
        }
        let plain = self.args.iter().map(|expected| match expected {
            ValueType::Bool => Value::Bool(true),
            ValueType::Int => Value::Int(10),
            ValueType::Double => Value::Double(1.0),
            ValueType::String => Value::from("text"),
            ValueType::Duration => Value::Duration(10_000_000_000),
        });
        Some(plain.collect())
    }

    /// A call of it with the types of its arguments, `.field(STRING)`.
    pub(super) fn form(&self) -> String {
        call_form(&self.name, &self.args)
    }

    /// How it goes together with others, as sentences.
    pub(super) fn relations(&self) -> Vec<String> {
        let names = |names: &[String], last| {
            listed(names.iter().map(|name| format!(".{name}")).collect(), last)
        };
        let mut relations = Vec::new();
        if !self.conflicts.is_empty() {
            relations.push(format!("Not together with {}.", names(&self.conflicts, "or")));
        }
        if !self.requires.is_empty() {
            relations.push(format!("Needs {} too.", names(&self.requires, "and")));
        }
        relations
    }
}
