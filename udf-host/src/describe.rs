//! What a UDF is, as people and tools are told it.

use udf_proto::{EdgeType, Value, ValueType};

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
