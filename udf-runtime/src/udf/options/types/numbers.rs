//! Options that are a BOOL, an INT, a DOUBLE or a DURATION.

use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroIsize, NonZeroU8, NonZeroU16, NonZeroU32,
    NonZeroU64, NonZeroUsize,
};
use std::ops::Bound;
use std::time::Duration;

use udf_proto::Value;

use super::{Help, MustBe, OptionType, Ranged};
use crate::agent::error::Result;
use crate::udf::options::limits::Limits;

macro_rules! itself {
    ($($rust:ty)*) => {$(
        impl OptionType for $rust {
            type Raw = $rust;
            const IS_PLAIN: bool = true;
            fn from_raw(raw: $rust) -> Result<Self> {
                Ok(raw)
            }
            fn to_raw(&self) -> $rust {
                self.clone()
            }
            fn help() -> Help {
                Help::whole()
            }
        }
    )*};
}

itself!(bool i64 f64 String Duration);

impl OptionType for f32 {
    type Raw = f64;
    const IS_PLAIN: bool = true;

    fn from_raw(raw: f64) -> Result<Self> {
        let value = raw as f32;
        if value.is_infinite() && raw.is_finite() {
            return Err(MustBe::new(format!("from {:?} to {:?}", f32::MIN, f32::MAX)).into());
        }
        Ok(value)
    }

    fn to_raw(&self) -> f64 {
        // Through its text: 0.1 is shown as 0.1, without the further digits of f64.
        self.to_string().parse().unwrap_or_else(|_| (*self).into())
    }

    fn help() -> Help {
        Help::whole()
    }
}

/// An integer as INT, which has 64 bits with a sign. A value out of range becomes the nearest end.
trait Int: Copy {
    fn int(self) -> i64;
    fn limits() -> Limits;
}

macro_rules! int {
    ($($rust:ty)*) => {$(
        impl Int for $rust {
            fn int(self) -> i64 {
                i64::try_from(self).unwrap_or(if self > 0 { i64::MAX } else { i64::MIN })
            }
            fn limits() -> Limits {
                let end = |end: i128, all: i64| (end != i128::from(all)).then_some(end as i64);
                let min = (<$rust>::MIN as i128).max(i128::from(i64::MIN));
                let max = (<$rust>::MAX as i128).min(i128::from(i64::MAX));
                Limits::ints(end(min, i64::MIN), end(max, i64::MAX))
            }
        }

        impl Ranged for $rust {
            type Bound = $rust;
            fn value(bound: $rust) -> Value {
                Value::Int(bound.int())
            }
        }
    )*};
}

int!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

fn misfit<T: Int>() -> crate::agent::error::Error {
    MustBe::new(T::limits().words().unwrap_or("an INT".to_owned())).into()
}

macro_rules! small_int {
    ($($rust:ty)*) => {$(
        impl OptionType for $rust {
            type Raw = i64;
            const IS_PLAIN: bool = true;
            fn from_raw(raw: i64) -> Result<Self> {
                <$rust>::try_from(raw).map_err(|_| misfit::<$rust>())
            }
            fn to_raw(&self) -> i64 {
                self.int()
            }
            fn help() -> Help {
                Help { limits: <$rust>::limits(), ..Help::whole() }
            }
        }
    )*};
}

small_int!(i8 i16 i32 isize u8 u16 u32 u64 usize);

macro_rules! non_zero {
    ($($rust:ty, $plain:ty;)*) => {$(
        impl OptionType for $rust {
            type Raw = i64;
            const IS_PLAIN: bool = true;
            fn from_raw(raw: i64) -> Result<Self> {
                let plain = <$plain>::try_from(raw).map_err(|_| misfit::<$plain>())?;
                <$rust>::new(plain).ok_or_else(|| MustBe::new("other than 0").into())
            }
            fn to_raw(&self) -> i64 {
                self.get().int()
            }
            fn help() -> Help {
                let mut limits = <$plain>::limits();
                if <$plain>::MIN == 0 {
                    limits = limits.within(&Limits::ints(Some(1), None));
                    return Help { limits, ..Help::whole() };
                }
                Help { limits, not_zero: true, ..Help::whole() }
            }
        }

        impl Ranged for $rust {
            type Bound = $plain;
            fn value(bound: $plain) -> Value {
                Value::Int(bound.int())
            }
        }
    )*};
}

non_zero! {
    NonZeroI8, i8; NonZeroI16, i16; NonZeroI32, i32; NonZeroI64, i64; NonZeroIsize, isize;
    NonZeroU8, u8; NonZeroU16, u16; NonZeroU32, u32; NonZeroU64, u64; NonZeroUsize, usize;
}

impl Ranged for f64 {
    type Bound = f64;
    fn value(bound: f64) -> Value {
        Value::Double(bound)
    }
}

impl Ranged for f32 {
    type Bound = f32;
    fn value(bound: f32) -> Value {
        Value::Double(bound.to_raw())
    }
}

impl Ranged for Duration {
    type Bound = Duration;
    fn value(bound: Duration) -> Value {
        Value::Duration(super::tick_value::nanos(bound))
    }
}

impl Limits {
    fn ints(min: Option<i64>, max: Option<i64>) -> Self {
        let bound =
            |end: Option<i64>| end.map_or(Bound::Unbounded, |end| Bound::Included(Value::Int(end)));
        Limits::new(bound(min), bound(max))
    }
}
