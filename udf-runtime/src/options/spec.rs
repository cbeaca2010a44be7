//! One option, as `#[option(...)]` describes it.

use std::ops::{Bound, RangeBounds};

use udf_proto::{OptionCall, Value, ValueType};
use udf_text::describe::OptionHelp;

use super::field::Calls;
use super::limits::{HasLen, Limits, RangedField};
use super::problem::Misfit;
use super::types::{Flag, Help, Parse, Parsed, TickValue};
use super::{OptionField, OptionType, sample};
use crate::Result;

/// One option: generated code builds it, and the parser takes it.
///
/// Building it runs no code of the author: an option is data until a task calls it. It asks nothing of
/// its types, which whoever made it has checked: a type that is none for an option is told once, where
/// the option is made.
pub struct OptionSpec<F, V> {
    pub(crate) traits: Traits,
    /// What the field is after these calls; none when a value is lacking.
    pub(crate) collect: fn(Vec<V>) -> Option<F>,
    make: fn(Vec<Value>) -> Result<V>,
    show: fn(&V) -> Vec<Value>,
    /// Whether `make` and `show` are code of this crate, for a type without a `Drop` of the author's.
    is_plain: bool,
    default: Option<DefaultValue<V>>,
    validate: Option<Validate<V>>,
    /// What the author shows in samples.
    example: Option<Vec<Value>>,
}

type Validate<V> = fn(&V) -> Result<()>;

