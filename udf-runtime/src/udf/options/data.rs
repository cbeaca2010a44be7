//! One option as data: `#[option(...)]` as a constant.

use std::any::Any;
use std::fmt;
use std::ops::{Bound, RangeBounds};

use udf_proto::{OptionCall, Value, ValueType};

use super::calls::Calls;
use super::limits::Limits;
use super::problem;
use super::types::{HasLen, Help, RangedField};
use crate::agent::error::Result;

/// One option of a UDF. Its description runs no code of the author but
/// [`OptionType::help`](super::OptionType::help). Only a valid Init calls the functions that make
/// its values.
#[derive(Clone, Copy)]
pub struct OptionData {
    pub(crate) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) docs: &'static str,
    pub(super) calls: Calls,
    pub(super) types: fn(&mut Vec<ValueType>),
    pub(super) of_type: fn() -> Help,
    pub(super) range: Option<fn() -> Range>,
    pub(super) len: Option<fn() -> Length>,
    pub(super) conflicts: &'static [&'static str],
    pub(super) requires: &'static [&'static str],
    pub(super) deprecated: Option<&'static str>,
    pub(super) default: DefaultData,
    pub(super) example: Option<fn() -> Option<Vec<Value>>>,
    pub(super) making: Making,
    /// Checks a value by a function of the author.
    pub(super) validate: Option<fn(&dyn Any) -> Result<()>>,
    /// The environment variable that replaces a call.
    pub(super) env: Option<&'static str>,
    /// Whether its values are never shown.
    pub(super) is_secret: bool,
    pub(super) at_least_one_of: &'static [&'static [&'static str]],
    /// The rule of the author's own check, in words.
    pub(super) must_be: Option<&'static str>,
    /// Whether descriptions leave it out.
    pub(super) is_hidden: bool,
}

/// A value of an option, or a field.
pub(super) type Boxed = Box<dyn Any>;

/// The functions that make a field of its calls. They do not name a type, so they are data.
#[derive(Clone, Copy)]
pub(super) struct Making {
    /// Makes the value of a call.
    pub(super) make: fn(Vec<Value>) -> Result<Boxed>,
    /// Makes the field of the values of its calls; `None` if a value is missing.
    pub(super) collect: fn(Vec<Boxed>) -> Option<Boxed>,
    /// Whether `make` and `Drop` run no code of an author.
    pub(super) is_plain: bool,
}

/// A value that an expression of the author makes, with its arguments unless code of the author
/// makes them.
#[derive(Debug)]
pub struct Made {
    pub(super) value: Boxed,
    pub(super) shown: Option<Vec<Value>>,
}

