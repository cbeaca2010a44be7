//! What generated code names. It is no part of the public surface and changes without notice.

pub use std::mem::needs_drop;
pub use std::option::Option::{self, None, Some};
pub use std::primitive::{bool, str};
pub use std::result::Result::{Err, Ok};
pub use std::string::String;
pub use std::time::Duration;
pub use std::vec::Vec;
pub use std::{concat, option_env};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use udf_macros::__Udf;

pub use crate::agent::edge::{Batch, Stream};
pub use crate::agent::emitter::Emitter;
use crate::agent::error::Error;
pub use crate::agent::error::Result;
use crate::udf::options::TickValue;
pub use crate::udf::options::{
    Help, Literal, OptionData, OptionParser, OptionType, flag, len, no_choice, option, parsed,
    parsed_option, parsed_vec, range,
};
use crate::udf::state::Groups;
pub use crate::udf::state::{StateReader, StateWriter};
pub use crate::udf::traits::{FromPoint, OnMissing, Tick, Ticks, Udf};
pub use crate::udf::typed::{field, group, point, put, tag, time};
pub use udf_proto::point::{FieldError, FieldSet as Fields, FieldWriter};
pub use udf_proto::{Point, Value};

/// The body of a function that stands in for one with errors. It is never run: the build fails.
pub fn never() -> ! {
    unreachable!("code with errors was built")
}

/// Text as a type that owns it.
pub fn text<T: for<'t> From<&'t str>>(text: &str) -> T {
    T::from(text)
}

/// A text or a character as an argument.
pub fn argument_text(text: &dyn std::fmt::Display) -> String {
    text.to_string()
}

/// Calls the UDF at a tick.
///
/// # Errors
/// Those of the UDF.
pub fn tick<T: Tick>(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()> {
    udf.tick(out)
}

/// What `#[state]` asks of the type of a field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be `#[state]`: it cannot be saved and loaded",
    label = "not a type that state can have",
    note = "write `#[derive(serde::Serialize, serde::Deserialize, Default)]` on each type of your own in it; \
            or remove `#[state]`: then the field is working memory, which is no part of a snapshot",
    note = "a point is kept as a `PointBuf`"
)]
pub trait State: Serialize + DeserializeOwned + Default {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Default> State for T {}

/// What a member of a tuple struct with `#[derive(OptionType)]` asks of its type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an option",
    label = "not a type that an argument can have",
    note = "an argument is bool, an integer, f32, f64, String, FieldName, TagName, \
            char, PathBuf or Duration, \
            or a tuple or an array of these",
    note = "for an enum or a tuple struct of your own, write `#[derive(udf_runtime::options::OptionType)]` on it; \
            for others, implement that trait"
)]
pub trait OptionArgument: OptionType {}

#[diagnostic::do_not_recommend]
impl<T: OptionType> OptionArgument for T {}

/// Is compiled for what can be an argument.
pub const fn argument<T: OptionArgument>() {}

/// What a TICKscript writes for several arguments, of those that are put.
pub fn several<R: TickValue>(put: impl FnOnce(&mut Vec<Value>)) -> R {
    let mut values = Vec::new();
    put(&mut values);
    R::take(&mut values.into_iter())
}

/// A type, and whether it was found to be right: no other array has it.
pub trait Checked<T> {
    /// The type itself.
    type Type;
}

impl<T> Checked<T> for [(); 0] {
    type Type = T;
}

/// What a function returns.
pub trait Returns {
    /// The type of it.
    type Output;
}

impl<A, R> Returns for fn(A) -> R {
    type Output = R;
}

/// What a field that is neither an option nor state asks of its type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be working memory: it has no `Default` to begin with",
    label = "a field without `#[option]` or `#[state]` begins with its `Default`",
    note = "write `Option<{Self}>`, which begins with `None`; or `#[derive(Default)]` on a type of your own",
    note = "if the field is set by tasks, write `#[option]` on it"
)]
pub trait Memory: Default {}

#[diagnostic::do_not_recommend]
impl<T: Default> Memory for T {}

/// What a field that is neither an option nor state is before any point.
pub fn memory<T: Memory>() -> T {
    T::default()
}

/// What `#[option(default)]` asks of the type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default of its own",
    label = "`default` alone is the `Default` of the type",
    note = "write `default = value`; or `#[derive(Default)]` on a type of your own"
)]
pub trait OwnDefault: Default {}

#[diagnostic::do_not_recommend]
impl<T: Default> OwnDefault for T {}

/// The default that a type has.
pub fn own_default<T: OwnDefault>() -> T {
    T::default()
}

/// What the function of `#[option(validate = ...)]` returns.
#[diagnostic::on_unimplemented(
    message = "a function for `validate` returns `Result<(), String>`, not `{Self}`",
    label = "does not return `Result<(), String>`",
    note = "write `fn check(value: &T) -> Result<(), String>`, where `Err` says what is wrong with the value; \
            any error type will do for the `String`"
)]
pub trait Verdict {
    /// What was found wrong, as an error.
    ///
    /// # Errors
    /// What was found wrong.
    fn verdict(self) -> Result<()>;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> Verdict for Result<(), E> {
    fn verdict(self) -> Result<()> {
        self.map_err(E::into)
    }
}

/// What a function for `validate` found.
///
/// # Errors
/// What was found wrong.
pub fn verdict(found: impl Verdict) -> Result<()> {
    found.verdict()
}

/// A `#[state]` field, by the name under which it is saved.
///
/// It asks nothing of its type: what is wrong with that is told once, where it is made.
#[derive(Debug)]
pub struct StateField<T> {
    name: &'static str,
    initial: fn() -> T,
    save: fn(&'static str, &T, &mut StateWriter) -> Result<()>,
    load: fn(&'static str, &mut StateReader<'_>) -> Result<T>,
}

/// The field of this name.
pub const fn state<T: State>(name: &'static str) -> StateField<T> {
    StateField {
        name,
        initial: T::default,
        save: |name, value, state| state.field(name, value),
        load: |name, state| Ok(state.field(name)?.unwrap_or_default()),
    }
}

impl<T> StateField<T> {
    /// The value before any point.
    pub fn initial(self) -> T {
        (self.initial)()
    }

    /// Adds the value to a snapshot.
    ///
    /// # Errors
    /// When it cannot be serialized.
    pub fn save(self, value: &T, state: &mut StateWriter) -> Result<()> {
        (self.save)(self.name, value, state)
    }

    /// The value in a snapshot, or the default if that is older than the field.
    ///
    /// # Errors
    /// When it cannot be deserialized.
    pub fn load(self, state: &mut StateReader<'_>) -> Result<T> {
        (self.load)(self.name, state)
    }
}

/// A `#[state]` field that a snapshot restores.
#[derive(Debug)]
pub struct Slot<'a, T>(pub &'a mut T);

impl<T> Slot<'_, Groups<T>> {
    /// Restores the groups; the limits stay, which are no part of a snapshot.
    pub fn __udf_restore(self, restored: Groups<T>) {
        self.0.restore(restored);
    }
}

/// Restores what is not [`Groups`], whose own method comes before this one.
pub trait Restore<T> {
    /// Sets the field to what was saved.
    fn __udf_restore(self, restored: T);
}

impl<T> Restore<T> for Slot<'_, T> {
    fn __udf_restore(self, restored: T) {
        *self.0 = restored;
    }
}
