//! Generated code compiles in every place, and with every name in scope.

#![deny(warnings, unused, missing_docs, missing_debug_implementations, nonstandard_style)]
#![deny(future_incompatible, let_underscore_drop, rust_2018_idioms, single_use_lifetimes)]
#![deny(trivial_casts, trivial_numeric_casts, unreachable_pub, unused_lifetimes)]
#![deny(unused_qualifications, unused_results, elided_lifetimes_in_paths)]
#![deny(clippy::all, clippy::pedantic)]
#![forbid(unsafe_code, dead_code, unused_imports, unused_variables)]

extern crate udf_runtime as renamed;

use udf_tests::parse;

/// A module in which only the names of the language are in scope.
mod no_prelude {
    #![no_implicit_prelude]

    /// A UDF with every kind of option and state.
    #[::udf_runtime::udf(wants = stream, provides = stream, tick = "1s", point = Cpu<'_>)]
    #[derive(::std::fmt::Debug)]
    pub(crate) struct Bare {
        #[option(default = "a", len = 1..)]
        pub(crate) text: ::std::string::String,
        #[option(default = 1, range = 1..=5, example = 2, alias = "number")]
        pub(crate) int: ::std::primitive::u8,
        #[option(default = 5)]
        pub(crate) non_zero: ::std::num::NonZeroU8,
        #[option(parse, validate = check)]
        pub(crate) many: ::std::vec::Vec<::std::net::IpAddr>,
        #[option(parse)]
        pub(crate) maybe: ::std::option::Option<::std::net::IpAddr>,
        #[option(flag, requires = maybe, deprecated = "no more")]
        pub(crate) flag: ::std::primitive::bool,
        #[option(default, conflicts = flag)]
        pub(crate) mode: Mode,
        #[option(default = "10s", range = "1s"..)]
        pub(crate) every: ::std::time::Duration,
        #[state]
        pub(crate) state: ::std::primitive::u64,
        #[state(made_with(text, mode, every), max = int)]
        pub(crate) groups: ::udf_runtime::state::Groups<::std::primitive::u8>,
        pub(crate) memory: ::std::primitive::u64,
    }

    fn check(address: &::std::net::IpAddr) -> ::std::result::Result<(), &'static str> {
        if address.is_loopback() {
            return ::std::result::Result::Err("an address of another machine");
        }
        ::std::result::Result::Ok(())
    }

    #[derive(::std::fmt::Debug, ::std::default::Default, ::udf_runtime::options::OptionType)]
    pub(crate) enum Mode {
        #[default]
        Fast,
        Slow,
    }

    #[derive(::std::fmt::Debug, ::udf_runtime::FromPoint, ::udf_runtime::Fields)]
    pub(crate) struct Cpu<'a> {
        #[field]
        pub(crate) user: ::std::primitive::f64,
        #[tag]
        pub(crate) host: ::std::option::Option<&'a ::std::primitive::str>,
    }

    impl ::udf_runtime::Tick for Bare {
        fn tick(
            &mut self,
            _: &mut ::udf_runtime::Emitter<::udf_runtime::Stream>,
        ) -> ::udf_runtime::Result<()> {
            ::std::result::Result::Ok(())
        }
    }

    impl ::udf_runtime::StreamUdf for Bare {
        fn point(
            &mut self,
            _: &Cpu<'_>,
            _: &mut ::udf_runtime::Emitter<::udf_runtime::Stream>,
        ) -> ::udf_runtime::Result<()> {
            ::std::result::Result::Ok(())
        }
    }
}

