//! The types of fields, which determine how often an option can be called.

use std::any::Any;
use std::convert::identity;
use std::marker::PhantomData;

use udf_proto::{Value, ValueType};

use super::OptionType;
use super::calls::Calls;
use super::data::{Boxed, Made, Making, OptionData};
use super::types::{Flag, Help, Parse, Parsed, TickValue};
use crate::agent::error::Result;

/// A field that is an option: an [`OptionType`] is called once, an `Option` of one at most once, a
/// `Vec` of one any number of times.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an option",
    label = "cannot be an option",
    note = "an option can be bool, an integer, f32, f64, String, FieldName, TagName, Bytes, \
            Percent, char, PathBuf or Duration, \
            a tuple or an array of these, or an `Option` or `Vec` of them",
    note = "write `#[option(parse)]` for a type that implements `FromStr`; add \
            `#[derive(udf_runtime::options::OptionType)]` to your own enum or struct; implement \
            that trait for other types"
)]
pub trait OptionField: Sized {
    /// The type of one call.
    type Value: OptionType;
    #[doc(hidden)]
    const FIELD: Field<Self, Self::Value>;
}

#[diagnostic::do_not_recommend]
impl<T: OptionType + 'static> OptionField for T {
    type Value = T;
    const FIELD: Field<T, T> = Field::new(Calls::Once, first);
}

impl<T: OptionType + 'static> OptionField for Option<T> {
    type Value = T;
    const FIELD: Field<Option<T>, T> =
        Field::new(Calls::AtMostOnce, |values| Some(Box::new(all(values, identity::<T>).pop())));
}

impl<T: OptionType + 'static> OptionField for Vec<T> {
    type Value = T;
    const FIELD: Field<Vec<T>, T> =
        Field::new(Calls::Any, |values| Some(Box::new(all(values, identity::<T>))));
}

fn first(values: Vec<Boxed>) -> Option<Boxed> {
    values.into_iter().next()
}

// The crate of an author compiles the following functions for each type of an option. A loop becomes
// less code than iterators do.

/// Returns the values of the calls, each as `open` makes it.
fn all<V: 'static, T>(values: Vec<Boxed>, open: fn(V) -> T) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if let Ok(value) = value.downcast() {
            all.push(open(*value));
        }
    }
    all
}

fn make<V: OptionType + 'static>(values: Vec<Value>) -> Result<Boxed> {
    match V::from_raw(V::Raw::take(&mut values.into_iter())) {
        Ok(value) => Ok(Box::new(value)),
        Err(error) => Err(error),
    }
}

fn show<V: OptionType>(value: &V) -> Vec<Value> {
    let mut values = Vec::new();
    value.to_raw().put(&mut values);
    values
}

/// The functions that make a field of type `F` of calls with a `V` each.
///
/// It has no bounds, which the function that makes it has checked: rustc reports an invalid type
/// once.
#[doc(hidden)]
pub struct Field<F, V> {
    pub(super) calls: Calls,
    pub(super) types: fn(&mut Vec<ValueType>),
    pub(super) of_type: fn() -> Help,
    making: Making,
    show: fn(&V) -> Vec<Value>,
    field: PhantomData<fn() -> F>,
}

impl<F, V> Clone for Field<F, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, V> Copy for Field<F, V> {}

impl<F, V> std::fmt::Debug for Field<F, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl<F, V: OptionType + 'static> Field<F, V> {
    const fn new(calls: Calls, collect: fn(Vec<Boxed>) -> Option<Boxed>) -> Self {
        Field {
            calls,
            types: V::Raw::types,
            of_type: V::help,
            making: Making { make: make::<V>, collect, is_plain: V::IS_PLAIN },
            show: show::<V>,
            field: PhantomData,
        }
    }
}

impl<F, V: 'static> Field<F, V> {
    /// Returns the option of such a field.
    pub const fn data(self, name: &'static str, docs: &'static str) -> OptionData {
        OptionData::new(name, docs, self.calls, self.types, self.of_type, self.making)
    }

    /// Returns the arguments of a value, unless code of an author makes them.
    pub fn show(self, value: fn() -> V) -> Option<Vec<Value>> {
        self.making.is_plain.then(|| (self.show)(&value()))
    }

    /// Returns a default.
    pub fn made(self, value: fn() -> V) -> Made {
        let value = value();
        Made { shown: self.making.is_plain.then(|| (self.show)(&value)), value: Box::new(value) }
    }

    /// Checks a value by a function of the author.
    ///
    /// # Errors
    /// Returns the error of the function.
    pub fn check(self, value: &dyn Any, check: fn(&V) -> Result<()>) -> Result<()> {
        value.downcast_ref().map_or(Ok(()), check)
    }
}

/// Returns the functions of a field of this type.
///
/// `V` is a parameter instead of `F::Value`, because rustc checks a projection before the bound,
/// and reports it elsewhere.
#[doc(hidden)]
pub const fn option<F: OptionField<Value = V>, V>() -> Field<F, V> {
    F::FIELD
}

/// The type of an option without an argument.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the type of a flag is `bool`, not `{Self}`",
    label = "must be `bool`",
    note = "a flag has no argument, and is true if a task calls it; remove `flag` for an option with an argument"
)]
pub trait IsFlag: Sized {
    const FIELD: Field<Self, Flag>;
}

impl IsFlag for bool {
    const FIELD: Field<bool, Flag> =
        Field::new(Calls::Once, |values| Some(Box::new(!values.is_empty())));
}

/// Returns the functions of a flag.
#[doc(hidden)]
pub const fn flag<F: IsFlag>() -> Field<F, Flag> {
    F::FIELD
}

/// Returns the functions of a field that is parsed from text.
#[doc(hidden)]
pub const fn parsed<T: Parse + 'static>() -> Field<T, Parsed<T>> {
    Field::new(Calls::Once, |values| Some(Box::new(all(values, Parsed::<T>::into_value).pop()?)))
}

/// Returns the functions of an `Option` that is parsed from text.
#[doc(hidden)]
pub const fn parsed_option<T: Parse + 'static>() -> Field<Option<T>, Parsed<T>> {
    Field::new(Calls::AtMostOnce, |values| {
        Some(Box::new(all(values, Parsed::<T>::into_value).pop()))
    })
}

/// Returns the functions of a `Vec` whose elements are parsed from text.
#[doc(hidden)]
pub const fn parsed_vec<T: Parse + 'static>() -> Field<Vec<T>, Parsed<T>> {
    Field::new(Calls::Any, |values| Some(Box::new(all(values, Parsed::<T>::into_value))))
}