// The default of a secret is no more shown than its values.
impl fmt::Debug for OptionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptionData").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The value of an option that is not called.
#[derive(Clone, Copy)]
pub(super) enum DefaultData {
    /// A task must call the option, or it is an `Option` or a `Vec`.
    None,
    /// A literal.
    Literal(Literal),
    /// An expression that runs no code of the author, and its text.
    Constant(fn() -> Made, &'static str),
    /// An expression that runs code of the author, and its text.
    Expression(fn() -> Made, &'static str),
    /// Text that is parsed like the text of a task.
    Text(&'static str),
    /// The `false` of a flag.
    Flag,
}

/// A literal as a TICKscript writes it.
#[derive(Debug, Clone, Copy)]
pub enum Literal {
    /// A BOOL.
    Bool(bool),
    /// An INT.
    Int(i64),
    /// A DOUBLE.
    Double(f64),
    /// A STRING.
    String(&'static str),
    /// A DURATION in nanoseconds.
    Duration(i64),
}

impl Literal {
    /// Returns the arguments of an example.
    pub fn values(all: &[Literal]) -> Option<Vec<Value>> {
        Some(all.iter().map(|&literal| literal.into()).collect())
    }
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Value {
        match literal {
            Literal::Bool(value) => Value::Bool(value),
            Literal::Int(value) => Value::Int(value),
            Literal::Double(value) => Value::Double(value),
            Literal::String(value) => Value::from(value),
            Literal::Duration(nanos) => Value::Duration(nanos),
        }
    }
}

/// Returns a range for an option of this type.
pub fn range<F: RangedField<Bound: Clone>, R: RangeBounds<F::Bound>>(range: R) -> Range {
    let end = |end: Bound<&F::Bound>| end.cloned().map(F::value);
    Range(Limits::new(end(range.start_bound()), end(range.end_bound())))
}

/// The limits of each argument.
#[derive(Debug)]
pub struct Range(pub(super) Limits);

/// Returns a length for an option of this type.
pub fn len<F: HasLen>(len: impl RangeBounds<usize>) -> Length {
    let Range(limits) = range::<usize, _>(len);
    Length { limits, of_calls: F::OF_CALLS }
}

/// The limits of the length of text, or of the number of calls.
#[derive(Debug)]
pub struct Length {
    pub(super) limits: Limits,
    pub(super) of_calls: bool,
}

impl OptionData {
    pub(super) const fn new(
        name: &'static str,
        docs: &'static str,
        calls: Calls,
        types: fn(&mut Vec<ValueType>),
        of_type: fn() -> Help,
        making: Making,
    ) -> Self {
        OptionData {
            name,
            aliases: &[],
            docs,
            calls,
            types,
            of_type,
            range: None,
            len: None,
            conflicts: &[],
            requires: &[],
            deprecated: None,
            default: DefaultData::None,
            example: None,
            making,
            validate: None,
            env: None,
            is_secret: false,
            at_least_one_of: &[],
            must_be: None,
            is_hidden: false,
        }
    }

    /// Sets the other names.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        OptionData { aliases, ..self }
    }

    /// Sets a default that runs code of the author. `source` is the expression.
    pub const fn default(self, make: fn() -> Made, source: &'static str) -> Self {
        OptionData { default: DefaultData::Expression(make, source), ..self }
    }

    /// Sets a literal as the default.
    pub const fn literal(self, literal: Literal) -> Self {
        OptionData { default: DefaultData::Literal(literal), ..self }
    }

    /// Sets a constant as the default. `source` is the expression.
    pub const fn constant(self, make: fn() -> Made, source: &'static str) -> Self {
        OptionData { default: DefaultData::Constant(make, source), ..self }
    }

    /// Sets text that is parsed as the default.
    pub const fn default_text(self, text: &'static str) -> Self {
        OptionData { default: DefaultData::Text(text), ..self }
    }

    /// Makes the option a flag, which is false when it is not called.
    pub const fn is_flag(self) -> Self {
        OptionData { default: DefaultData::Flag, ..self }
    }

    /// Sets the limits of each argument.
    pub const fn range(self, range: fn() -> Range) -> Self {
        OptionData { range: Some(range), ..self }
    }

    /// Sets the limits of the length.
    pub const fn len(self, len: fn() -> Length) -> Self {
        OptionData { len: Some(len), ..self }
    }

    /// Sets the check of each value by a function of the author.
    pub const fn validate(self, check: fn(&dyn Any) -> Result<()>) -> Self {
        OptionData { validate: Some(check), ..self }
    }

    /// Sets the environment variable that replaces a call.
    pub const fn env(self, name: &'static str) -> Self {
        OptionData { env: Some(name), ..self }
    }

    /// Marks an option whose values are never shown.
    pub const fn secret(self) -> Self {
        OptionData { is_secret: true, ..self }
    }

    /// Sets the options that a task cannot call together with it.
    pub const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        OptionData { conflicts, ..self }
    }

    /// Sets the options that a task must call together with it.
    pub const fn requires(self, requires: &'static [&'static str]) -> Self {
        OptionData { requires, ..self }
    }

    /// Sets the sets of options that contain it. A task must call at least one option of each.
    pub const fn at_least_one_of(self, sets: &'static [&'static [&'static str]]) -> Self {
        OptionData { at_least_one_of: sets, ..self }
    }

    /// Sets the words for the values that the author's own check accepts.
    pub const fn must_be(self, words: &'static str) -> Self {
        OptionData { must_be: Some(words), ..self }
    }

    /// Leaves the option out of descriptions.
    pub const fn hidden(self) -> Self {
        OptionData { is_hidden: true, ..self }
    }

    /// Sets the advice of a deprecated option.
    pub const fn deprecated(self, advice: &'static str) -> Self {
        OptionData { deprecated: Some(advice), ..self }
    }

    /// Sets the arguments for samples of TICKscript.
    pub const fn example(self, example: fn() -> Option<Vec<Value>>) -> Self {
        OptionData { example: Some(example), ..self }
    }

    /// Returns its name and its aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Returns the types of its arguments.
    pub(super) fn types(&self) -> Vec<ValueType> {
        let mut types = Vec::new();
        (self.types)(&mut types);
        types
    }

    /// Returns a call of it, as a TICKscript writes it. Hides the value of a secret.
    pub(super) fn line(&self, values: &[Value]) -> String {
        self.call(&OptionCall { name: self.name.to_owned(), values: values.to_vec() })
    }

    /// Returns a call by any of its names. Hides the value of a secret.
    pub(super) fn call(&self, call: &OptionCall) -> String {
        match self.is_secret {
            true => format!(".{}(***)", call.name),
            false => problem::line(call),
        }
    }

    /// Returns the default, if it is a literal or text that is parsed.
    pub(super) fn data_default(&self) -> Option<Vec<Value>> {
        match self.default {
            DefaultData::Literal(literal) => Some(vec![literal.into()]),
            DefaultData::Text(text) => Some(vec![Value::from(text)]),
            _ => None,
        }
    }

    /// Returns the default as a TICKscript writes it, if no code of the author makes it.
    pub(super) fn shown_default(&self) -> Option<Vec<Value>> {
        match self.default {
            _ if self.is_secret => None,
            DefaultData::Constant(make, _) if self.making.is_plain => make().shown,
            _ => self.data_default(),
        }
    }
}