/// A module in which the names are taken that generated code could use.
mod shadowed {
    /// Not a Result.
    #[derive(Debug)]
    pub(crate) struct Result;
    /// Not an Option, not a String, and so on.
    #[derive(Debug)]
    pub(crate) struct Option;
    #[derive(Debug)]
    pub(crate) struct Vec;
    #[derive(Debug)]
    pub(crate) struct Some;
    #[derive(Debug)]
    pub(crate) struct Ok;
    #[derive(Debug)]
    pub(crate) struct Err;
    #[derive(Debug)]
    pub(crate) struct Default;
    #[derive(Debug)]
    pub(crate) struct Box;
    #[derive(Debug)]
    pub(crate) struct Udf;
    #[derive(Debug)]
    pub(crate) struct Bound;
    #[derive(Debug)]
    pub(crate) struct Point;
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod udf_runtime {}
    pub(crate) const RAW: u8 = 1;
    #[allow(non_upper_case_globals)]
    pub(crate) const value: u8 = 2;
    #[allow(non_upper_case_globals)]
    pub(crate) const raw: u8 = 3;

    /// Uses every name once.
    pub(crate) fn used() -> (Result, Option, Vec, Some, Ok, Err, Default, Box, Udf, Bound, Point) {
        assert_eq!(RAW + value, raw);
        (Result, Option, Vec, Some, Ok, Err, Default, Box, Udf, Bound, Point)
    }

    /// The crate has another name in this module.
    #[::renamed::udf(wants = stream, provides = stream, crate = ::renamed)]
    #[derive(Debug)]
    pub(crate) struct Shadowed {
        #[option(default = 1)]
        pub(crate) a: u8,
        #[option]
        pub(crate) b: ::std::vec::Vec<u8>,
        #[option]
        pub(crate) c: ::std::option::Option<u8>,
        #[option(default = 3)]
        pub(crate) d: ::std::num::NonZeroU8,
        #[option(default)]
        pub(crate) e: Choice,
        #[state]
        pub(crate) f: u8,
        #[option(default = 4)]
        pub(crate) __options: u8,
        #[option(default = 5)]
        pub(crate) __field_0: u8,
    }

    #[derive(Debug, Clone, ::std::default::Default, ::renamed::options::OptionType)]
    #[option(crate = ::renamed)]
    pub(crate) enum Choice {
        #[default]
        Some,
        None,
    }

    #[derive(Debug, ::renamed::options::OptionType)]
    #[option(crate = ::renamed)]
    pub(crate) struct Pair(pub(crate) u8, pub(crate) ::std::string::String);

    #[derive(Debug, ::renamed::FromPoint, ::renamed::Fields)]
    #[point(crate = ::renamed)]
    #[fields(crate = ::renamed)]
    pub(crate) struct Typed {
        #[field]
        pub(crate) x: f64,
    }

    impl ::renamed::StreamUdf for Shadowed {
        fn point(
            &mut self,
            _: &::renamed::Point<'_>,
            _: &mut ::renamed::Emitter<::renamed::Stream>,
        ) -> ::renamed::Result<()> {
            ::std::result::Result::Ok(())
        }
    }
}

#[test]
fn names_that_are_taken_or_missing_do_no_harm() {
    let bare: no_prelude::Bare = parse(&[("number", &[3.into_value()])]).unwrap();
    assert_eq!((&*bare.text, bare.int, bare.non_zero.get()), ("a", 3, 5));
    assert!(bare.many.is_empty() && bare.maybe.is_none() && !bare.flag);
    assert!(matches!(bare.mode, no_prelude::Mode::Fast) && bare.every.as_secs() == 10);
    assert_eq!((bare.state, bare.memory), (0, 0));
    assert!(format!("{:?}", no_prelude::Mode::Slow).contains("Slow"));
    let cpu = no_prelude::Cpu { user: 1.0, host: None };
    assert!(cpu.user > 0.5 && cpu.host.is_none());

    let made: shadowed::Shadowed = parse(&[]).unwrap();
    assert_eq!((made.a, made.d.get(), made.f, made.__options, made.__field_0), (1, 3, 0, 4, 5));
    assert!(made.b.is_empty() && made.c.is_none());
    assert!(matches!(made.e, shadowed::Choice::Some));
    assert!(format!("{:?}", shadowed::Choice::None).contains("None"));
    let pair = shadowed::Pair(1, String::new());
    assert!(pair.0 == 1 && pair.1.is_empty());
    assert!(shadowed::Typed { x: 1.0 }.x > 0.5);
    let _ = shadowed::used();
}

