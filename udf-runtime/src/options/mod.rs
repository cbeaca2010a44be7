//! Options: from the calls of an Init to the typed fields of a UDF.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `types` | what an option can be: [`OptionType`], and the types that Rust has |
//! | `calls` | how often it can be called |
//! | `field` | how a field is made of the calls: of one, `Option`, `Vec` |
//! | `limits` | limits of values and of lengths |
//! | `data` | one option, as `#[option(...)]` describes it in a constant |
//! | `docs` | doc comments as help |
//! | `parser` | the calls of an Init against all of them |
//! | `problem` | what can be wrong, and in which words |
//! | `suggest` | what came, put right |

mod calls;
mod data;
mod docs;
mod field;
mod limits;
mod parser;
mod problem;
mod suggest;
mod types;

use std::fmt;

use udf_proto::{Init, OptionCall, ValueType};
use udf_text::describe::OptionHelp;

use crate::Udf;

pub(crate) use docs::help;
pub use field::OptionField;
pub use parser::OptionParser;
pub use types::{
    FieldName, HasLen, Help, MustBe, OptionType, Ranged, RangedField, TagName, TickValue,
};
pub use udf_macros::OptionType;

#[doc(hidden)]
pub use data::{Literal, OptionData, len, range};
#[doc(hidden)]
pub use field::{Field, flag, option, parsed, parsed_option, parsed_vec};
#[doc(hidden)]
pub use types::{Flag, Parse, Parsed, no_choice};

use data::Known;
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
    let mut parser = OptionParser::new(T::OPTIONS, init.options);
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
    let mut all: Vec<_> = T::OPTIONS.iter().map(|data| Known::new(data).describe()).collect();
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

/// The names of the options, and the types of their arguments.
pub(crate) fn types<T: Udf>() -> impl Iterator<Item = (&'static str, Vec<ValueType>)> {
    T::OPTIONS.iter().flat_map(|data| data.names().map(|name| (name, data.types())))
}

/// What is wrong with the options of a UDF itself: limits without a value, and defaults and examples that are none of
/// its values. It makes the defaults, and calls `validate` and `parse` with the examples.
pub(crate) fn faults<T: Udf>() -> Vec<String> {
    let known: Vec<Known> = T::OPTIONS.iter().map(Known::new).collect();
    let mut faults: Vec<String> = known.iter().flat_map(Known::faults).collect();
    if !faults.is_empty() {
        return faults;
    }
    let call = |known: &Known, values| OptionCall { name: known.data.name.to_owned(), values };
    let required = || known.iter().filter(|known| known.min_calls() > 0);
    let mut tried: Vec<Option<&Known>> = vec![None];
    tried.extend(known.iter().filter(|known| known.has_example()).map(Some));
    for example in tried {
        let also = example.filter(|example| example.min_calls() == 0);
        let calls = required().chain(also).flat_map(|known| {
            let values = known.sample()?;
            Some(std::iter::repeat_n(call(known, values), known.min_calls().max(1)))
        });
        let options: Vec<OptionCall> = calls.flatten().collect();
        // A relation between options is no fault of one example.
        let names: Vec<&str> = options.iter().map(|call| &*call.name).collect();
        let related = |known: &Known| {
            let mut others = known.data.conflicts.iter().chain(known.data.requires);
            others.any(|_| names.contains(&known.data.name))
        };
        let is_complete = required().all(|known| names.contains(&known.data.name));
        if !is_complete || example.is_some() && known.iter().any(related) {
            continue;
        }
        if let Err(refusal) = parse::<T>(Init { options, ..Init::default() }) {
            let text = refusal.to_string();
            if !faults.contains(&text) {
                faults.push(text);
            }
        }
    }
    faults
}
