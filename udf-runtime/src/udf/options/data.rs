//! One option as data: `#[option(...)]` as a constant.

use std::ops::{Bound, RangeBounds};

use udf_proto::{OptionCall, Value, ValueType};
use udf_text::describe::OptionHelp;
use udf_text::duration;

use super::calls::Calls;
use super::docs;
use super::limits::Limits;
use super::problem::Misfit;
use super::suggest;
use super::types::{HasLen, Help, RangedField};

/// One option of a UDF. Its description runs no code of the author but [`OptionType::help`](super::OptionType::help).
#[derive(Debug, Clone, Copy)]
pub struct OptionData {
    pub(crate) name: &'static str,
    aliases: &'static [&'static str],
    docs: &'static str,
    pub(super) calls: Calls,
    types: fn(&mut Vec<ValueType>),
    of_type: fn() -> Help,
    range: Option<fn() -> Range>,
    len: Option<fn() -> Length>,
    pub(super) conflicts: &'static [&'static str],
    pub(super) requires: &'static [&'static str],
    pub(super) deprecated: Option<&'static str>,
    default: DefaultData,
    example: Option<fn() -> Option<Vec<Value>>>,
    is_validated: bool,
    /// The environment variable that replaces a call.
    pub(super) env: Option<&'static str>,
    /// Whether its values are never shown.
    pub(super) is_secret: bool,
}

/// The value of an option that is not called.
#[derive(Debug, Clone, Copy)]
enum DefaultData {
    /// A task must call the option, or it is an `Option` or a `Vec`.
    None,
    /// A literal.
    Literal(Literal),
    /// An expression that runs no code of the author, and its text.
    Constant(fn() -> Option<Vec<Value>>, &'static str),
    /// The text of an expression that runs code of the author.
    Expression(&'static str),
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

/// An option with the data of its constant and its types, for one Init or one description.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) data: &'static OptionData,
    pub(super) types: Vec<ValueType>,
    pub(super) help: Help,
    call_count: Limits,
}

/// Returns a range for an option of this type.
pub fn range<F: RangedField<Bound: Clone>, R: RangeBounds<F::Bound>>(range: R) -> Range {
    let end = |end: Bound<&F::Bound>| end.cloned().map(F::value);
    Range(Limits::new(end(range.start_bound()), end(range.end_bound())))
}

/// The limits of each argument.
#[derive(Debug)]
pub struct Range(Limits);

/// Returns a length for an option of this type.
pub fn len<F: HasLen>(len: impl RangeBounds<usize>) -> Length {
    let Range(limits) = range::<usize, _>(len);
    Length { limits, of_calls: F::OF_CALLS }
}

/// The limits of the length of text, or of the number of calls.
#[derive(Debug)]
pub struct Length {
    limits: Limits,
    of_calls: bool,
}

impl OptionData {
    pub(super) const fn new(
        name: &'static str,
        docs: &'static str,
        calls: Calls,
        types: fn(&mut Vec<ValueType>),
        of_type: fn() -> Help,
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
            is_validated: false,
            env: None,
            is_secret: false,
        }
    }

    /// Sets the other names.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        OptionData { aliases, ..self }
    }

    /// Sets a default that runs code of the author. `source` is the expression.
    pub const fn default(self, source: &'static str) -> Self {
        OptionData { default: DefaultData::Expression(source), ..self }
    }

    /// Sets a literal as the default.
    pub const fn literal(self, literal: Literal) -> Self {
        OptionData { default: DefaultData::Literal(literal), ..self }
    }