/// What an option is when it is not called.
enum DefaultValue<V> {
    /// A value, and the expression that makes it.
    Made(fn() -> V, &'static str),
    /// A value that no code of the author makes.
    Constant(fn() -> V, &'static str),
    /// It is parsed as that of a task would be.
    Text(&'static str),
}

/// A default as it is shown.
pub(crate) enum ShownDefault {
    /// As a TICKscript writes it.
    Arguments(Vec<Value>),
    /// The expression that makes it.
    Expression(&'static str),
}

/// What is known of an option without its type.
#[derive(Debug, Clone)]
pub(crate) struct Traits {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) text: &'static str,
    pub(crate) types: Vec<ValueType>,
    pub(crate) calls: Calls,
    /// What its type tells of it.
    of_type: fn() -> Help,
    range: Limits,
    len: Limits,
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

/// The type of an option without an argument.
#[diagnostic::on_unimplemented(
    message = "a flag is a `bool`, not `{Self}`",
    label = "is not `bool`",
    note = "a flag has no argument: it is true when a task calls it; remove `flag` for an option with an argument"
)]
pub trait IsFlag: Sized {
    #[doc(hidden)]
    fn from_bool(flag: bool) -> Self;
}

impl IsFlag for bool {
    fn from_bool(flag: bool) -> bool {
        flag
    }
}

/// An option without an argument.
pub fn flag<F: IsFlag>(name: &'static str, text: &'static str) -> OptionSpec<F, Flag> {
    let collect = |values: Vec<Flag>| values.first().map(|flag| F::from_bool(flag.0));
    new(name, text, Calls::Once, collect).constant(|| Flag(false), "")
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
            of_type: V::help,
            range: Limits::default(),
            len: Limits::default(),
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
        is_plain: V::IS_PLAIN,
        default: None,
        validate: None,
        example: None,
    }
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

impl<F, V> OptionSpec<F, V> {
    /// Other names.
    pub fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.traits.aliases = aliases;
        self
    }

    /// Makes the value when it is not called; `source` is the expression.
    pub fn default(mut self, default: fn() -> V, source: &'static str) -> Self {
        self.default = Some(DefaultValue::Made(default, source));
        self
    }

    /// As [`default`](Self::default), for an expression that is a constant.
    pub fn constant(mut self, default: fn() -> V, source: &'static str) -> Self {
        self.default = Some(DefaultValue::Constant(default, source));
        self
    }

    /// The text that counts when it is not called.
    pub fn default_text(mut self, text: &'static str) -> Self {
        self.default = Some(DefaultValue::Text(text));
        self
    }

    /// Between which values each argument must be.
    pub fn range(mut self, range: Range) -> Self {
        self.traits.range = range.0;
        self
    }

    /// How long it must be.
    pub fn len(mut self, length: Length) -> Self {
        if length.of_calls {
            self.traits.call_count = length.limits;
        } else {
            self.traits.len = length.limits;
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

    /// An argument for samples of TICKscript, which is a constant.
    pub fn example(mut self, example: fn() -> V) -> Self {
        self.example = self.is_plain.then(|| (self.show)(&example()));
        self
    }

    /// Arguments for samples, as a TICKscript writes them.
    pub fn example_arguments<const N: usize>(mut self, arguments: [Value; N]) -> Self {
        self.example = Some(arguments.into());
        self
    }

    /// The value that a call gives.
    pub(crate) fn value(&self, values: &[Value], help: &Help) -> Result<V, Misfit> {
        let value = self.made(values, help)?;
        self.validate.map_or(Ok(()), |validate| validate(&value)).map_err(Misfit::of)?;
        Ok(value)
    }

    /// The value that a call gives, before its check.
    fn made(&self, values: &[Value], help: &Help) -> Result<V, Misfit> {
        (self.make)(self.traits.check(values, help)?).map_err(Misfit::of)
    }

    /// Whether it has a value when it is not called.
    pub(crate) fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Makes the value for a task that does not call it; on a misfit, with the call that was meant.
    ///
    /// The author's check is for values of tasks: a default is the author's own.
    pub(crate) fn make_default(&self) -> Option<Result<V, (Vec<Value>, Misfit)>> {
        let make = match self.default.as_ref()? {
            DefaultValue::Made(make, _) | DefaultValue::Constant(make, _) => make,
            DefaultValue::Text(text) => {
                let values = vec![Value::from(*text)];
                let made = self.made(&values, &self.traits.help());
                return Some(made.map_err(|misfit| (values, misfit)));
            }
        };
        let value = make();
        if self.is_plain {
            let values = (self.show)(&value);
            if let Err(misfit) = self.traits.check(&values, &self.traits.help()) {
                return Some(Err((values, misfit)));
            }
        }
        Some(Ok(value))
    }

    /// The default for somebody who asks, without running code of the author.
    pub(crate) fn shown_default(&self) -> Option<ShownDefault> {
        Some(match self.default.as_ref()? {
            DefaultValue::Constant(make, _) if self.is_plain => {
                ShownDefault::Arguments((self.show)(&make()))
            }
            DefaultValue::Made(_, source) | DefaultValue::Constant(_, source) => {
                ShownDefault::Expression(source)
            }
            DefaultValue::Text(text) => ShownDefault::Arguments(vec![Value::from(*text)]),
        })
    }

    /// Arguments for a call of it; none when none are known. No code of the author is asked.
    ///
    /// These are the author's example, the default, or a value out of the range of its type. A `validate`
    /// may refuse such a value, so that there is none where there is a `validate`.
    pub(crate) fn sample(&self, help: &Help) -> Option<Vec<Value>> {
        let default = match self.shown_default() {
            Some(ShownDefault::Arguments(values)) => Some(values),
            Some(ShownDefault::Expression(_)) | None => None,
        };
        let of_type =
            || self.validate.is_none().then(|| sample::of_types(&self.traits.types, help));
        let shown = [self.example.clone(), default].into_iter().flatten();
        shown.chain(of_type().flatten()).find(|values| self.traits.fits(values, help))
    }
}

impl Traits {
    /// All that its type and its attributes tell of its values. A type of the author's is asked.
    pub(crate) fn help(&self) -> Help {
        let mut help = (self.of_type)();
        help.limits = self.range.clone().within(&help.limits);
        if self.len != Limits::default() {
            help.len = self.len.clone();
        }
        help
    }

    /// Whether these arguments can be written, and nothing that is declared refuses them.
    pub(crate) fn fits(&self, values: &[Value], help: &Help) -> bool {
        values.iter().all(Value::is_writable)
            && self.check(values, help).is_ok()
            && help.places(values.len()).iter().zip(values).all(|(help, value)| help.takes(value))
    }

    /// The arguments as they are taken, when there are as many as there should be, of their types
    /// and within their limits.
    fn check(&self, values: &[Value], help: &Help) -> Result<Vec<Value>, Misfit> {
        if values.len() != self.types.len() {
            return Err(Misfit::Count);
        }
        let places = help.places(values.len());
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
        udf_text::describe::call_form(self.name, &self.types)
    }

    /// All that people and tools are told of it.
    pub(crate) fn describe(&self, help: Help, default: Option<ShownDefault>) -> OptionHelp {
        let each = if help.choices.is_empty() { help.words() } else { None };
        let times = self.call_count.count_of("time").map(|times| format!("called {times}"));
        let range: Vec<String> = [each, times].into_iter().flatten().collect();
        let range = Some(range.join(", ")).filter(|range| !range.is_empty());
        let min_calls = self.min_calls(default.is_some());
        let (default, default_expression) = match default {
            Some(ShownDefault::Arguments(values)) if !self.types.is_empty() => (Some(values), None),
            Some(ShownDefault::Expression(source)) => (None, Some(source.to_owned())),
            Some(ShownDefault::Arguments(_)) | None => (None, None),
        };
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        OptionHelp {
            name: self.name.to_owned(),
            aliases: owned(self.aliases),
            help: super::help(self.text),
            args: self.types.clone(),
            repeated: self.calls == Calls::Any,
            min_calls,
            default,
            default_expression,
            range,
            choices: help.choices,
            conflicts: owned(self.conflicts),
            requires: owned(self.requires),
            deprecated: self.deprecated.map(str::to_owned),
            example: Vec::new(),
        }
    }

    /// How often a task must call it at least.
    pub(crate) fn min_calls(&self, has_default: bool) -> usize {
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
