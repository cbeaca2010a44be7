//! The items that generated code and the command `udf` use. They are not public API, and change without notice.

pub use std::mem::needs_drop;
pub use std::ops::Bound;
pub use std::option::Option::{self, None, Some};
pub use std::primitive::{bool, str};
pub use std::result::Result::{Err, Ok};
pub use std::string::String;
pub use std::time::Duration;
pub use std::vec::Vec;
pub use std::{concat, option_env};

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use udf_macros::__Udf;

pub use crate::agent::edge::{Batch, Stream};
pub use crate::agent::emitter::Emitter;
use crate::agent::error::Error;
pub use crate::agent::error::Result;
pub use crate::agent::own_metrics::Metric;
#[cfg(feature = "main")]
pub use crate::homes::front::{own_path, supervise, supervise_command, work};
#[cfg(feature = "main")]
pub use crate::homes::program::Program;
#[cfg(feature = "main")]
pub use crate::homes::several::{main_of, programs};
#[cfg(feature = "main")]
pub use crate::homes::supervision::{info_arg as supervise_info_arg, is_asked as is_supervised};
#[cfg(feature = "main")]
pub use crate::homes::telegraf::{Target as TelegrafTarget, telegraf, telegraf_command};
pub use crate::udf::missing::OnMissing;
pub use crate::udf::options::{
    Arguments, Help, Literal, Members, OptionData, OptionParser, OptionType, flag, help_of, len,
    member, no_choice, option, parsed, parsed_option, parsed_vec, range,
};
use crate::udf::shared::field::SharedField;
pub use crate::udf::shared::field::shared_type;
pub use crate::udf::shared::resources::SharedType;
use crate::udf::state::Groups;
pub use crate::udf::state::{StateReader, StateWriter, is_made_with, save_options};
pub use crate::udf::traits::{FromPoint, Tick, Ticks, Udf};
pub use crate::udf::typed::{field, group, point, put, tag, time};
pub use udf_proto::point::{FieldError, FieldSet as Fields, FieldWriter};
pub use udf_proto::{Point, Value, ValueType};

/// The parts of a process that `udf nats` uses.
#[cfg(feature = "main")]
pub mod nats {
    pub use crate::homes::nats::{
        Connector, end, logging_args, metrics_arg, serve_metrics, start_log,
    };
}

/// The body of a stub for a function with errors. It never runs, because the build fails.
pub fn never() -> ! {
    unreachable!("code with errors was built")
}

/// Converts text to an owned type.
pub fn text<T: for<'t> From<&'t str>>(text: &str) -> T {
    T::from(text)
}

/// Calls the UDF at a tick.
///
/// # Errors
/// Returns the error of the UDF.
pub fn tick<T: Tick>(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()> {
    udf.tick(out)
}

/// The type of a field that `tick = field` names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an interval of ticks",
    label = "`tick` names a field of this type",
    note = "write `Duration`, or `Option<Duration>` with `None` for no ticks"
)]
pub trait Interval {
    /// Returns the interval. `None` for no ticks.
    fn interval(&self) -> Option<Duration>;
}

impl Interval for Duration {
    fn interval(&self) -> Option<Duration> {
        Some(*self)
    }
}

impl Interval for Option<Duration> {
    fn interval(&self) -> Option<Duration> {
        *self
    }
}

/// Returns the interval in a field.
pub fn interval<T: Interval>(field: &T) -> Option<Duration> {
    field.interval()
}

/// The bound on the type of a `#[state]` field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be `#[state]`: it cannot be serialized and deserialized",
    label = "cannot be state",
    note = "add `#[derive(serde::Serialize, serde::Deserialize, Default)]` to your own types in this field, \
            or remove `#[state]` if snapshots need not contain it",
    note = "to keep a point, write `PointBuf`"
)]
pub trait State: Serialize + DeserializeOwned + Default {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Default> State for T {}

/// Returns the value of a `#[shared]` field. The handler opens all of them before.
pub fn shared<F: SharedField>(options: &OptionParser) -> Option<F> {
    F::of(options.resources())
}

/// The return type of a function.
pub trait Returns {
    /// The type.
    type Output;
}

impl<A, R> Returns for fn(A) -> R {
    type Output = R;
}

/// The bound on the type of a field that is neither an option nor state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be working memory: it does not implement `Default`",
    label = "the initial value of a field without `#[option]` or `#[state]` is its `Default`",
    note = "write `Option<{Self}>`, whose initial value is `None`, or add `#[derive(Default)]` to your own type",
    note = "if tasks set the field, add `#[option]`"
)]
pub trait Memory: Default {}

#[diagnostic::do_not_recommend]
impl<T: Default> Memory for T {}

/// Returns the initial value of a field that is neither an option nor state.
pub fn memory<T: Memory>() -> T {
    T::default()
}

/// The bound of `#[option(default)]` on the type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Default`",
    label = "`default` without a value uses the `Default` of the type",
    note = "write `default = value`, or add `#[derive(Default)]` to your own type"
)]
pub trait OwnDefault: Default {}

#[diagnostic::do_not_recommend]
impl<T: Default> OwnDefault for T {}

