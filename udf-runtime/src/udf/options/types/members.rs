//! Structs with `#[derive(OptionType)]`: the arguments of their members, in order.

use std::marker::PhantomData;
use std::vec::IntoIter;

use udf_proto::{Value, ValueType};

use super::compound::{add_help, count, in_argument};
use super::tick_value::sealed;
use super::{Help, OptionType, TickValue};
use crate::agent::error::Result;

/// A struct of which every member is an [`OptionType`].
pub trait Members {
    /// Adds the types of the arguments.
    fn types(types: &mut Vec<ValueType>);
}

/// The arguments of a struct, which a TICKscript writes for a value of it.
#[derive(Debug)]
pub struct Arguments<T> {
    values: Vec<Value>,
    of: PhantomData<fn() -> T>,
}

impl<T> Arguments<T> {
    /// Takes the arguments of all members.
    pub fn new(values: Vec<Value>) -> Self {
        Arguments { values, of: PhantomData }
    }

    /// Hands the arguments out to so many members.
    pub fn members(self, count: usize) -> Parts {
        Parts { values: self.values.into_iter(), next: 0, is_one: count == 1 }
    }
}

impl<T: Members> sealed::TickValue for Arguments<T> {}
impl<T: Members> TickValue for Arguments<T> {
    fn types(types: &mut Vec<ValueType>) {
        T::types(types);
    }
    fn take(values: &mut IntoIter<Value>) -> Self {
        Arguments::new(values.take(count::<Self>()).collect())
    }
    fn put(self, values: &mut Vec<Value>) {
        values.extend(self.values);
    }
}

/// The arguments that are left for the members to come.
#[derive(Debug)]
pub struct Parts {
    values: IntoIter<Value>,
    next: usize,
    is_one: bool,
}

/// The functions of a member of a struct.
///
/// Its methods have no bounds: rustc reports a type that is no [`OptionType`] once, where
/// [`member`] is called. They take `self` by value: a method of a blanket trait of the author
/// cannot precede them in generated code.
#[derive(Debug)]
pub struct Member<T> {
    types: fn(&mut Vec<ValueType>),
    count: fn() -> usize,
    make: fn(&mut IntoIter<Value>) -> Result<T>,
    put: fn(&T, &mut Vec<Value>),
    help: fn() -> Help,
    is_plain: bool,
}

/// The bound on the type of a member of a struct with `#[derive(OptionType)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an option",
    label = "cannot be an argument",
    note = "an argument can be bool, an integer, f32, f64, String, FieldName, TagName, Bytes, \
            Percent, char, PathBuf or Duration, \
            or a tuple or an array of these",
    note = "add `#[derive(udf_runtime::options::OptionType)]` to your own enum or struct; implement \
            that trait for other types"
)]
pub trait OptionArgument: OptionType {}

#[diagnostic::do_not_recommend]
impl<T: OptionType> OptionArgument for T {}

/// Returns the functions of a member of this type.
pub const fn member<T: OptionArgument>() -> Member<T> {
    Member {
        types: T::Raw::types,
        count: count::<T::Raw>,
        make: |values| T::from_raw(T::Raw::take(values)),
        put: |value, values| value.to_raw().put(values),
        help: T::help,
        is_plain: T::IS_PLAIN,
    }
}

impl<T> Member<T> {
    /// Adds the types of its arguments.
    pub fn types(self, types: &mut Vec<ValueType>) {
        (self.types)(types);
    }

    /// Makes the member of its arguments, which are the next.
    ///
    /// # Errors
    /// When the member refuses them. The error of one among several members names the argument.
    pub fn make(self, parts: &mut Parts) -> Result<T> {
        let first = parts.next;
        parts.next += (self.count)();
        let made = (self.make)(&mut parts.values);
        if parts.is_one { made } else { made.map_err(|error| in_argument(first, error)) }
    }

    /// Adds the arguments of a value.
    pub fn put(self, value: &T, values: &mut Vec<Value>) {
        (self.put)(value, values);
    }

    /// Returns its help, and how many arguments it has.
    pub fn help(self) -> (Help, usize) {
        ((self.help)(), (self.count)())
    }

    /// Returns whether no code of an author makes or shows its values.
    pub const fn plain(self) -> bool {
        self.is_plain
    }
}

/// Returns the help of a struct with these members, each with its name. The members of a tuple
/// struct have empty names.
pub fn help_of<const N: usize>(members: [(&str, (Help, usize)); N]) -> Help {
    let (mut help, mut place) = (Help::whole(), 0);
    for (name, (member, count)) in members {
        // A member with several arguments keeps their own names.
        let member = if count == 1 { Help { name: name.to_owned(), ..member } } else { member };
        if N == 1 {
            return member;
        }
        add_help(&mut help, member, count, &mut place);
    }
    help
}
