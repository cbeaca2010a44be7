//! The text that refuses an Init.

use std::fmt;

use crate::udf::options::problem::Problems;

/// Why an Init is refused: everything that is wrong with its options, in one text.
///
/// It is the only text that the author of a task sees, behind Kapacitor's "failed to initialize
/// processes": it names each call that is wrong, says what was expected and what came, and shows
/// the line of TICKscript that would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub(super) udf: &'static str,
    pub(super) problems: Problems,
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
