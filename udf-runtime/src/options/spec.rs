//! One option, as `#[option(...)]` describes it.

use std::ops::Bound;

use udf_host::describe::OptionHelp;
use udf_proto::{OptionCall, Value, ValueType};

use super::field::Calls;
use super::limits::{HasLen, Limits, Ranged, RangedField};
use super::problem::Misfit;
use super::types::{Flag, Help, Parse, Parsed, TickValue};
use super::{OptionField, OptionType};
use crate::Result;

/// One option: generated code builds it, and the parser takes it.
///
/// It asks nothing of its types, which whoever made it has checked: a type that is none for an option
/// is told once, where the option is made.
pub struct OptionSpec<F, V> {
    pub(crate) traits: Traits,
    /// What the field is after these calls; none when a value is lacking.
    pub(crate) collect: fn(Vec<V>) -> Option<F>,
    make: fn(Vec<Value>) -> Result<V>,
    show: fn(&V) -> Vec<Value>,
    default: Option<DefaultValue<V>>,
    validate: Option<Validate<V>>,
    /// What the author shows in samples.
    pub(crate) example: Option<Vec<Value>>,
}

type Validate<V> = fn(&V) -> Result<()>;

/// What an option is when it is not called.
enum DefaultValue<V> {
    Made(fn() -> V),
    /// It is parsed as that of a task would be.
    Text(&'static str),
}

/// The value of an option that is not called.
pub(crate) struct Uncalled<V> {
    /// How a TICKscript would write it.
    pub(crate) shown: Vec<Value>,
    /// It, if the option accepts it.
    pub(crate) value: Result<V, Misfit>,
}

/// What is known of an option without its type.
#[derive(Debug)]
pub(crate) struct Traits {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) text: &'static str,
    pub(crate) types: Vec<ValueType>,
    pub(crate) calls: Calls,
    pub(crate) help: Help,
    pub(crate) call_count: Limits,
    pub(crate) conflicts: &'static [&'static str],
    pub(crate) requires: &'static [&'static str],
    pub(crate) deprecated: Option<&'static str>,
}

/// An option without more than a name and a help text.
///
/// `V` is a parameter, and not written `F::Value`, for the sake of rustc's words: it looks at that
/// before it looks at the bound, and tells of it elsewhere.
pub fn option<F, V>(name: &'static str, text: &'static str) -> OptionSpec<F, V>
where
    F: OptionField<Value = V>,
{
    F::spec(name, text)
}

/// An option without an argument.
pub fn flag(name: &'static str, text: &'static str) -> OptionSpec<bool, Flag> {
    let collect = |values: Vec<Flag>| values.first().map(|flag| flag.0);
    new(name, text, Calls::Once, collect).default(|| Flag(false))
}

/// An option that is parsed from text.
pub fn parsed<T: Parse>(name: &'static str, text: &'static str) -> OptionSpec<T, Parsed<T>> {
    let collect = |values: Vec<Parsed<T>>| values.into_iter().next().map(Parsed::into_value);
    new(name, text, Calls::Once, collect)
}

/// An option that is parsed from text, and may be missing.
pub fn parsed_option<T: Parse>(
    name: &'static str,
    text: &'static str,
) -> OptionSpec<Option<T>, Parsed<T>> {
    let collect = |values: Vec<Parsed<T>>| Some(values.into_iter().next().map(Parsed::into_value));
    new(name, text, Calls::AtMostOnce, collect)
}

/// An option that is parsed from text, any number of times.
pub fn parsed_vec<T: Parse>(
    name: &'static str,
    text: &'static str,
) -> OptionSpec<Vec<T>, Parsed<T>> {
    let collect =
        |values: Vec<Parsed<T>>| Some(values.into_iter().map(Parsed::into_value).collect());
    new(name, text, Calls::Any, collect)
}

pub(crate) fn new<F, V: OptionType>(
    name: &'static str,
    text: &'static str,
    calls: Calls,
    collect: fn(Vec<V>) -> Option<F>,
) -> OptionSpec<F, V> {
    let mut types = Vec::new();
    V::Raw::types(&mut types);
    OptionSpec {
        traits: Traits {
            name,
            aliases: &[],
            text,
            types,
            calls,
            help: V::help(),
            call_count: Limits::default(),
            conflicts: &[],
            requires: &[],
            deprecated: None,
        },
        collect,
        make: |values| V::from_raw(V::Raw::take(&mut values.into_iter())),
        show: |value| {
            let mut values = Vec::new();
            value.to_raw().put(&mut values);
            values
        },
        default: None,
        validate: None,
        example: None,
    }
}

/// A range, for options of this type.
pub fn range<F: RangedField<Bound = B>, B>(min: Bound<B>, max: Bound<B>) -> Range {
    Range(Limits::new(min.map(F::value), max.map(F::value)))
}

/// Between which values each argument must be.
#[derive(Debug)]
pub struct Range(Limits);

/// A length, for options of this type.
pub fn len<F: HasLen>(min: Bound<usize>, max: Bound<usize>) -> Length {
    Length {
        limits: Limits::new(min.map(<usize as Ranged>::value), max.map(<usize as Ranged>::value)),
        of_calls: F::OF_CALLS,
    }
}

/// How long text must be, or how often an option must be called.
#[derive(Debug)]
pub struct Length {
    limits: Limits,
    of_calls: bool,
}

