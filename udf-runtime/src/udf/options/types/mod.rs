//! The types of options: the trait, and the arguments of a TICKscript.

mod compound;
mod members;
mod names;
mod numbers;
mod quantities;
mod ranged;
mod text;
mod tick_value;

use udf_proto::{Value, ValueType};
use udf_text::describe::Choice;

use super::limits::Limits;
use crate::agent::error::Result;

pub use members::{Arguments, Members, help_of, member};
pub use names::{FieldName, TagName};
pub use quantities::{Bytes, Percent};
pub use ranged::{HasLen, Ranged, RangedField};
pub use text::{Parse, Parsed};
pub use tick_value::TickValue;

/// A type of an option.
///
/// `bool`, the integers, `f32`, `f64`, `String`, [`FieldName`], [`TagName`], [`Bytes`],
/// [`Percent`], `char`, `PathBuf`, `Duration`, and tuples and arrays of these implement it.
/// `#[derive(OptionType)]` implements it for enums (a STRING out of a fixed set) and for structs
/// (an argument for each member); it adds no bounds to type parameters. `#[option(parse)]` takes
/// any `FromStr` type without it.
///
/// A type of your own names the arguments of a TICKscript, and converts them:
///
/// ```
/// use udf_runtime::options::{Help, MustBe, OptionType};
///
/// struct Ratio(f64);
///
/// impl OptionType for Ratio {
///     type Raw = f64;
///
///     fn from_raw(raw: f64) -> udf_runtime::Result<Self> {
///         match raw {
///             0.0..=1.0 => Ok(Ratio(raw)),
///             _ => Err(MustBe::new("a ratio from 0 to 1").into()),
///         }
///     }
///
///     fn to_raw(&self) -> f64 {
///         self.0
///     }
///
///     fn help() -> Help {
///         Help::new().must_be("a ratio from 0 to 1").example(0.5)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an option",
    label = "cannot be an option",
    note = "an option can be bool, an integer, f32, f64, String, FieldName, TagName, Bytes, \
            Percent, char, PathBuf or Duration, \
            a tuple or an array of these, or an `Option` or `Vec` of them",
    note = "write `#[option(parse)]` for a type that implements `FromStr`; add \
            `#[derive(udf_runtime::options::OptionType)]` to your own enum or struct; implement \
            that trait for other types"
)]
pub trait OptionType: Sized {
    /// The arguments of a TICKscript.
    type Raw: TickValue;

    /// Makes a value of the arguments of a TICKscript.
    ///
    /// # Errors
    /// When the arguments are invalid. A [`MustBe`] continues "the argument must be"; any other
    /// error is shown as it is.
    fn from_raw(raw: Self::Raw) -> Result<Self>;

    /// Returns the arguments that a TICKscript writes for this value.
    fn to_raw(&self) -> Self::Raw;

    /// Returns a description of the accepted values. `info` and every Init call it.
    fn help() -> Help {
        Help::default()
    }

    /// Whether conversions and `Drop` run no code of an author, so that a description may show
    /// values.
    #[doc(hidden)]
    const IS_PLAIN: bool = false;
}

/// A description of the values that an [`OptionType`] accepts.
#[derive(Debug, Clone, Default)]
pub struct Help {
    pub(crate) must_be: Option<String>,
    pub(crate) limits: Limits,
    /// Whether 0 is refused although it is within the limits.
    pub(crate) not_zero: bool,
    /// The word behind the limits, such as `percent`.
    pub(crate) unit: Option<&'static str>,
    /// The name of the argument. Empty if it has none.
    pub(crate) name: String,
    /// The length of text, in characters.
    pub(crate) len: Limits,
    pub(crate) choices: Vec<Choice>,
    /// Whether upper and lower case are equal in the choices.
    pub(crate) ignores_case: bool,
    pub(crate) example: Vec<Value>,
    /// The description of each of several arguments.
    pub(crate) each: Vec<Help>,
    /// Whether the type accepts every raw value that this description does not refuse.
    pub(crate) is_whole: bool,
}

impl Help {
    /// Creates an empty description.
    pub fn new() -> Self {
        Help::default()
    }

    /// Creates the description of a type that accepts every raw value which the description does
    /// not refuse.
    pub(crate) fn whole() -> Self {
        Help { is_whole: true, ..Help::default() }
    }

