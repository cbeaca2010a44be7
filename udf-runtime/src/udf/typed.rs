//! Typed points: structs that are read from a point, and structs that become its fields.
//!
//! With `#[derive(FromPoint)]`, a struct names the members of a point that a handler reads. With
//! `#[derive(Fields)]`, a struct names the fields that a handler emits. Only these members are
//! looked up, and borrowed text is not copied. A point that lacks a member, or has it with another
//! type, does not reach the handler. [`OnMissing`](crate::OnMissing) decides what happens to the
//! point.
//!
//! ```
//! use udf_runtime::{Emitter, Fields, FromPoint, Point, Result, Stream, StreamUdf, udf};
//!
//! #[derive(FromPoint)]
//! struct Cpu<'p> {
//!     #[field(name = "usage_user")]
//!     user: f64,
//!     #[field]
//!     usage_system: Option<f64>,
//!     #[tag]
//!     host: &'p str,
//!     #[time]
//!     time: i64,
//!     #[point]
//!     point: Point<'p>,
//! }
//!
//! #[derive(Fields)]
//! struct Busy {
//!     busy: f64,
//!     is_high: bool,
//! }
//!
//! #[udf(wants = stream, provides = stream, point = Cpu<'_>)]
//! struct BusyCpu {}
//!
//! impl StreamUdf for BusyCpu {
//!     fn point(&mut self, cpu: &Cpu<'_>, out: &mut Emitter<Stream>) -> Result<()> {
//!         let busy = cpu.user + cpu.usage_system.unwrap_or(0.0);
//!         Ok(out.edit(&cpu.point).fields(&Busy { busy, is_high: busy > 90.0 }).send()?)
//!     }
//! }
//! ```
//!
//! | attribute of a member | meaning | types |
//! | --- | --- | --- |
//! | `#[field]` | the field of its name | numbers, from int or float; `bool`; text; [`FieldValue`] |
//! | `#[tag]` | the tag of its name | text |
//! | `#[time]` | the time | `i64`, in nanoseconds since the epoch; [`SystemTime`] |
//! | `#[group]` | the name of the group | text |
//! | `#[point]` | the point itself | [`Point`], [`PointBuf`](crate::PointBuf), any [`FromPoint`] |
//!
//! Text is `&str`, `Cow<str>`, `String` or `Box<str>`. An `Option` marks a field or tag that may be
//! missing. A value of another type is still an error. `name = "..."` sets a name that differs from
//! the member's name. `rename_all = "camelCase"` in `#[point(...)]` or `#[fields(...)]` on the
//! struct renames all members. The derives add no bounds to type parameters: write the bounds
//! yourself, such as `T: ToField`.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use udf_proto::Point;
use udf_proto::point::{FieldError, FieldValue, FieldWriter};

use crate::udf::traits::FromPoint;

/// A type that a `#[field]` member can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a field",
    label = "cannot be a `#[field]`",
    note = "a field can be f64, f32, an integer, bool, `&str`, `Cow<str>`, String, `Box<str>` or `FieldValue`, \
            or an `Option` of these"
)]
pub trait FromField<'p>: Sized {
    /// The expected type in words, for example `a number`.
    const EXPECTED: &'static str;

    /// Converts the field. Returns `None` if the field has another type or is out of range.
    fn from_field(value: FieldValue<'p>) -> Option<Self>;

    /// Returns the value for a missing field. Returns `None` if the field is required.
    fn missing() -> Option<Self> {
        None
    }
}

/// A type that a `#[tag]` or `#[group]` member can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a tag",
    label = "cannot be a `#[tag]` or `#[group]`",
    note = "tags and groups are text: `&str`, `Cow<str>`, String or `Box<str>`; \
            write an `Option` of these for a tag that may be missing"
)]
pub trait FromTag<'p>: Sized {
    /// Converts the tag.
    fn from_tag(text: &'p str) -> Self;

    /// Returns the value for a missing tag. Returns `None` if the tag is required.
    fn missing() -> Option<Self> {
        None
    }
}

/// A type that a `#[time]` member can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a time",
    label = "cannot be a `#[time]`",
    note = "a time can be i64, in nanoseconds since the epoch, or `SystemTime`"
)]
pub trait FromTime: Sized {
    /// Converts nanoseconds since the epoch.
    fn from_time(nanos: i64) -> Self;
}

/// A type that a member of a struct with `#[derive(Fields)]` can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot become a field",
    label = "cannot be a field",
    note = "a field can be f64, f32, i8 to i64, u8 to u32, bool, `&str`, `Cow<str>`, String, `Box<str>` or \
            `FieldValue`, or an `Option` of these, where `None` omits the field",
    note = "Kapacitor's integers are signed and have 64 bits; convert u64 and usize to i64"
)]
pub trait ToField {
    /// Returns the value. `None` omits the field.
    fn to_field(&self) -> Option<FieldValue<'_>>;
}

macro_rules! integers {
    ($($int:ty, $expected:literal;)*) => {$(
        impl<'p> FromField<'p> for $int {
            const EXPECTED: &'static str = $expected;

            #[inline]
            fn from_field(value: FieldValue<'p>) -> Option<Self> {
                integer(value)?.try_into().ok()
            }
        }
    )*};
}

integers! {
    i8, "an integer from -128 to 127";
    i16, "an integer of 16 bits";
    i32, "an integer of 32 bits";
    i64, "an integer";
    isize, "an integer";
    u8, "an integer from 0 to 255";
    u16, "an integer from 0 to 65535";
    u32, "an integer of 32 bits without a sign";
    u64, "an integer from 0";
    usize, "an integer from 0";
}

