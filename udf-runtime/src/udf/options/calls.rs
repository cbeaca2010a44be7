//! How often a task can call an option.

/// How often a task can call an option.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// Once, or never if it has a default.
    Once,
    /// Once or never.
    AtMostOnce,
    /// Any number of times.
    Any,
}