    /// Returns whether the description accepts an argument.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        let is_choice = match value {
            Value::String(text) => {
                let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                self.len.contain(&Value::Int(length))
                    && (self.choices.is_empty()
                        || self.texts().any(|choice| self.is_same(choice, text)))
            }
            value => self.limits.contain(value),
        };
        is_choice && !(self.not_zero && *value == Value::Int(0))
    }

    fn is_same(&self, choice: &str, text: &str) -> bool {
        choice == text || self.ignores_case && choice.to_lowercase() == text.to_lowercase()
    }

    /// Sets the words for an accepted value, which follow "must be".
    pub fn must_be(mut self, words: impl Into<String>) -> Self {
        self.must_be = Some(words.into());
        self
    }

    /// Adds a choice, and its help. A type with choices accepts only these.
    pub fn choice(mut self, value: impl Into<String>, help: impl Into<String>) -> Self {
        let (value, help) = (value.into(), crate::udf::options::docs::help(&help.into()));
        self.choices.push(Choice { value, help, aliases: Vec::new() });
        self
    }

    /// Makes upper and lower case equal in the choices.
    pub fn ignore_case(mut self) -> Self {
        self.ignores_case = true;
        self
    }

    /// Adds an alias of the last choice.
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        if let Some(choice) = self.choices.last_mut() {
            choice.aliases.push(alias.into());
        }
        self
    }

    /// Sets an accepted value, for samples of TICKscript.
    pub fn example(mut self, raw: impl TickValue) -> Self {
        self.example.clear();
        raw.put(&mut self.example);
        self
    }

    /// Returns the words for an accepted value, if any value of the type is refused.
    pub(crate) fn words(&self) -> Option<String> {
        if !self.choices.is_empty() {
            let choices = self.choices.iter().map(|choice| Value::from(&*choice.value).to_string());
            return Some(one_of(choices.collect()));
        }
        let words = self
            .must_be
            .clone()
            .or_else(|| self.limit_words())
            .or_else(|| self.len.count_of("character").map(|words| words + " long"));
        if self.not_zero && self.limits.contain(&Value::Int(0)) {
            return Some(words.map_or(String::new(), |words| words + ", ") + "other than 0");
        }
        words
    }

    /// Returns the words for the limits, with the unit.
    pub(crate) fn limit_words(&self) -> Option<String> {
        let unit = self.unit.map_or(String::new(), |unit| format!(" {unit}"));
        self.limits.words().map(|words| words + &unit)
    }

    /// Returns the words for several arguments, which have names or are counted from `first`.
    pub(crate) fn words_of_each(each: &[Help], first: usize) -> Option<String> {
        let known = (first + 1..).zip(each).filter_map(|(number, help)| {
            let name = if help.name.is_empty() { number.to_string() } else { help.name.clone() };
            help.words().map(|words| format!("argument {name} {words}"))
        });
        let known = known.collect::<Vec<_>>().join(", ");
        Some(known).filter(|known| !known.is_empty())
    }

    /// Returns arguments of these types: the example, or for each the first choice or a usual
    /// value.
    pub(crate) fn sample(&self, types: &[ValueType]) -> Option<Vec<Value>> {
        if self.example.len() == types.len() {
            return Some(self.example.clone());
        }
        let usual = |(help, wanted): (Help, &ValueType)| {
            let given = help.example.first().cloned();
            let choice = help.choices.first().map(|choice| Value::from(&*choice.value));
            let usual = help.is_whole.then(|| match wanted {
                ValueType::Bool => Value::Bool(true),
                ValueType::Int => Value::Int(10),
                ValueType::Double => Value::Double(1.0),
                ValueType::Duration => Value::Duration(10_000_000_000),
                ValueType::String => Value::from("text"),
            });
            let value = given.or(choice).or(usual)?;
            Some(help.limits.nearest(&value).unwrap_or(value))
        };
        self.places(types.len()).into_iter().zip(types).map(usual).collect()
    }

    /// Returns the choices, and then their aliases.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let aliases = self.choices.iter().flat_map(|choice| &choice.aliases);
        self.choices.iter().map(|choice| &choice.value).chain(aliases).map(String::as_str)
    }

    /// Returns the description of each of `count` arguments.
    pub(crate) fn places(&self, count: usize) -> Vec<Help> {
        let place = |place: usize| {
            let mut help = match self.each.get(place) {
                Some(each) => {
                    Help { limits: each.limits.clone().within(&self.limits), ..each.clone() }
                }
                // The words of several arguments describe them together.
                None => {
                    let must_be = self.must_be.clone().filter(|_| count == 1);
                    Help { must_be, each: Vec::new(), ..self.clone() }
                }
            };
            if let Some(example) = self.example.get(place) {
                help.example = vec![example.clone()];
            }
            help
        };
        (0..count).map(place).collect()
    }
}

/// Returns `'a', 'b' or 'c'`.
pub(crate) fn one_of(mut all: Vec<String>) -> String {
    match all.pop() {
        Some(last) if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// The error for an invalid argument: the words for a valid one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {words}")]
pub struct MustBe {
    words: String,
}

impl MustBe {
    /// Creates an error with the words that follow "must be", such as `a percentage`.
    pub fn new(words: impl Into<String>) -> Self {
        MustBe { words: words.into() }
    }
}

/// Returns the error for a text that is none of the choices.
#[doc(hidden)]
pub fn no_choice<T: OptionType>() -> crate::agent::error::Error {
    MustBe::new(T::help().words().unwrap_or_default()).into()
}

/// The error for one of several arguments.
#[derive(Debug, thiserror::Error)]
#[error("argument {} {error}", .place + 1)]
pub(crate) struct InArgument {
    /// The number of the argument, from 0.
    pub(crate) place: usize,
    pub(crate) error: crate::agent::error::Error,
}

/// An option without an argument, which is true when it is called.
#[derive(Debug, Clone, Copy)]
pub struct Flag(pub bool);

impl OptionType for Flag {
    type Raw = ();
    const IS_PLAIN: bool = true;

    fn from_raw((): ()) -> Result<Self> {
        Ok(Flag(true))
    }

    fn to_raw(&self) {}
}
