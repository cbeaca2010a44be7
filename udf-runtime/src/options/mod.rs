//! Options: from the calls of an Init to the typed fields of a UDF.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `types` | what an option can be: [`OptionType`], and the types that Rust has |
//! | `field` | how often it can be called: once, `Option`, `Vec` |
//! | `limits` | ranges of arguments, and lengths |
//! | `spec` | one option, as `#[option(...)]` describes it |
//! | `parser` | the calls of an Init against all of them |
//! | `problem` | what can be wrong, and in which words |
//! | `suggest` | what came, put right |
//! | `sample` | arguments that an option accepts |

mod field;
mod limits;
mod parser;
mod problem;
mod sample;
mod spec;
mod suggest;
mod types;

use std::fmt;

use udf_host::describe::OptionHelp;
use udf_proto::Init;

use crate::Udf;

pub use field::OptionField;
pub use limits::{HasLen, Ranged, RangedField};
pub use parser::OptionParser;
pub use types::{Help, MustBe, OptionType, TickValue};
pub use udf_macros::OptionType;

#[doc(hidden)]
pub use spec::{OptionSpec, flag, len, option, parsed, parsed_option, parsed_vec, range};
#[doc(hidden)]
pub use types::{Flag, Parse, Parsed, no_choice};

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
    let mut parser = OptionParser::new(init.options);
    let udf = T::from_options(&mut parser);
    let (problems, warnings) = parser.finish();
    if let (Some(udf), true) = (udf, problems.shown.is_empty()) {
        return Ok(Accepted { udf, warnings });
    }
    // Once more, for the lines that would do: only now is somebody told of them.
    let mut parser = OptionParser::new(parser.into_calls()).with_samples();
    let _ = T::from_options(&mut parser);
    let (told, _) = parser.finish();
    // The author's code could think better of it.
    let problems = if told.shown.is_empty() { problems } else { told };
    Err(Refusal { udf: T::NAME, problems })
}

/// What is known of the options of a UDF, in the order of its fields, with values that they accept.
pub fn describe<T: Udf>() -> Vec<OptionHelp> {
    described::<T>(OptionParser::new(Vec::new()).with_samples())
}

/// The same without such values, for Kapacitor: the author's code is not asked about any.
pub(crate) fn signatures<T: Udf>() -> Vec<OptionHelp> {
    described::<T>(OptionParser::new(Vec::new()))
}

fn described<T: Udf>(mut parser: OptionParser) -> Vec<OptionHelp> {
    // It lacks required options as likely as not; what it notes of each is what counts.
    let _ = T::from_options(&mut parser);
    parser.into_help()
}