impl<F, V> OptionSpec<F, V> {
    /// Other names.
    pub fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.traits.aliases = aliases;
        self
    }

    /// The value when it is not called.
    pub fn default(mut self, default: fn() -> V) -> Self {
        self.default = Some(DefaultValue::Made(default));
        self
    }

    /// The text that counts when it is not called.
    pub fn default_text(mut self, text: &'static str) -> Self {
        self.default = Some(DefaultValue::Text(text));
        self
    }

    /// Between which values each argument must be.
    pub fn range(mut self, range: Range) -> Self {
        let limits = std::mem::take(&mut self.traits.help.limits);
        self.traits.help.limits = range.0.within(&limits);
        self
    }

    /// How long it must be.
    pub fn len(mut self, length: Length) -> Self {
        if length.of_calls {
            self.traits.call_count = length.limits;
        } else {
            self.traits.help.len = length.limits;
        }
        self
    }

    /// A check of each value.
    pub fn validate(mut self, validate: fn(&V) -> Result<()>) -> Self {
        self.validate = Some(validate);
        self
    }

    /// The options that cannot be called together with it.
    pub fn conflicts(mut self, others: &'static [&'static str]) -> Self {
        self.traits.conflicts = others;
        self
    }

    /// The options that must be called together with it.
    pub fn requires(mut self, others: &'static [&'static str]) -> Self {
        self.traits.requires = others;
        self
    }

    /// What to use in its place.
    pub fn deprecated(mut self, advice: &'static str) -> Self {
        self.traits.deprecated = Some(advice);
        self
    }

    /// An argument for samples of TICKscript.
    pub fn example(mut self, example: fn() -> V) -> Self {
        self.example = Some((self.show)(&example()));
        self
    }

    /// A text for samples of TICKscript.
    pub fn example_text(mut self, text: &'static str) -> Self {
        self.example = Some(vec![Value::from(text)]);
        self
    }

    /// The value that a call gives.
    pub(crate) fn value(&self, values: &[Value]) -> Result<V, Misfit> {
        let value = self.made(values)?;
        self.valid(&value)?;
        Ok(value)
    }

    /// The value that a call gives, before its check.
    pub(crate) fn made(&self, values: &[Value]) -> Result<V, Misfit> {
        (self.make)(self.traits.check(values)?).map_err(Misfit::of)
    }

    /// The value when it is not called, and how a TICKscript would write it.
    pub(crate) fn default_value(&self) -> Option<Uncalled<V>> {
        let value = match self.default.as_ref()? {
            DefaultValue::Made(make) => make(),
            DefaultValue::Text(text) => {
                let values = vec![Value::from(*text)];
                let value = self.value(&values);
                return Some(Uncalled { shown: values, value });
            }
        };
        let values = (self.show)(&value);
        let checked = self.traits.check(&values).and_then(|_| self.valid(&value));
        Some(Uncalled { shown: values, value: checked.map(|()| value) })
    }

    fn valid(&self, value: &V) -> Result<(), Misfit> {
        self.validate.map_or(Ok(()), |validate| validate(value)).map_err(Misfit::of)
    }
}

impl Traits {
    /// The arguments as they are taken, when there are as many as there should be, of their types
    /// and within their limits.
    fn check(&self, values: &[Value]) -> Result<Vec<Value>, Misfit> {
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

    /// Whether it is one of the names of this option.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// A call of it, as a TICKscript writes it.
    pub(crate) fn line(&self, values: Vec<Value>) -> String {
        super::problem::line(&OptionCall { name: self.name.to_owned(), values })
    }

    /// A call of it with the types of its arguments, `.field(STRING)`.
    pub(crate) fn form(&self) -> String {
        let types: Vec<_> = self.types.iter().map(ValueType::to_string).collect();
        format!(".{}({})", self.name, types.join(", "))
    }

    /// All that people and tools are told of it.
    pub(crate) fn describe(
        &self,
        default: Option<Vec<Value>>,
        sample: Option<Vec<Value>>,
    ) -> OptionHelp {
        let each = if self.help.choices.is_empty() { self.help.words() } else { None };
        let times = self.call_count.count_of("time").map(|times| format!("called {times}"));
        let range: Vec<String> = [each, times].into_iter().flatten().collect();
        let range = Some(range.join(", ")).filter(|range| !range.is_empty());
        let flag = self.types.is_empty();
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        OptionHelp {
            name: self.name.to_owned(),
            aliases: owned(self.aliases),
            help: self.text.to_owned(),
            args: self.types.clone(),
            repeated: self.calls == Calls::Any,
            min_calls: self.min_calls(default.is_some()),
            default: default.filter(|_| !flag),
            range,
            choices: self.help.choices.clone(),
            conflicts: owned(self.conflicts),
            requires: owned(self.requires),
            deprecated: self.deprecated.map(str::to_owned),
            example: sample.unwrap_or_default(),
        }
    }

    fn min_calls(&self, has_default: bool) -> usize {
        match self.calls {
            Calls::Once => usize::from(!has_default),
            Calls::AtMostOnce => 0,
            Calls::Any => match self.call_count.nearest(&Value::Int(0)) {
                Some(Value::Int(least)) => usize::try_from(least).unwrap_or(usize::MAX),
                _ => 0,
            },
        }
    }
}
