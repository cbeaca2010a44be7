//! Options: from the calls of an Init to the typed fields of a UDF.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `types` | what an option can be: [`OptionType`], and the types that Rust has |
//! | `docs` | doc comments as help |
//! | `field` | how often it can be called: once, `Option`, `Vec` |
//! | `limits` | ranges of arguments, and lengths |
//! | `spec` | one option, as `#[option(...)]` describes it |
//! | `parser` | the calls of an Init against all of them |
//! | `problem` | what can be wrong, and in which words |
//! | `suggest` | what came, put right |
//! | `sample` | arguments for a call that nobody has written |

mod docs;
mod field;
mod limits;
mod parser;
mod problem;
mod sample;
mod spec;
mod suggest;
mod types;

use std::fmt;

use udf_proto::{Init, ValueType};
use udf_text::describe::OptionHelp;

use crate::Udf;

pub(crate) use docs::help;
pub use field::OptionField;
pub use limits::{HasLen, Ranged, RangedField};
pub use parser::OptionParser;
pub use types::{FieldName, Help, MustBe, OptionType, TagName, TickValue};
pub use udf_macros::OptionType;

#[doc(hidden)]
pub use spec::{OptionSpec, flag, len, option, parsed, parsed_option, parsed_vec, range};
#[doc(hidden)]
pub use types::{Flag, Parse, Parsed, no_choice};

use parser::Asked;
use problem::Problems;

/// A UDF made of the options of an Init.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted<T> {
    /// The UDF, with its options set.
    pub udf: T,
    /// What the author of the task should know, a line each: deprecated options that are called.
    pub warnings: Vec<String>,
}

/// Why an Init is refused: everything that is wrong with its options, in one text.
///
/// It is the only text that the author of a task sees, behind Kapacitor's "failed to initialize
/// processes": it names each call that is wrong, says what was expected and what came, and shows
/// the line of TICKscript that would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    udf: &'static str,
    problems: Problems,
}

impl Refusal {
    /// How many problems there are; at least one.
    pub fn count(&self) -> usize {
        self.problems.shown.len() + self.problems.more
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { udf, problems: Problems { shown, more } } = self;
        if let ([problem], 0) = (&shown[..], more) {
            return write!(f, "UDF {udf}: {problem}");
        }
        write!(f, "UDF {udf}: {} problems with its options:", self.count())?;
        for (number, problem) in (1..).zip(shown) {
            let end = if number == shown.len() { "" } else { ";" };
            write!(f, " ({number}) {problem}{end}")?;
        }
        if *more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
    }
}

impl std::error::Error for Refusal {}

/// Makes a UDF of the options that an Init calls.
///
/// # Errors
/// One refusal that lists everything that is wrong.
pub fn parse<T: Udf>(init: Init) -> Result<Accepted<T>, Refusal> {
    let mut parser = OptionParser::new(Asked::Fields, init.options);
    let udf = T::from_options(&mut parser);
    let (problems, warnings) = parser.finish();
    match udf {
        Some(udf) => Ok(Accepted { udf, warnings }),
        None => Err(Refusal { udf: T::NAME, problems }),
    }
}

/// What is known of the options of a UDF, in the order of its fields.
///
/// No default is made and no `validate` or `parse` is called for it.
pub fn describe<T: Udf>() -> Vec<OptionHelp> {
    asked::<T>(Asked::Help).into_help()
}

/// The names of the options, and the types of their arguments.
pub(crate) fn types<T: Udf>() -> impl Iterator<Item = (&'static str, Vec<ValueType>)> {
    asked::<T>(Asked::Types).into_types()
}

fn asked<T: Udf>(asked: Asked) -> OptionParser {
    let mut parser = OptionParser::new(asked, Vec::new());
    // There is no UDF: what the parser notes of each option is what counts.
    let _ = T::from_options(&mut parser);
    parser
}
