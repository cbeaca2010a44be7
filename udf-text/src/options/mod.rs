//! Options as users type them, `name=value`, parsed into the calls of a TICKscript.
//!
//! The [`Info`] of the UDF defines the types of the arguments:
//!
//! | type | text |
//! | --- | --- |
//! | BOOL | `TRUE`, `true`, `FALSE` or `false` |
//! | INT | `10`, `-3` |
//! | DOUBLE | `1.5`, `2`, `1e-3` |
//! | STRING | `usage_user`. Quote text with a comma or with a quote at its start: `'a,b'`; `\'` is a quote. Quote text with a backslash at its end as `'''C:\'''` |
//! | DURATION | `10s`, `100ms`, `1h30m`; see [`duration`](crate::duration) |
//!
//! Commas separate several arguments. A flag is its name alone.
//!
//! ```
//! use std::collections::BTreeMap;
//! use udf_text::options;
//! use udf_proto::{EdgeType, Info, Value, ValueType};
//!
//! let info = Info {
//!     wants: EdgeType::Stream,
//!     provides: EdgeType::Stream,
//!     options: BTreeMap::from([
//!         ("field".to_owned(), vec![ValueType::String]),
//!         ("window".to_owned(), vec![ValueType::Int, ValueType::Duration]),
//!     ]),
//! };
//! let calls = options::parse(&info, &["field=usage_user", "window=10,1m"])?;
//! assert_eq!(calls[1].values, [Value::Int(10), Value::Duration(60_000_000_000)]);
//!
//! let error = options::parse(&info, &["feild=usage_user"]).expect_err("it has no such option");
//! assert_eq!(error.to_string(), "there is no option `feild`; did you mean `field`?");
//! # Ok::<(), options::OptionsError>(())
//! ```

mod split;
mod value;

use std::fmt;

use udf_proto::{Info, OptionCall, Value, ValueType};

use crate::suggest::nearest;
pub use split::quote;

/// All invalid options, in a single message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionsError {
    /// The problems, in the order of the options.
    pub problems: Vec<OptionProblem>,
}

/// Why an option is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionProblem {
    /// The name before the `=` is empty.
    #[error("`{typed}` has no name; write name=value")]
    NoName {
        /// The text of the user.
        typed: String,
    },
    /// The UDF has no such option.
    #[error("there is no option `{name}`; {}", instead(.nearest, .known))]
    Unknown {
        /// The name in the text.
        name: String,
        /// The known name that the name resembles most, if any.
        nearest: Option<String>,
        /// All names, sorted.
        known: Vec<String>,
    },
    /// The number of arguments is wrong.
    #[error("{}", wrong_number(.name, .types, *.got))]
    Arguments {
        /// The option's name.
        name: String,
        /// The types of the arguments. A flag has none.
        types: Vec<ValueType>,
        /// The number of arguments in the text, or none without a `=`.
        got: Option<usize>,
    },
    /// The closing quote is missing, or text follows it.
    #[error("option `{name}`: {problem}")]
    Quotes {
        /// The option's name.
        name: String,
        /// The problem in words.
        problem: &'static str,
    },
    /// An argument does not have its type.
    #[error("option `{name}`: {}`{typed}` is not a valid {expected}: {hint}", argument(*.place))]
    Type {
        /// The option's name.
        name: String,
        /// The number of the argument, counted from 1, or none if the option has only one.
        place: Option<usize>,
        /// The text of the user.
        typed: String,
        /// The required type.
        expected: ValueType,
        /// How to write an argument of this type, or why the text is invalid.
        hint: String,
    },
}

/// Parses options by the `info` of a UDF. Returns one call per option, in the order of `typed`.
///
/// # Errors
/// If an option is invalid. The error contains the problems of all options.
pub fn parse(info: &Info, typed: &[impl AsRef<str>]) -> Result<Vec<OptionCall>, OptionsError> {
    let (mut calls, mut problems) = (Vec::new(), Vec::new());
    for typed in typed {
        match parse_one(info, typed.as_ref()) {
            Ok(call) => calls.push(call),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(calls) } else { Err(OptionsError { problems }) }
}

fn parse_one(info: &Info, typed: &str) -> Result<OptionCall, Vec<OptionProblem>> {
    let (name, text) = match typed.split_once('=') {
        Some((name, text)) => (name.trim(), Some(text)),
        None => (typed.trim(), None),
    };
    if name.is_empty() {
        return Err(vec![OptionProblem::NoName { typed: typed.to_owned() }]);
    }
    let Some(types) = info.options.get(name) else {
        return Err(vec![OptionProblem::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, info.options.keys().map(String::as_str)).map(str::to_owned),
            known: info.options.keys().cloned().collect(),
        }]);
    };
    let pieces = match text {
        Some(text) => split::split(text)
            .map_err(|problem| vec![OptionProblem::Quotes { name: name.to_owned(), problem }])?,
        None => Vec::new(),
    };
    if pieces.len() != types.len() || text.is_some() == types.is_empty() {
        return Err(vec![OptionProblem::Arguments {
            name: name.to_owned(),
            types: types.clone(),
            got: text.map(|_| pieces.len()),
        }]);
    }
    let (mut values, mut problems) = (Vec::<Value>::new(), Vec::new());
    for (i, (piece, &expected)) in pieces.iter().zip(types).enumerate() {
        match value::parse(piece, expected) {
            Ok(value) => values.push(value),
            Err(hint) => problems.push(OptionProblem::Type {
                name: name.to_owned(),
                place: (types.len() > 1).then_some(i + 1),
                typed: piece.text.clone(),
                expected,
                hint,
            }),
        }
    }
    if problems.is_empty() {
        Ok(OptionCall { name: name.to_owned(), values })
    } else {
        Err(problems)
    }
}

fn instead(nearest: &Option<String>, known: &[String]) -> String {
    match (nearest, known) {
        (Some(nearest), _) => format!("did you mean `{nearest}`?"),
        (None, []) => "the UDF has no options".to_owned(),
        (None, known) => format!("the UDF's options are `{}`", known.join("`, `")),
    }
}

fn wrong_number(name: &str, types: &[ValueType], got: Option<usize>) -> String {
    if types.is_empty() {
        return format!("option `{name}` is a flag; write {name} without =");
    }
    let names: Vec<_> = types.iter().map(ValueType::to_string).collect();
    let got = match got {
        None | Some(0) => "none".to_owned(),
        Some(got) => got.to_string(),
    };
    let plural = if types.len() == 1 { "" } else { "s" };
    let quote = if types.contains(&ValueType::String) && got != "none" {
        "; quote a STRING that contains a comma: 'a,b'"
    } else {
        ""
    };
    format!(
        "option `{name}` takes {} argument{plural}, got {got}; write {name}={}{quote}",
        types.len(),
        names.join(",")
    )
}

fn argument(place: Option<usize>) -> String {
    place.map_or(String::new(), |place| format!("argument {place}, "))
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let separator = if i > 0 { "\n" } else { "" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for OptionsError {}
