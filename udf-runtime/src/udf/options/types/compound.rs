//! Options with several arguments: tuples and arrays.

use super::{Help, InArgument, OptionType, Ranged, TickValue};
use crate::agent::error::{Error, Result};

/// Returns how many arguments a TICKscript writes.
pub(super) fn count<R: TickValue>() -> usize {
    let mut types = Vec::new();
    R::types(&mut types);
    types.len()
}

/// Makes one of several values. An error names the argument.
fn one_of_several<T: OptionType>(raw: T::Raw, place: &mut usize) -> Result<T> {
    let first = *place;
    *place += count::<T::Raw>();
    T::from_raw(raw).map_err(|error| in_argument(first, error))
}

/// Returns an error that names the argument: the first of a value, or a later one that the error
/// names itself.
pub(super) fn in_argument(first: usize, error: Error) -> Error {
    match error.downcast::<InArgument>() {
        Ok(inner) => InArgument { place: first + inner.place, error: inner.error }.into(),
        Err(error) => InArgument { place: first, error }.into(),
    }
}

/// Adds the help of one of several values, which has so many arguments.
pub(super) fn add_help(all: &mut Help, help: Help, count: usize, place: &mut usize) {
    all.is_whole &= help.is_whole || !help.choices.is_empty();
    let each = help.places(count);
    if let Some(words) = Help::words_of_each(&each, *place) {
        let known = all.must_be.take().map_or(String::new(), |known| known + ", ");
        all.must_be = Some(known + &words);
    }
    *place += each.len();
    all.each.extend(each);
}

macro_rules! tuple {
    ($($name:ident $at:tt),*) => {
        impl<$($name: OptionType),*> OptionType for ($($name,)*) {
            type Raw = ($($name::Raw,)*);
            const IS_PLAIN: bool = true $(&& $name::IS_PLAIN)*;

            fn from_raw(raw: Self::Raw) -> Result<Self> {
                let mut place = 0;
                Ok(($(one_of_several::<$name>(raw.$at, &mut place)?,)*))
            }

            fn to_raw(&self) -> Self::Raw {
                ($(self.$at.to_raw(),)*)
            }

            fn help() -> Help {
                let (mut help, mut place) = (Help::whole(), 0);
                $(add_help(&mut help, $name::help(), count::<$name::Raw>(), &mut place);)*
                help
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);

impl<T: OptionType, const N: usize> OptionType for [T; N] {
    type Raw = [T::Raw; N];
    const IS_PLAIN: bool = T::IS_PLAIN;

    fn from_raw(raw: Self::Raw) -> Result<Self> {
        let mut place = 0;
        let made = raw.into_iter().map(|raw| one_of_several::<T>(raw, &mut place));
        let made = made.collect::<Result<Vec<_>>>()?;
        Ok(made.try_into().unwrap_or_else(|_| unreachable!("every raw value became one")))
    }

    fn to_raw(&self) -> Self::Raw {
        std::array::from_fn(|at| self[at].to_raw())
    }

    fn help() -> Help {
        let help = T::help();
        let of_one = help.places(count::<T::Raw>());
        let is_plain = of_one.len() == 1;
        let each: Vec<Help> = std::iter::repeat_n(of_one, N).flatten().collect();
        let must_be = if is_plain { help.must_be.clone() } else { Help::words_of_each(&each, 0) };
        Help { must_be, each, example: Vec::new(), ..help }
    }
}

impl<T: Ranged, const N: usize> Ranged for [T; N] {
    type Bound = T::Bound;

    fn value(bound: T::Bound) -> udf_proto::Value {
        T::value(bound)
    }
}