/// Returns the `Default` of a type.
pub fn own_default<T: OwnDefault>() -> T {
    T::default()
}

/// The return type of a function for `#[option(validate = ...)]`.
#[diagnostic::on_unimplemented(
    message = "a function for `validate` must return `Result<(), String>`, not `{Self}`",
    label = "does not return `Result<(), String>`",
    note = "write `fn check(value: &T) -> Result<(), String>`, where the error explains why the value is invalid; \
            any error type can replace `String`"
)]
pub trait Verdict {
    /// Converts the result.
    ///
    /// # Errors
    /// Returns the reason why the value is invalid.
    fn verdict(self) -> Result<()>;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> Verdict for Result<(), E> {
    fn verdict(self) -> Result<()> {
        self.map_err(E::into)
    }
}

/// Converts the result of a function for `validate`.
///
/// # Errors
/// Returns the reason why the value is invalid.
pub fn verdict(found: impl Verdict) -> Result<()> {
    found.verdict()
}

/// A `#[state]` field with the name under which it is saved.
///
/// The type has no bound here, so that the compiler reports an unsuitable type only once, in
/// [`state`].
#[derive(Debug)]
pub struct StateField<T> {
    name: &'static str,
    initial: fn() -> T,
    save: fn(&'static str, &T, &mut StateWriter) -> Result<()>,
    load: fn(&'static str, &mut StateReader<'_>) -> Result<T>,
}

/// Creates the field with this name.
pub const fn state<T: State>(name: &'static str) -> StateField<T> {
    StateField {
        name,
        initial: T::default,
        save: |name, value, state| state.field(name, value),
        load: |name, state| Ok(state.field(name)?.unwrap_or_default()),
    }
}

impl<T> StateField<T> {
    /// Returns the initial value.
    pub fn initial(self) -> T {
        (self.initial)()
    }

    /// Adds the value to a snapshot.
    ///
    /// # Errors
    /// Returns an error if the value cannot be serialized.
    pub fn save(self, value: &T, state: &mut StateWriter) -> Result<()> {
        (self.save)(self.name, value, state)
    }

    /// Returns the value in a snapshot, or the default if the snapshot is older than the field.
    ///
    /// # Errors
    /// Returns an error if the value cannot be deserialized.
    pub fn load(self, state: &mut StateReader<'_>) -> Result<T> {
        (self.load)(self.name, state)
    }
}

/// The type of an option that `made_with` names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be in `made_with`: it does not implement `Debug`",
    label = "`made_with` names an option of this type",
    note = "add `#[derive(Debug)]` to your own type: snapshots contain the text of the value"
)]
pub trait Shown: Debug {}

#[diagnostic::do_not_recommend]
impl<T: Debug> Shown for T {}

/// Returns the value of an option that `made_with` names.
pub fn shown<T: Shown>(option: &T) -> &dyn Debug {
    option
}

/// The type of a `#[state]` field with `max`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot have `max`: it is not `Groups`",
    label = "`max` limits the number of groups",
    note = "write `Groups<T>`, or remove `max`"
)]
pub trait Limited {
    /// Keeps at most this many groups.
    fn limit(&mut self, count: usize);
}

impl<T> Limited for Groups<T> {
    fn limit(&mut self, count: usize) {
        self.limit_count(count);
    }
}

/// Limits the number of groups. `None` for no limit.
pub fn limit<T: Limited>(groups: &mut T, max: Option<usize>) {
    if let Some(max) = max {
        groups.limit(max);
    }
}

/// The type of an option that `max` names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number of groups",
    label = "`max` names an option of this type",
    note = "write an integer such as `usize`, or `Option<usize>` with `None` for no limit"
)]
pub trait MaxGroups {
    /// Returns the number. `None` for no limit.
    fn max_groups(&self) -> Option<usize>;
}

macro_rules! max_groups {
    ($($int:ty)*) => {$(
        impl MaxGroups for $int {
            fn max_groups(&self) -> Option<usize> {
                // A number below zero becomes the smallest limit, and a huge one the largest.
                let nearest = if *self > 0 { usize::MAX } else { 0 };
                Some(usize::try_from(*self).unwrap_or(nearest))
            }
        }
    )*};
}

max_groups!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl<T: MaxGroups> MaxGroups for Option<T> {
    fn max_groups(&self) -> Option<usize> {
        self.as_ref()?.max_groups()
    }
}

/// Returns the number of groups in an option.
pub fn max_groups<T: MaxGroups>(option: &T) -> Option<usize> {
    option.max_groups()
}

/// A `#[state]` field that a snapshot restores.
#[derive(Debug)]
pub struct Slot<'a, T>(pub &'a mut T);

impl<T> Slot<'_, Groups<T>> {
    /// Restores the groups. The limits stay, because they are not part of a snapshot.
    pub fn __udf_restore(self, restored: Groups<T>) {
        self.0.restore(restored);
    }
}

/// Restores any type but [`Groups`], whose inherent method takes precedence.
pub trait Restore<T> {
    /// Sets the field to the saved value.
    fn __udf_restore(self, restored: T);
}

impl<T> Restore<T> for Slot<'_, T> {
    fn __udf_restore(self, restored: T) {
        *self.0 = restored;
    }
}