    /// Sets a constant as the default. `source` is the expression.
    pub const fn constant(self, shown: fn() -> Option<Vec<Value>>, source: &'static str) -> Self {
        OptionData { default: DefaultData::Constant(shown, source), ..self }
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

    /// Marks an option whose values a function of the author checks.
    pub const fn validated(self) -> Self {
        OptionData { is_validated: true, ..self }
    }

    /// The environment variable that replaces a call.
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

    /// Returns a call of it, as a TICKscript writes it.
    pub(super) fn line(&self, values: &[Value]) -> String {
        self.call(&OptionCall { name: self.name.to_owned(), values: values.to_vec() })
    }

    /// Returns a call by any of its names. Hides the value of a secret.
    pub(super) fn call(&self, call: &OptionCall) -> String {
        match self.is_secret {
            true => format!(".{}(***)", call.name),
            false => super::problem::line(call),
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
    fn shown_default(&self) -> Option<Vec<Value>> {
        match self.default {
            _ if self.is_secret => None,
            DefaultData::Constant(show, _) => show(),
            _ => self.data_default(),
        }
    }
}

impl Known {
    pub(super) fn new(data: &'static OptionData) -> Self {
        let mut help = (data.of_type)();
        if let Some(range) = data.range {
            help.limits = range().0.within(&help.limits);
        }
        let mut call_count = Limits::default();
        match data.len.map(|len| len()) {
            Some(Length { limits, of_calls: true }) => call_count = limits,
            Some(Length { limits, of_calls: false }) => help.len = limits,
            None => {}
        }
        Known { data, types: data.types(), help, call_count }
    }

    /// Returns whether the option has this name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.data.name == name || self.data.aliases.contains(&name)
    }

    /// Returns valid arguments: the author's example, the default, or usual values of the types. Returns
    /// `None` if none of these is known to be valid.
    pub(super) fn sample(&self) -> Option<Vec<Value>> {
        let example = self.data.example.and_then(|example| example());
        let given = [example, self.data.shown_default()].into_iter().flatten();
        let of_type = || match self.data.is_validated {
            // The author's code may refuse a usual value.
            true => None,
            false => self.help.sample(&self.types),
        };
        given.chain(of_type()).find(|values| self.fits(values))
    }

    /// Returns a valid call, or `.field(STRING)` with the types if no valid value is known.
    pub(super) fn write(&self) -> String {
        match self.sample() {
            Some(values) if !self.data.is_secret => self.data.line(&values),
            _ => self.form(),
        }
    }

    /// Returns a call with the types of its arguments, `.field(STRING)`.
    pub(super) fn form(&self) -> String {
        udf_text::describe::call_form(self.data.name, &self.types)
    }

    /// Returns whether a TICKscript can write these arguments, and the constant accepts them.
    pub(super) fn fits(&self, values: &[Value]) -> bool {
        values.iter().all(Value::is_writable)
            && self.check(values).is_ok()
            && self.help.places(values.len()).iter().zip(values).all(|(help, v)| help.takes(v))
    }

    /// Checks the number, the types and the limits of arguments, and returns them converted to the types.
    pub(super) fn check(&self, values: &[Value]) -> Result<Vec<Value>, Misfit> {
        if values.len() != self.types.len() {
            return Err(Misfit::Count);
        }
        let places = self.help.places(values.len());
        let (mut taken, mut misfits) = (Vec::with_capacity(values.len()), Vec::new());
        for (place, value) in values.iter().enumerate() {
            let (wanted, help) = (self.types[place], &places[place]);
            let value = match (wanted, value) {
                // A task that is defined as JSON sends 2.0 as an INT.
                (ValueType::Double, Value::Int(int)) => Value::Double(*int as f64),
                _ if value.value_type() == wanted => value.clone(),
                _ => {
                    misfits.push(Misfit::Type { place });
                    continue;
                }
            };
            let words = match &value {
                Value::Duration(..0) => Some("a duration that is not negative".to_owned()),
                value if !help.limits.contain(value) => help.limits.words(),
                Value::String(text) => {
                    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                    let fits = help.len.contain(&Value::Int(length));
                    (!fits).then(|| help.words()).flatten()
                }
                _ => None,
            };
            misfits.extend(words.map(|words| Misfit::must_be(place, &words)));
            taken.push(value);
        }
        match misfits.len() {
            0 => Ok(taken),
            1 => Err(misfits.remove(0)),
            _ => Err(Misfit::Several(misfits)),
        }
    }

    /// Returns how often a task must call it at least.
    pub(super) fn min_calls(&self) -> usize {
        match (self.data.calls, self.data.default) {
            (Calls::Once, DefaultData::None) if self.of_env().is_none() => 1,
            (Calls::Once | Calls::AtMostOnce, _) => 0,
            (Calls::Any, _) => match self.call_count.nearest(&Value::Int(0)) {
                Some(Value::Int(least)) => usize::try_from(least).unwrap_or(usize::MAX),
                _ => 0,
            },
        }
    }

    /// Returns the arguments in its environment variable.
    pub(super) fn of_env(&self) -> Option<Vec<Value>> {
        let text = std::env::var(self.data.env?).ok()?;
        let value = match self.types[..] {
            [ValueType::Duration] => duration::nanos(&text).map(Value::Duration).ok(),
            [wanted] => suggest::converted(&Value::from(&*text), wanted),
            _ => None,
        };
        Some(vec![value.unwrap_or(Value::String(text))])
    }

    /// Returns the errors in the constant itself.
    #[cfg(feature = "testing")]
    pub(super) fn faults(&self) -> Vec<String> {
        let name = self.data.name;
        let mut faults = Vec::new();
        if [&self.help.limits, &self.help.len, &self.call_count].iter().any(|l| l.is_empty()) {
            faults.push(format!("no value is within the limits of `.{name}`"));
        }
        let example = self.data.example.and_then(|example| example());
        for (what, values) in [("default", self.data.shown_default()), ("example", example)] {
            if let Some(values) = values.filter(|values| !self.fits(values)) {
                let call = self.data.line(&values);
                faults.push(format!("the {what} of `.{name}` is not one of its values: `{call}`"));
            }
        }
        faults
    }

    /// Returns in words how often a task must call it, unless `count` is valid.
    pub(super) fn wrong_count(&self, count: usize) -> Option<String> {
        let fits = self.call_count.contain(&Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        if fits { None } else { self.times() }
    }

    /// Returns in words how often a task must call it.
    pub(super) fn times(&self) -> Option<String> {
        self.call_count.count_of("time")
    }

    /// Returns the description for people and tools.
    pub(super) fn describe(self) -> OptionHelp {
        let (data, min_calls) = (self.data, self.min_calls());
        let mut docs = docs::help(data.docs);
        let env = data.env.map(|name| format!("Without a call: the environment variable {name}."));
        let secret = data.is_secret.then(|| "Its value is a secret and is not shown.".to_owned());
        for line in env.into_iter().chain(secret) {
            docs += if docs.is_empty() { "" } else { "\n" };
            docs += &line;
        }
        let example = self.sample().unwrap_or_default();
        let each = if self.help.choices.is_empty() { self.help.words() } else { None };
        let times = self.times().map(|times| format!("called {times}"));
        let range: Vec<String> = [each, times].into_iter().flatten().collect();
        let default = data.shown_default();
        let default_expression = match data.default {
            DefaultData::None | DefaultData::Flag => None,
            _ if data.is_secret => Some("a secret".to_owned()),
            DefaultData::Constant(_, source) if default.is_none() => Some(source.to_owned()),
            DefaultData::Expression(source) => Some(source.to_owned()),
            _ => None,
        };
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        OptionHelp {
            name: data.name.to_owned(),
            aliases: owned(data.aliases),
            help: docs,
            args: self.types,
            repeated: data.calls == Calls::Any,
            min_calls,
            default,
            default_expression,
            range: Some(range.join(", ")).filter(|range| !range.is_empty()),
            choices: self.help.choices,
            conflicts: owned(data.conflicts),
            requires: owned(data.requires),
            deprecated: data.deprecated.map(str::to_owned),
            example,
        }
    }
}

/// Returns the descriptions of the options of a UDF, in the order of its fields.
///
/// Makes no default, and calls neither `validate` nor `parse`.
pub(crate) fn describe(options: &'static [OptionData]) -> Vec<OptionHelp> {
    let mut all: Vec<_> = options.iter().map(|data| Known::new(data).describe()).collect();
    // `conflicts` at one of two options holds for both.
    let told: Vec<_> = all.iter().map(|one| (one.name.clone(), one.conflicts.clone())).collect();
    for option in &mut all {
        let others = told.iter().filter(|(_, conflicts)| conflicts.contains(&option.name));
        for (other, _) in others {
            if !option.conflicts.contains(other) {
                option.conflicts.push(other.clone());
            }
        }
    }
    all
}
