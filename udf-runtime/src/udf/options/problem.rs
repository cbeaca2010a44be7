//! The problems with the options of an Init, and their texts.

use std::fmt;

use udf_proto::{OptionCall, Value, ValueType};
use udf_text::describe::typed;

use crate::agent::error;

use super::types::{InArgument, MustBe};

/// Why the arguments of one call are invalid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Misfit {
    /// There are too many or too few arguments.
    Count,
    /// An argument, counted from 0, is of another type.
    Type { place: usize },
    /// An argument or all together are invalid, in words that follow "the argument".
    Argument { place: Option<usize>, words: String },
    /// All together are invalid, in words of the author.
    Other(String),
    /// Several arguments are invalid.
    Several(Vec<Misfit>),
}

impl Misfit {
    pub(crate) fn must_be(place: usize, words: &str) -> Self {
        Misfit::Argument { place: Some(place), words: format!("must be {words}") }
    }

    /// Returns the words of an error of the author, without the values of a secret.
    pub(crate) fn of(error: crate::agent::error::Error, secrets: &[Value]) -> Self {
        let (place, error) = match error.downcast::<InArgument>() {
            Ok(inner) => (Some(inner.place), inner.error),
            Err(error) => (None, error),
        };
        let secrets: Vec<_> = secrets.iter().map(text).collect();
        let words = error::line_without(&secrets, error.as_ref(), LONG_WORDS);
        match (place, error.is::<MustBe>()) {
            (None, false) => Misfit::Other(words),
            (place, true) => Misfit::Argument { place, words },
            (Some(place), false) => {
                Misfit::Argument { place: Some(place), words: format!("is invalid: {words}") }
            }
        }
    }
}

/// Returns a value as an author's words repeat it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Misfit {
    /// Returns the text that follows a colon, for the types that came and the expected types.
    fn words(&self, came: &[ValueType], types: &[ValueType], names: &[String]) -> String {
        let name = |place: usize| names.get(place).filter(|name| !name.is_empty());
        let argument = |place: Option<usize>| match (types.len(), place) {
            (1, _) => "the argument".to_owned(),
            (_, Some(place)) => match name(place) {
                Some(name) => format!("argument {name}"),
                None => format!("argument {}", place + 1),
            },
            (_, None) => "the arguments".to_owned(),
        };
        match self {
            Misfit::Count if types.is_empty() => "it is a flag, which takes no argument".to_owned(),
            Misfit::Count => format!("{}, not {}", takes(types, names), came.len()),
            &Misfit::Type { place } => {
                let (wanted, came) = (types[place], came[place]);
                format!("{} must be {wanted}, not {came}", argument(Some(place)))
            }
            Misfit::Argument { place, words } => format!("{} {words}", argument(*place)),
            Misfit::Other(words) => words.clone(),
            Misfit::Several(misfits) => {
                let words = misfits.iter().map(|misfit| misfit.words(came, types, names));
                words.collect::<Vec<_>>().join(", and ")
            }
        }
    }
}

/// The problems with the options of an Init.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problems {
    pub(crate) shown: Vec<Problem>,
    /// The number of further problems.
    pub(crate) more: usize,
}

/// The number of problems in a text. An Init can have any number of calls.
pub(crate) const SHOWN: usize = 20;

