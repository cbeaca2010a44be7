//! The choice for points for which nothing is found.

use udf_runtime::options::OptionType;

/// What happens to a point for which nothing is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionType)]
pub(crate) enum Unmatched {
    /// It is sent without new fields and tags.
    Pass,
    /// It is dropped.
    Drop,
}
