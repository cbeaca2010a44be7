//! Types that can have a `range` or a `len`.

use udf_proto::Value;

use super::OptionType;

/// A value that can have a range: an integer, a float or a Duration, or several of one of them.
pub trait Ranged: OptionType {
    /// The type of the ends of its range.
    type Bound;
    #[doc(hidden)]
    fn value(bound: Self::Bound) -> Value;
}

/// An option that can have a `range`: a [`Ranged`] type, or an `Option` or `Vec` of it.
#[diagnostic::on_unimplemented(
    message = "an option of type `{Self}` cannot have a `range`",
    label = "cannot have a `range`",
    note = "`range` is for integers, floats and Durations; use `len` for the length of text, \
            `validate = path` for anything else"
)]
pub trait RangedField {
    #[doc(hidden)]
    type Bound;
    #[doc(hidden)]
    fn value(bound: Self::Bound) -> Value;
}

#[diagnostic::do_not_recommend]
impl<T: Ranged> RangedField for T {
    type Bound = T::Bound;

    fn value(bound: T::Bound) -> Value {
        T::value(bound)
    }
}

impl<T: Ranged> RangedField for Option<T> {
    type Bound = T::Bound;

    fn value(bound: T::Bound) -> Value {
        T::value(bound)
    }
}

impl<T: Ranged> RangedField for Vec<T> {
    type Bound = T::Bound;

    fn value(bound: T::Bound) -> Value {
        T::value(bound)
    }
}

/// An option that can have a `len`: text has a length in characters, a `Vec` a number of calls.
#[diagnostic::on_unimplemented(
    message = "an option of type `{Self}` cannot have a `len`",
    label = "cannot have a `len`",
    note = "`len` limits the characters of a String or the calls of a Vec"
)]
pub trait HasLen {
    #[doc(hidden)]
    const OF_CALLS: bool;
}

impl HasLen for String {
    const OF_CALLS: bool = false;
}

impl<T: HasLen> HasLen for Option<T> {
    const OF_CALLS: bool = false;
}

impl<T> HasLen for Vec<T> {
    const OF_CALLS: bool = true;
}