/// One problem with the options of an Init.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Problem {
    /// There is no such option.
    Unknown { call: String, name: String, nearest: Option<String>, known: Vec<String> },
    /// The arguments of a call are invalid.
    Call {
        call: String,
        which: Option<usize>,
        misfit: Misfit,
        came: Vec<ValueType>,
        types: Vec<ValueType>,
        /// The names of the arguments, if they have names.
        names: Vec<String>,
        write: Option<String>,
    },
    /// The number of calls is not within the `len` of the option.
    Calls { name: String, words: String, came: usize },
    /// A required option is not called. `often` is the number of calls, if it is more than one.
    Missing { name: String, often: Option<String>, write: String },
    /// An option is called more than once.
    Again { name: String, calls: Vec<String> },
    /// Two conflicting options are called.
    Conflict { one: String, other: String },
    /// No option of a set is called, of which a task must call at least one.
    NoneOf { names: Vec<String>, write: String },
    /// An option is called without an option that it requires.
    Lonely { call: String, needs: String, write: String },
    /// The UDF does not accept its own default.
    Default {
        call: String,
        misfit: Misfit,
        came: Vec<ValueType>,
        types: Vec<ValueType>,
        /// The names of the arguments, if they have names.
        names: Vec<String>,
        write: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unknown { call, name, nearest: Some(write), .. } => {
                write!(f, "`{call}`: there is no option `{name}`; did you mean `{write}`?")
            }
            Problem::Unknown { call, known, .. } if known.is_empty() => {
                write!(f, "`{call}`: it has no options")
            }
            Problem::Unknown { call, name, known, .. } => {
                let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
                let known = known.join(", ");
                write!(f, "`{call}`: there is no option `{name}`; there is {known}")
            }
            Problem::Call { call, which, misfit, came, types, names, write } => {
                write!(f, "`{call}`")?;
                if let Some(which) = which {
                    write!(f, " (call {which} of it)")?;
                }
                write!(f, ": {}", misfit.words(came, types, names))?;
                write.as_ref().map_or(Ok(()), |write| write!(f, "; write `{write}`"))
            }
            Problem::Calls { name, words, came } => {
                let times = if *came == 1 { "time" } else { "times" };
                write!(f, "`.{name}` is called {came} {times}, but must be called {words}")
            }
            Problem::Missing { name, often: None, write } => {
                write!(f, "`.{name}` is missing; write `{write}`")
            }
            Problem::Missing { name, often: Some(often), write } => {
                let each = "for each of them";
                write!(
                    f,
                    "`.{name}` is missing, and must be called {often}; write `{write}` {each}"
                )
            }
            Problem::Again { name, calls } => {
                let calls = calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>();
                write!(f, "`.{name}` can be called only once; keep one of {}", calls.join(", "))
            }
            Problem::Conflict { one, other } => {
                write!(f, "`{one}` and `{other}` exclude each other; keep one of them")
            }
            Problem::NoneOf { names, write } => {
                let names: Vec<_> = names.iter().map(|name| format!("`.{name}`")).collect();
                write!(f, "at least one of {} must be called; write `{write}`", names.join(", "))
            }
            Problem::Lonely { call, needs, write } => {
                write!(f, "`{call}` needs `.{needs}` too; write `{write}`")
            }
            Problem::Default { call, misfit, came, types, names, write } => {
                let words = misfit.words(came, types, names);
                write!(
                    f,
                    "the UDF refuses its own default `{call}`: {words}; \
                     until this error in the UDF is fixed, write `{write}`"
                )
            }
        }
    }
}

/// Returns `it takes 2 arguments (INT, STRING)`.
fn takes(types: &[ValueType], names: &[String]) -> String {
    let typed = typed(types, names);
    match types.len() {
        1 => format!("it takes 1 argument ({typed})"),
        count => format!("it takes {count} arguments ({typed})"),
    }
}

/// Returns a call as a TICKscript writes it. Truncates a very long call.
pub(crate) fn line(call: &OptionCall) -> String {
    let mut line = format!(".{}(", short(&call.name));
    for (place, value) in call.values.iter().enumerate() {
        if place > 0 {
            line += ", ";
        }
        if place == LONG_CALL {
            line += "...";
            break;
        }
        match value {
            Value::String(text) => line += &Value::String(short(text)).to_string(),
            value => line += &value.to_string(),
        }
    }
    line + ")"
}

/// The number of arguments in a text.
const LONG_CALL: usize = 12;
/// The number of bytes of an author's words in a text. They may repeat the argument.
const LONG_WORDS: usize = 512;
/// The number of characters of a STRING in a text.
const LONG_TEXT: usize = 64;

/// Returns the text on one line, truncated: an Init can carry any text.
pub(crate) fn short(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars
        .by_ref()
        .take(LONG_TEXT)
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect();
    if chars.next().is_some() {
        short += "...";
    }
    short
}
