//! The text that refuses an Init.

use std::fmt;

use crate::udf::options::problem::Problems;

/// The error that refuses an Init. It lists all invalid options.
///
/// The author of a task sees only this text, behind Kapacitor's "failed to initialize
/// processes". It names each invalid call, what was expected and what came, and shows a valid line
/// of TICKscript.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub(super) udf: &'static str,
    pub(super) problems: Problems,
}

impl Refusal {
    /// Returns the number of problems. It is 0 only if nothing has supplied a `#[shared]` field.
    pub fn count(&self) -> usize {
        self.problems.shown.len() + self.problems.more
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { udf, problems: Problems { shown, more } } = self;
        if self.count() == 0 {
            return write!(f, "UDF {udf}: nothing has supplied its `#[shared]` fields");
        }
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