/// Names of the author that could collide with generated names.
mod taken {
    use udf_runtime::options::OptionType;
    use udf_runtime::typed::{FromField, FromTag, FromTime, ToField};
    use udf_runtime::{Fields, FromPoint};

    #[derive(Debug, PartialEq, OptionType)]
    pub(crate) enum Variant {
        Raw,
        Help,
        String,
        Result,
        Ok,
        Err,
        OptionType,
        Self_,
    }

    #[derive(Debug, PartialEq, OptionType)]
    pub(crate) struct Pair<Raw: OptionType, String: OptionType>(
        pub(crate) Raw,
        pub(crate) [String; 2],
    );

    #[derive(Debug, PartialEq, OptionType)]
    struct Hidden(u8, std::time::Duration);

    /// The struct is more visible than its fields.
    #[derive(Debug, PartialEq, OptionType)]
    pub(crate) struct Shown(Hidden, [Hidden; 2], u8);

    #[derive(Debug, PartialEq, OptionType)]
    pub(crate) struct Whole<T: OptionType>(Hidden, T, Own<T>);

    #[derive(Debug, PartialEq, OptionType)]
    struct Own<T: OptionType>(T);

    #[derive(Debug, OptionType)]
    #[deprecated]
    pub(crate) enum Former {
        #[deprecated]
        One,
        Two,
    }

    #[derive(Debug, OptionType)]
    #[deprecated]
    pub(crate) struct FormerPair(pub(crate) u8);

    #[derive(Debug, FromPoint, Fields)]
    #[deprecated]
    pub(crate) struct FormerPoint {
        #[field]
        #[deprecated]
        pub(crate) x: f64,
    }

    /// The lifetimes have the names of generated lifetimes.
    #[derive(Debug, PartialEq, FromPoint, Fields)]
    pub(crate) struct Lifetimes<T, U>
    where
        T: for<'p> FromField<'p> + ToField,
        U: for<'point> FromField<'point> + ToField,
    {
        #[field]
        pub(crate) one: T,
        #[field]
        pub(crate) two: U,
    }

    /// The bounds have the lifetime of the point.
    #[derive(Debug, PartialEq, FromPoint, Fields)]
    pub(crate) struct Borrowing<'p, Field, Text, Time, Group>
    where
        Field: FromField<'p> + ToField,
        Text: FromTag<'p>,
        Time: FromTime,
        Group: FromTag<'p>,
    {
        #[field]
        pub(crate) __point: Field,
        #[field]
        pub(crate) __fields: Option<Field>,
        #[tag]
        pub(crate) host: Text,
        #[tag]
        pub(crate) rack: Option<Text>,
        #[time]
        pub(crate) time: Time,
        #[group]
        pub(crate) group: Group,
        #[tag(name = "host")]
        pub(crate) borrowed: &'p str,
    }

    #[allow(deprecated, reason = "only generated code is to be quiet")]
    pub(crate) fn former() -> (Former, Former, FormerPair, FormerPoint) {
        (Former::One, Former::Two, FormerPair(1), FormerPoint { x: 1.0 })
    }

    pub(crate) fn whole() -> [Whole<u8>; 2] {
        let hidden = || Hidden(1, std::time::Duration::from_secs(2));
        let from_raw = Whole::<u8>::from_raw(Whole(hidden(), 3, Own(4)).to_raw());
        let shown = Shown::from_raw(Shown(hidden(), [hidden(), hidden()], 5).to_raw());
        assert_eq!(shown.ok(), Some(Shown(hidden(), [hidden(), hidden()], 5)));
        [Whole(hidden(), 3, Own(4)), from_raw.unwrap_or(Whole(hidden(), 0, Own(0)))]
    }
}

