//! One option as data: what `#[option(...)]` says, in a constant.

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

/// One option of a UDF. No code of the author runs for what is told of it, but `help` of a type of their own.
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
    /// The environment variable that stands for a call.
    pub(super) env: Option<&'static str>,
    /// Whether its values are never shown.
    pub(super) is_secret: bool,
}

/// What an option is when it is not called.
#[derive(Debug, Clone, Copy)]
enum DefaultData {
    /// A task must call the option, or it is an `Option` or a `Vec`.
    None,
    /// A literal.
    Literal(Literal),
    /// An expression, which no code of the author makes, and how it is written.
    Constant(fn() -> Option<Vec<Value>>, &'static str),
    /// An expression that runs code of the author.
    Expression(&'static str),
    /// Text that is parsed as that of a task.
    Text(&'static str),
    /// That of a flag.
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

/// An option with all that its constant and its types tell, for one Init or one description.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) data: &'static OptionData,
    pub(super) types: Vec<ValueType>,
    pub(super) help: Help,
    call_count: Limits,
}

/// A range, for options of this type.
pub fn range<F: RangedField<Bound: Clone>, R: RangeBounds<F::Bound>>(range: R) -> Range {
    let end = |end: Bound<&F::Bound>| end.cloned().map(F::value);
    Range(Limits::new(end(range.start_bound()), end(range.end_bound())))
}

/// Between which values each argument must be.
#[derive(Debug)]
pub struct Range(Limits);

/// A length, for options of this type.
pub fn len<F: HasLen>(len: impl RangeBounds<usize>) -> Length {
    let Range(limits) = range::<usize, _>(len);
    Length { limits, of_calls: F::OF_CALLS }
}

/// How long text must be, or how often an option must be called.
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

    /// Other names.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        OptionData { aliases, ..self }
    }

    /// It has a default, which runs code of the author; `source` is the expression.
    pub const fn default(self, source: &'static str) -> Self {
        OptionData { default: DefaultData::Expression(source), ..self }
    }

    /// It has a default, which is a literal.
    pub const fn literal(self, literal: Literal) -> Self {
        OptionData { default: DefaultData::Literal(literal), ..self }
    }

    /// It has a default, which is a constant.
    pub const fn constant(self, shown: fn() -> Option<Vec<Value>>, source: &'static str) -> Self {
        OptionData { default: DefaultData::Constant(shown, source), ..self }
    }

    /// It has a default, which is text that is parsed.
    pub const fn default_text(self, text: &'static str) -> Self {
        OptionData { default: DefaultData::Text(text), ..self }
    }

    /// It is false when it is not called.
    pub const fn is_flag(self) -> Self {
        OptionData { default: DefaultData::Flag, ..self }
    }

    /// Between which values each argument must be.
    pub const fn range(self, range: fn() -> Range) -> Self {
        OptionData { range: Some(range), ..self }
    }

    /// How long it must be.
    pub const fn len(self, len: fn() -> Length) -> Self {
        OptionData { len: Some(len), ..self }
    }

    /// Each value is checked by code of the author.
    pub const fn validated(self) -> Self {
        OptionData { is_validated: true, ..self }
    }

    /// The environment variable that stands for a call.
    pub const fn env(self, name: &'static str) -> Self {
        OptionData { env: Some(name), ..self }
    }

    /// Its values are never shown.
    pub const fn secret(self) -> Self {
        OptionData { is_secret: true, ..self }
    }

    /// The options that cannot be called together with it.
    pub const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        OptionData { conflicts, ..self }
    }

