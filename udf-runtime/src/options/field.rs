//! How often an option can be called: the type of its field says it.

use super::OptionType;
use super::spec::{self, OptionSpec};

/// A field that is an option: an [`OptionType`] is called once, an `Option` of one at most once, a
/// `Vec` of one any number of times.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an option",
    label = "not a type that an option can have",
    note = "an option is bool, an integer, f32, f64, String, FieldName, TagName, \
            char, PathBuf or Duration, \
            a tuple or an array of these, or an `Option` or `Vec` of them",
    note = "for a type that is `FromStr`, write `#[option(parse)]`; for an enum or a tuple struct \
            of your own, `#[derive(udf_runtime::options::OptionType)]`; for others, implement that trait"
)]
pub trait OptionField: Sized {
    /// What one call gives.
    type Value: OptionType;
    #[doc(hidden)]
    const CALLS: Calls;
    #[doc(hidden)]
    fn from_calls(values: Vec<Self::Value>) -> Option<Self>;
    #[doc(hidden)]
    fn spec(name: &'static str, text: &'static str) -> OptionSpec<Self, Self::Value> {
        spec::new(name, text, Self::CALLS, Self::from_calls)
    }
}

/// How often an option can be called.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    Once,
    AtMostOnce,
    Any,
}

#[diagnostic::do_not_recommend]
impl<T: OptionType> OptionField for T {
    type Value = T;
    const CALLS: Calls = Calls::Once;

    fn from_calls(values: Vec<T>) -> Option<T> {
        values.into_iter().next()
    }
}

impl<T: OptionType> OptionField for Option<T> {
    type Value = T;
    const CALLS: Calls = Calls::AtMostOnce;

    fn from_calls(values: Vec<T>) -> Option<Option<T>> {
        Some(values.into_iter().next())
    }
}

impl<T: OptionType> OptionField for Vec<T> {
    type Value = T;
    const CALLS: Calls = Calls::Any;

    fn from_calls(values: Vec<T>) -> Option<Vec<T>> {
        Some(values)
    }
}
