//! The description of a UDF and of its options.

use udf_proto::{EdgeType, Info, Value, ValueType};

use super::words::{call_form, listed};

/// Describes a UDF. The description comes from an Info response, or from the UDF itself, with help.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The name of the UDF. A TICKscript writes it after `@`.
    pub name: String,
    /// The help text, with one line per paragraph and per list item. Empty if unknown.
    pub help: String,
    /// The kind of edge that the UDF reads.
    pub wants: EdgeType,
    /// The kind of edge that the UDF writes.
    pub provides: EdgeType,
    /// The options of the UDF, in the order of the description.
    pub options: Vec<OptionHelp>,
    /// Whether the description is complete. An Info response contains the names and types of the
    /// options. It does not contain which options are required, repeatable or have a default.
    pub complete: bool,
}

/// Describes one option.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionHelp {
    /// The name of the option in a TICKscript.
    pub name: String,
    /// Other names of the option.
    pub aliases: Vec<String>,
    /// The help text, with one line per paragraph and per list item. Empty if unknown.
    pub help: String,
    /// The types of the arguments. A flag has none.
    pub args: Vec<ValueType>,
    /// The names of the arguments, in the same order. Empty if the arguments have no names.
    pub arg_names: Vec<String>,
    /// Whether a task can call the option several times.
    pub repeated: bool,
    /// The minimum number of calls in a task.
    pub min_calls: usize,
    /// The arguments that apply if a task does not call the option, if they are known.
    pub default: Option<Vec<Value>>,
    /// The expression in the source of the UDF that computes the default, if the value is unknown
    /// before a task starts.
    pub default_expression: Option<String>,
    /// The allowed values in words, such as `at least 1`.
    pub range: Option<String>,
    /// The allowed values. Empty if the option is not limited to a list.
    pub choices: Vec<Choice>,
    /// Whether upper and lower case are equal in the choices.
    pub ignores_case: bool,
    /// The options that a task cannot call together with this option.
    pub conflicts: Vec<String>,
    /// The options that a task must call together with this option.
    pub requires: Vec<String>,
    /// Sets of options that contain this option. A task must call at least one option of each set.
    pub at_least_one_of: Vec<Vec<String>>,
    /// The replacement, if the option is deprecated.
    pub deprecated: Option<String>,
    /// Whether the arguments must not be shown to others, as those of a password.
    pub secret: bool,
    /// Valid arguments for samples. Empty if none are known, or if the option has no arguments.
    pub example: Vec<Value>,
}

/// Describes one allowed value of an option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The text in a TICKscript.
    pub value: String,
    /// The help text. Empty if unknown.
    pub help: String,
    /// Other texts with the same meaning.
    pub aliases: Vec<String>,
}

impl Description {
    /// Returns the names and the aliases of the options that are secret.
    pub fn secrets(&self) -> Vec<String> {
        let mut names = Vec::new();
        for option in self.options.iter().filter(|option| option.secret) {
            names.push(option.name.clone());
            names.extend_from_slice(&option.aliases);
        }
        names
    }

    /// Returns the description of the UDF `name` from its Info response. It is not
    /// [complete](Self::complete).
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
    /// Returns whether every task must call the option.
    pub fn is_required(&self) -> bool {
        self.min_calls > 0
    }

    /// Returns arguments for a sample, or none if no valid ones are known.
    ///
    /// If only the types of the option are known, any arguments of these types do.
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

    /// Returns a call of the option with the names and types of its arguments, `.field(STRING)`.
    pub(super) fn form(&self) -> String {
        call_form(&self.name, &self.args, &self.arg_names)
    }

    /// Returns the relations to other options, as sentences.
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
        for set in &self.at_least_one_of {
            relations.push(format!("A task must call at least one of {}.", names(set, "and")));
        }
        relations
    }
}