    /// The options that must be called together with it.
    pub const fn requires(self, requires: &'static [&'static str]) -> Self {
        OptionData { requires, ..self }
    }

    /// What to use in its place.
    pub const fn deprecated(self, advice: &'static str) -> Self {
        OptionData { deprecated: Some(advice), ..self }
    }

    /// Arguments for samples of TICKscript.
    pub const fn example(self, example: fn() -> Option<Vec<Value>>) -> Self {
        OptionData { example: Some(example), ..self }
    }

    /// Its name and the other ones.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The types of its arguments.
    pub(super) fn types(&self) -> Vec<ValueType> {
        let mut types = Vec::new();
        (self.types)(&mut types);
        types
    }

    /// A call of it, as a TICKscript writes it.
    pub(super) fn line(&self, values: &[Value]) -> String {
        self.call(&OptionCall { name: self.name.to_owned(), values: values.to_vec() })
    }

    /// A call by any of its names; that of a secret without the value.
    pub(super) fn call(&self, call: &OptionCall) -> String {
        match self.is_secret {
            true => format!(".{}(***)", call.name),
            false => super::problem::line(call),
        }
    }

    /// The default, if it is a literal or text that is parsed.
    pub(super) fn data_default(&self) -> Option<Vec<Value>> {
        match self.default {
            DefaultData::Literal(literal) => Some(vec![literal.into()]),
            DefaultData::Text(text) => Some(vec![Value::from(text)]),
            _ => None,
        }
    }

    /// The default as a TICKscript writes it, if it is known without running code of the author.
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

    /// Whether it is one of the names of this option.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.data.name == name || self.data.aliases.contains(&name)
    }

    /// Arguments for a call of it: the author's example, the default, or those of their types; none when
    /// none of these is known to do.
    pub(super) fn sample(&self) -> Option<Vec<Value>> {
        let example = self.data.example.and_then(|example| example());
        let given = [example, self.data.shown_default()].into_iter().flatten();
        let of_type = || match self.data.is_validated {
            // The author's code may refuse any value that is made up.
            true => None,
            false => self.help.sample(&self.types),
        };
        given.chain(of_type()).find(|values| self.fits(values))
    }

    /// A call that would do; where no value is known, with the types of its arguments, `.field(STRING)`.
    pub(super) fn write(&self) -> String {
        match self.sample() {
            Some(values) if !self.data.is_secret => self.data.line(&values),
            _ => self.form(),
        }
    }

    /// A call with the types of its arguments, `.field(STRING)`.
    pub(super) fn form(&self) -> String {
        udf_text::describe::call_form(self.data.name, &self.types)
    }

    /// Whether these arguments can be written, and nothing that is declared refuses them.
    pub(super) fn fits(&self, values: &[Value]) -> bool {
        values.iter().all(Value::is_writable)
            && self.check(values).is_ok()
            && self.help.places(values.len()).iter().zip(values).all(|(help, v)| help.takes(v))
    }

    /// The arguments as they are taken, when there are as many as there should be, of their types
    /// and within their limits.
    pub(super) fn check(&self, values: &[Value]) -> Result<Vec<Value>, Misfit> {
        if values.len() != self.types.len() {
            return Err(Misfit::Count);
        }
        let places = self.help.places(values.len());
        let (mut taken, mut misfits) = (Vec::with_capacity(values.len()), Vec::new());
        for (place, value) in values.iter().enumerate() {
            let (wanted, help) = (self.types[place], &places[place]);
            let value = match (wanted, value) {
                // As a task that is defined as JSON sends 2.0.
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

    /// How often a task must call it at least.
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

    /// The arguments that its environment variable stands for.
    pub(super) fn of_env(&self) -> Option<Vec<Value>> {
        let text = std::env::var(self.data.env?).ok()?;
        let value = match self.types[..] {
            [ValueType::Duration] => duration::nanos(&text).map(Value::Duration).ok(),
            [wanted] => suggest::converted(&Value::from(&*text), wanted),
            _ => None,
        };
        Some(vec![value.unwrap_or(Value::String(text))])
    }

    /// Whether the author shows a value in samples.
    pub(super) fn has_example(&self) -> bool {
        self.data.example.is_some()
    }

    /// What is wrong with the constant itself.
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

    /// In words, how often a task must call it, unless it is called so often.
    pub(super) fn wrong_count(&self, count: usize) -> Option<String> {
        let fits = self.call_count.contain(&Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        if fits { None } else { self.times() }
    }

    /// In words, how often a task must call it.
    pub(super) fn times(&self) -> Option<String> {
        self.call_count.count_of("time")
    }

    /// All that people and tools are told of it.
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

/// What is known of the options of a UDF, in the order of its fields.
///
/// No default is made and no `validate` or `parse` is called for it.
pub(crate) fn describe(options: &'static [OptionData]) -> Vec<OptionHelp> {
    let mut all: Vec<_> = options.iter().map(|data| Known::new(data).describe()).collect();
    // Two exclude each other, whichever of them says so.
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