/// Returns an integer, or a float without a fraction as an integer, because a series may alternate
/// between floats and integers.
#[inline]
fn integer(value: FieldValue<'_>) -> Option<i64> {
    // 2^63 is the smallest float that is too large.
    const END: f64 = 9_223_372_036_854_775_808.0;
    match value {
        FieldValue::Int(value) => Some(value),
        FieldValue::Float(float) if float.fract() == 0.0 && (-END..END).contains(&float) => {
            Some(float as i64)
        }
        _ => None,
    }
}

macro_rules! from_field {
    ($($ty:ty, $expected:literal, $pattern:pat => $value:expr;)*) => {$(
        impl<'p> FromField<'p> for $ty {
            const EXPECTED: &'static str = $expected;

            #[inline]
            fn from_field(value: FieldValue<'p>) -> Option<Self> {
                match value {
                    $pattern => $value,
                    #[allow(unreachable_patterns, reason = "some patterns take every value")]
                    _ => None,
                }
            }
        }
    )*};
}

from_field! {
    f64, "a number", value => value.number();
    f32, "a number", value => value.number().map(|number| number as f32);
    bool, "a boolean", FieldValue::Bool(value) => Some(value);
    &'p str, "text", FieldValue::String(text) => Some(text);
    Cow<'p, str>, "text", FieldValue::String(text) => Some(text.into());
    String, "text", FieldValue::String(text) => Some(text.into());
    Box<str>, "text", FieldValue::String(text) => Some(text.into());
    FieldValue<'p>, "a value", value => Some(value);
}

impl<'p, T: FromField<'p>> FromField<'p> for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    #[inline]
    fn from_field(value: FieldValue<'p>) -> Option<Self> {
        T::from_field(value).map(Some)
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

macro_rules! from_tag {
    ($($ty:ty)*) => {$(
        impl<'p> FromTag<'p> for $ty {
            #[inline]
            fn from_tag(text: &'p str) -> Self {
                text.into()
            }
        }
    )*};
}

from_tag!(&'p str Cow<'p, str> String Box<str>);

impl<'p, T: FromTag<'p>> FromTag<'p> for Option<T> {
    #[inline]
    fn from_tag(text: &'p str) -> Self {
        Some(T::from_tag(text))
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl FromTime for i64 {
    #[inline]
    fn from_time(nanos: i64) -> Self {
        nanos
    }
}

impl FromTime for SystemTime {
    fn from_time(nanos: i64) -> Self {
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        if nanos < 0 {
            SystemTime::UNIX_EPOCH - distance
        } else {
            SystemTime::UNIX_EPOCH + distance
        }
    }
}

macro_rules! to_field {
    ($($ty:ty, $self:ident => $value:expr;)*) => {$(
        impl ToField for $ty {
            #[inline]
            fn to_field(&self) -> Option<FieldValue<'_>> {
                let $self = self;
                Some($value.into())
            }
        }
    )*};
}

to_field! {
    f64, value => *value;
    f32, value => *value;
    i8, value => i64::from(*value);
    i16, value => i64::from(*value);
    i32, value => *value;
    i64, value => *value;
    u8, value => i64::from(*value);
    u16, value => i64::from(*value);
    u32, value => *value;
    bool, value => *value;
    str, text => text;
    String, text => text;
    Box<str>, text => &**text;
    Cow<'_, str>, text => &**text;
    FieldValue<'_>, value => *value;
}

impl<T: ToField + ?Sized> ToField for &T {
    #[inline]
    fn to_field(&self) -> Option<FieldValue<'_>> {
        T::to_field(self)
    }
}

impl<T: ToField> ToField for Option<T> {
    #[inline]
    fn to_field(&self) -> Option<FieldValue<'_>> {
        self.as_ref().and_then(T::to_field)
    }
}

/// Reads a member with `#[field]`.
#[doc(hidden)]
#[inline]
pub fn field<'p, T: FromField<'p>>(point: Point<'p>, name: &str) -> Result<T, FieldError> {
    match point.field(name) {
        Some(value) => T::from_field(value),
        None => T::missing(),
    }
    .ok_or_else(|| point.no_field(name, T::EXPECTED))
}

/// Reads a member with `#[tag]`.
#[doc(hidden)]
#[inline]
pub fn tag<'p, T: FromTag<'p>>(point: Point<'p>, name: &str) -> Result<T, FieldError> {
    point.tag(name).map(T::from_tag).or_else(T::missing).ok_or_else(|| point.no_tag(name))
}

/// Reads a member with `#[time]`.
#[doc(hidden)]
#[inline]
pub fn time<T: FromTime>(point: Point<'_>) -> T {
    T::from_time(point.time())
}

/// Reads a member with `#[group]`.
#[doc(hidden)]
#[inline]
pub fn group<'p, T: FromTag<'p>>(point: Point<'p>) -> T {
    T::from_tag(point.group())
}

/// Reads a member with `#[point]`.
#[doc(hidden)]
#[inline]
pub fn point<'p, T: FromPoint<'p>>(point: Point<'p>) -> Result<T, FieldError> {
    T::from_point(point)
}

/// Writes a member as a field.
#[doc(hidden)]
#[inline]
pub fn put<T: ToField + ?Sized>(fields: &mut FieldWriter<'_>, name: &str, value: &T) {
    if let Some(value) = value.to_field() {
        fields.field(name, value);
    }
}