#[test]
fn names_that_generated_code_has_can_be_the_authors() {
    use taken::{Borrowing, Lifetimes, Pair, Variant};
    use udf_runtime::FromPoint;
    use udf_runtime::options::OptionType;

    for (variant, name) in [
        (Variant::Raw, "raw"),
        (Variant::Help, "help"),
        (Variant::String, "string"),
        (Variant::Result, "result"),
        (Variant::Ok, "ok"),
        (Variant::Err, "err"),
        (Variant::OptionType, "optionType"),
        (Variant::Self_, "self"),
    ] {
        assert_eq!(variant.to_raw(), name);
        assert_eq!(Variant::from_raw(name.to_owned()).unwrap(), variant);
    }
    let pair = || Pair(1_u8, ["a".to_owned(), "b".to_owned()]);
    assert_eq!(Pair::<u8, String>::from_raw(pair().to_raw()).unwrap(), pair());
    let [one, other] = taken::whole();
    assert_eq!(one, other);
    assert!(format!("{:?}", taken::former()).contains("FormerPoint { x: 1.0 }"));

    let mut point = udf_proto::messages::Point { time: 7, ..Default::default() };
    assert_eq!(point.fields_int.insert("one".to_owned(), 1), None);
    assert_eq!(point.fields_double.insert("two".to_owned(), 2.5), None);
    assert_eq!(point.fields_bool.insert("__point".to_owned(), true), None);
    assert_eq!(point.tags.insert("host".to_owned(), "a".to_owned()), None);
    let point = udf_runtime::PointBuf::from(point);
    let made = Lifetimes::<u8, f64>::from_point(point.as_point()).unwrap();
    assert_eq!(made, Lifetimes { one: 1, two: 2.5 });
    let made = Borrowing::<bool, &str, i64, String>::from_point(point.as_point()).unwrap();
    let borrowing = Borrowing {
        __point: true,
        __fields: None,
        host: "a",
        rack: None,
        time: 7,
        group: String::new(),
        borrowed: "a",
    };
    assert_eq!(made, borrowing);
}

trait IntoValue {
    fn into_value(self) -> udf_proto::Value;
}

impl IntoValue for i64 {
    fn into_value(self) -> udf_proto::Value {
        udf_proto::Value::Int(self)
    }
}

#[test]
fn a_struct_can_live_in_a_function_and_have_parameters() {
    #[udf_runtime::udf(wants = stream, provides = batch)]
    #[derive(Debug)]
    struct Inner<T, const N: usize>
    where
        T: udf_runtime::options::OptionType + Default + Send + 'static,
    {
        #[option]
        many: Vec<T>,
        #[option(default)]
        one: T,
        #[option(default = [0.0; N])]
        array: [f64; N],
    }

    impl<T, const N: usize> udf_runtime::StreamUdf for Inner<T, N>
    where
        T: udf_runtime::options::OptionType + Default + Send + 'static,
    {
        fn point(
            &mut self,
            _: &udf_runtime::Point<'_>,
            _: &mut udf_runtime::Emitter<udf_runtime::Batch>,
        ) -> udf_runtime::Result<()> {
            Ok(())
        }
    }

    let inner: Inner<i64, 2> = parse(&[("many", &[7.into_value()])]).unwrap();
    assert_eq!((inner.many, inner.one, inner.array.len()), (vec![7], 0, 2));
    let inner: Inner<bool, 1> = parse(&[]).unwrap();
    assert!(inner.many.is_empty() && !inner.one && inner.array.len() == 1);
}

macro_rules! made_by_a_macro {
    ($name:ident, $field:ident: $ty:ty = $default:expr) => {
        #[udf_runtime::udf(wants = stream, provides = stream)]
        #[derive(Debug)]
        struct $name {
            #[option(default = $default)]
            $field: $ty,
            #[state(made_with = $field)]
            state: $ty,
        }
        udf_tests::handles_nothing!($name);
    };
}

