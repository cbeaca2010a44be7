//! The arguments of a TICKscript: the five types, and several of them.

use std::time::Duration;

use udf_proto::{Value, ValueType};

/// The arguments of a call in a TICKscript: `bool` is BOOL, `i64` INT, `f64` DOUBLE,
/// `String` STRING and `Duration` DURATION; tuples and arrays are several arguments, `()` is none.
///
/// An INT for a DOUBLE is accepted. A negative DURATION is refused.
pub trait TickValue: Sized + sealed::TickValue {
    #[doc(hidden)]
    fn types(types: &mut Vec<ValueType>);
    /// Takes as many values as there are types. The values are of these types.
    #[doc(hidden)]
    fn take(values: &mut std::vec::IntoIter<Value>) -> Self;
    #[doc(hidden)]
    fn put(self, values: &mut Vec<Value>);
}

pub(super) mod sealed {
    pub trait TickValue {}
}

const CHECKED: &str = "arguments are checked against their types before they are taken";

macro_rules! tick_value {
    ($($rust:ty, $name:ident, $from:expr, $to:expr;)*) => {$(
        impl sealed::TickValue for $rust {}
        impl TickValue for $rust {
            fn types(types: &mut Vec<ValueType>) {
                types.push(ValueType::$name);
            }
            fn take(values: &mut std::vec::IntoIter<Value>) -> Self {
                match values.next() {
                    Some(Value::$name(value)) => ($from)(value),
                    _ => unreachable!("{CHECKED}"),
                }
            }
            fn put(self, values: &mut Vec<Value>) {
                values.push(Value::$name(($to)(self)));
            }
        }
    )*};
}

tick_value! {
    bool, Bool, |value| value, |value| value;
    i64, Int, |value| value, |value| value;
    f64, Double, |value| value, |value| value;
    String, String, |value| value, |value| value;
    Duration, Duration, |nanos: i64| Duration::from_nanos(nanos.unsigned_abs()), nanos;
}

/// Returns the nanoseconds of a DURATION, which has 63 bits (292 years). A longer duration becomes
/// the longest.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

macro_rules! several {
    ($($name:ident)*) => {
        impl<$($name: TickValue),*> sealed::TickValue for ($($name,)*) {}
        #[allow(
            unused_variables,
            non_snake_case,
            clippy::unused_unit,
            reason = "members are named as their types are, and the tuple of none has none"
        )]
        impl<$($name: TickValue),*> TickValue for ($($name,)*) {
            fn types(types: &mut Vec<ValueType>) {
                $($name::types(types);)*
            }
            fn take(values: &mut std::vec::IntoIter<Value>) -> Self {
                ($($name::take(values),)*)
            }
            fn put(self, values: &mut Vec<Value>) {
                let ($($name,)*) = self;
                $($name.put(values);)*
            }
        }
    };
}

several!();
several!(A);
several!(A B);
several!(A B C);
several!(A B C D);
several!(A B C D E);
several!(A B C D E F);

impl<R: TickValue, const N: usize> sealed::TickValue for [R; N] {}
impl<R: TickValue, const N: usize> TickValue for [R; N] {
    fn types(types: &mut Vec<ValueType>) {
        for _ in 0..N {
            R::types(types);
        }
    }
    fn take(values: &mut std::vec::IntoIter<Value>) -> Self {
        std::array::from_fn(|_| R::take(values))
    }
    fn put(self, values: &mut Vec<Value>) {
        for raw in self {
            raw.put(values);
        }
    }
}
