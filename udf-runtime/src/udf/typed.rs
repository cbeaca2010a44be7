//! Points with types: structs that are made of what a point carries, and structs that become its fields.
//!
//! With `#[derive(FromPoint)]` a struct names what a handler needs of a point; with `#[derive(Fields)]`
//! one names what it emits. Only what is named is looked for, and borrowed text is not copied. A point
//! that lacks a member, or has it in another type, never reaches the handler: what becomes of it is the
//! UDF's choice, [`OnMissing`](crate::OnMissing).
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
//! | attribute of a member | what it is | types |
//! | --- | --- | --- |
//! | `#[field]` | the field of its name | numbers, from int or float; `bool`; text; [`FieldValue`] |
//! | `#[tag]` | the tag of its name | text |
//! | `#[time]` | the time | `i64`, in nanoseconds since the epoch; [`SystemTime`] |
//! | `#[group]` | the name of the group | text |
//! | `#[point]` | the point itself | [`Point`], [`PointBuf`](crate::PointBuf), any [`FromPoint`] |
//!
//! Text is `&str`, `Cow<str>`, `String` or `Box<str>`. Fields and tags that may be missing are an
//! `Option`; one that is there in another type is a mistake all the same. `name = "..."` gives another
//! name than the member's, `rename_all = "camelCase"` in `#[point(...)]` or `#[fields(...)]` on the
//! struct another to all.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use udf_proto::Point;
use udf_proto::point::{FieldError, FieldValue, FieldWriter};

use crate::udf::traits::FromPoint;

/// What a `#[field]` of a struct that is made of a point can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of a field",
    label = "not a type that a `#[field]` can have",
    note = "a field is f64, f32, an integer, bool, `&str`, `Cow<str>`, String, `Box<str>` or `FieldValue`, \
            or an `Option` of these"
)]
pub trait FromField<'p>: Sized {
    /// What the field must be, in words: `a number`.
    const EXPECTED: &'static str;

    /// Converts; none when the field is of another type, or out of range.
    fn from_field(value: FieldValue<'p>) -> Option<Self>;

    /// What it is without the field; none when the field cannot be missing.
    fn missing() -> Option<Self> {
        None
    }
}

/// What a `#[tag]` or `#[group]` of a struct that is made of a point can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of a tag",
    label = "not a type that a `#[tag]` or `#[group]` can have",
    note = "tags and groups are text: `&str`, `Cow<str>`, String or `Box<str>`; \
            a tag that may be missing is an `Option` of these"
)]
pub trait FromTag<'p>: Sized {
    /// Converts.
    fn from_tag(text: &'p str) -> Self;

    /// What it is without the tag; none when the tag cannot be missing.
    fn missing() -> Option<Self> {
        None
    }
}

/// What a `#[time]` of a struct that is made of a point can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made of a time",
    label = "not a type that a `#[time]` can have",
    note = "a time is i64, in nanoseconds since the epoch, or `SystemTime`"
)]
pub trait FromTime: Sized {
    /// Converts nanoseconds since the epoch.
    fn from_time(nanos: i64) -> Self;
}

/// What a member of a struct with `#[derive(Fields)]` can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot become a field",
    label = "not a type that a field can have",
    note = "a field is f64, f32, i8 to i64, u8 to u32, bool, `&str`, `Cow<str>`, String, `Box<str>` or \
            `FieldValue`, or an `Option` of these, which is left out when it is none",
    note = "Kapacitor's integers have 64 bits with a sign: make u64 and usize an i64 first"
)]
pub trait ToField {
    /// The value; none leaves the field out.
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

/// A series may switch between floats and integers: a float that is an integer is taken for one.
#[inline]
fn integer(value: FieldValue<'_>) -> Option<i64> {
    // 2^63 is the first float that is too large.
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

/// A member with `#[field]`.
#[doc(hidden)]
#[inline]
pub fn field<'p, T: FromField<'p>>(point: Point<'p>, name: &str) -> Result<T, FieldError> {
    match point.field(name) {
        Some(value) => T::from_field(value),
        None => T::missing(),
    }
    .ok_or_else(|| point.no_field(name, T::EXPECTED))
}

/// A member with `#[tag]`.
#[doc(hidden)]
#[inline]
pub fn tag<'p, T: FromTag<'p>>(point: Point<'p>, name: &str) -> Result<T, FieldError> {
    point.tag(name).map(T::from_tag).or_else(T::missing).ok_or_else(|| point.no_tag(name))
}

/// A member with `#[time]`.
#[doc(hidden)]
#[inline]
pub fn time<T: FromTime>(point: Point<'_>) -> T {
    T::from_time(point.time())
}

/// A member with `#[group]`.
#[doc(hidden)]
#[inline]
pub fn group<'p, T: FromTag<'p>>(point: Point<'p>) -> T {
    T::from_tag(point.group())
}

/// A member with `#[point]`.
#[doc(hidden)]
#[inline]
pub fn point<'p, T: FromPoint<'p>>(point: Point<'p>) -> Result<T, FieldError> {
    T::from_point(point)
}

/// A member that becomes a field.
#[doc(hidden)]
#[inline]
pub fn put<T: ToField + ?Sized>(fields: &mut FieldWriter<'_>, name: &str, value: &T) {
    if let Some(value) = value.to_field() {
        fields.field(name, value);
    }
}