made_by_a_macro!(MadeInt, x: u8 = 5);
made_by_a_macro!(MadeText, x: String = "text");

macro_rules! with_all_roles {
    ($(#[$meta:meta])* $vis:vis struct $name:ident, $option:ty, $state:ty, $memory:ty) => {
        $(#[$meta])*
        $vis struct $name {
            #[option(default)]
            option: $option,
            #[option(default, range = 0..)]
            own_option: u8,
            #[option(flag)]
            flag: bool,
            #[option(parse)]
            parsed: Option<std::net::IpAddr>,
            #[state]
            state: $state,
            #[state]
            own_state: u8,
            #[state(made_with(option, own_option), max = own_option)]
            groups: udf_runtime::state::Groups<$option>,
            memory: $memory,
            own_memory: u8,
        }
        udf_tests::handles_nothing!($name);

        #[derive(Debug, udf_runtime::FromPoint, udf_runtime::Fields)]
        struct Typed {
            #[field]
            a: $option,
            #[field]
            b: u8,
        }
    };
}

with_all_roles!(
    #[udf_runtime::udf(wants = stream, provides = stream)]
    #[derive(Debug)]
    struct Roles,
    i64,
    u64,
    Vec<u8>
);

#[test]
fn a_struct_can_be_made_by_a_macro() {
    let made: Roles = parse(&[]).unwrap();
    assert_eq!((made.option, made.own_option, made.flag, made.parsed), (0, 0, false, None));
    assert_eq!((made.state, made.own_state, made.memory.len(), made.own_memory), (0, 0, 0, 0));
    assert!(made.groups.is_empty());
    let Typed { a, b } = Typed { a: 1, b: 2 };
    assert_eq!(a + i64::from(b), 3);
    assert_eq!(parse::<MadeInt>(&[]).unwrap().x, 5);
    assert_eq!(parse::<MadeInt>(&[]).unwrap().state, 0);
    assert_eq!(parse::<MadeText>(&[]).unwrap().x, "text");
    assert_eq!(parse::<MadeText>(&[]).unwrap().state, "");
}

#[udf_runtime::udf(wants = stream, provides = stream)]
#[derive(Debug)]
struct Configured {
    #[option(default = 1)]
    kept: u8,
    #[cfg(any())]
    #[option(default = NoSuchThing, range = 5)]
    gone: NoSuchType,
    #[cfg(not(any()))]
    #[option(default = 2)]
    there: u8,
    #[cfg_attr(all(), option(default = 3))]
    by_attribute: u8,
    #[cfg(any())]
    #[option(name = "kept")]
    same_name: u8,
}
udf_tests::handles_nothing!(Configured);

#[udf_runtime::udf(wants = stream, provides = stream)]
#[derive(Debug)]
struct OnlyGroups {
    #[state]
    groups: udf_runtime::state::Groups<u8>,
}
udf_tests::handles_nothing!(OnlyGroups);

#[udf_runtime::udf(wants = stream, provides = stream)]
#[derive(Debug)]
struct OnlyLimitedGroups {
    #[option(default = 3)]
    most: u8,
    #[state(made_with = most, max = most)]
    groups: udf_runtime::state::Groups<u8>,
}
udf_tests::handles_nothing!(OnlyLimitedGroups);

#[test]
fn state_that_is_only_groups_uses_all_that_is_generated() {
    assert!(parse::<OnlyGroups>(&[]).unwrap().groups.is_empty());
    assert!(parse::<OnlyLimitedGroups>(&[]).unwrap().groups.is_empty());
}

#[test]
fn fields_that_cfg_removes_are_not_seen() {
    use udf_runtime::Udf;
    let made: Configured = parse(&[]).unwrap();
    assert_eq!((made.kept, made.there, made.by_attribute), (1, 2, 3));
    assert_eq!(Configured::options().len(), 3);
}
