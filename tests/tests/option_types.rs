//! Every type of an option: valid values, refused values, and the texts of refusals.

use std::net::IpAddr;
use std::num::{NonZeroI8, NonZeroU8, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use udf_proto::Value::{self, Bool, Double, Duration as Nanos, Int};
use udf_proto::ValueType;
use udf_runtime::options::{FieldName, Help, MustBe, OptionType, TagName};
use udf_runtime::{Result, Udf};
use udf_tests::{parse, refusal, udf_of};

fn text(text: &str) -> Value {
    Value::from(text)
}

/// Returns the text of the refusal of one call of `.x`, after the name of the UDF.
fn words<T: Udf>(values: &[Value]) -> String {
    let text = refusal::<T>(&[("x", values)]);
    let prefix = format!("failed to initialize processes UDF {}: ", T::NAME);
    text.strip_prefix(&prefix).expect("a refusal begins with the name of the UDF").to_owned()
}

fn args<T: Udf>() -> Vec<ValueType> {
    T::options()[0].args.clone()
}

fn range<T: Udf>() -> Option<String> {
    T::options()[0].range.clone()
}

macro_rules! one {
    ($name:ident, $ty:ty) => {
        udf_of!($name {
            #[option]
            x: $ty
        });

        impl $name {
            #[allow(dead_code)]
            fn of(values: &[Value]) -> $ty {
                parse::<Self>(&[("x", values)]).expect("the values are accepted").x
            }
        }
    };
}

one!(Boolean, bool);

#[test]
fn bool_is_a_bool() {
    assert_eq!(args::<Boolean>(), [ValueType::Bool]);
    assert!(Boolean::of(&[Bool(true)]));
    assert!(!Boolean::of(&[Bool(false)]));
    assert_eq!(
        words::<Boolean>(&[Int(1)]),
        "`.x(1)`: the argument must be BOOL, not INT; write `.x(TRUE)`"
    );
    assert_eq!(
        words::<Boolean>(&[text("false")]),
        "`.x('false')`: the argument must be BOOL, not STRING; write `.x(FALSE)`"
    );
}

one!(TheI8, i8);
one!(TheI16, i16);
one!(TheI32, i32);
one!(TheI64, i64);
one!(TheIsize, isize);
one!(TheU8, u8);
one!(TheU16, u16);
one!(TheU32, u32);
one!(TheU64, u64);
one!(TheUsize, usize);

#[test]
fn integers_are_checked_against_their_ends() {
    assert_eq!(args::<TheU8>(), [ValueType::Int]);
    assert_eq!((TheI8::of(&[Int(-128)]), TheI8::of(&[Int(127)])), (-128, 127));
    assert_eq!((TheI16::of(&[Int(-32768)]), TheI16::of(&[Int(32767)])), (-32768, 32767));
    assert_eq!(TheI32::of(&[Int(i32::MIN.into())]), i32::MIN);
    assert_eq!(TheI64::of(&[Int(i64::MIN)]), i64::MIN);
    assert_eq!(TheIsize::of(&[Int(-5)]), -5);
    assert_eq!((TheU8::of(&[Int(0)]), TheU8::of(&[Int(255)])), (0, 255));
    assert_eq!(TheU16::of(&[Int(65535)]), 65535);
    assert_eq!(TheU32::of(&[Int(u32::MAX.into())]), u32::MAX);
    assert_eq!(TheU64::of(&[Int(i64::MAX)]), i64::MAX as u64);
    assert_eq!(TheUsize::of(&[Int(7)]), 7);

    let out = |value| format!("`.x({value})`: the argument must be ");
    assert_eq!(words::<TheI8>(&[Int(128)]), out(128) + "from -128 to 127; write `.x(127)`");
    assert_eq!(words::<TheI8>(&[Int(-129)]), out(-129) + "from -128 to 127; write `.x(-128)`");
    assert_eq!(
        words::<TheI16>(&[Int(32768)]),
        out(32768) + "from -32768 to 32767; write `.x(32767)`"
    );
    assert!(words::<TheI32>(&[Int(1 << 31)]).contains("from -2147483648 to 2147483647"));
    assert_eq!(words::<TheU8>(&[Int(300)]), out(300) + "from 0 to 255; write `.x(255)`");
    assert!(words::<TheU16>(&[Int(65536)]).contains("from 0 to 65535"));
    assert!(words::<TheU32>(&[Int(-1)]).contains("from 0 to 4294967295"));
    assert_eq!(words::<TheU64>(&[Int(-1)]), out(-1) + "at least 0; write `.x(0)`");
    assert_eq!(words::<TheUsize>(&[Int(-1)]), out(-1) + "at least 0; write `.x(0)`");
    assert_eq!(range::<TheI64>(), None);
    assert_eq!(range::<TheU8>().as_deref(), Some("from 0 to 255"));

    assert_eq!(
        words::<TheI64>(&[Double(3.0)]),
        "`.x(3.0)`: the argument must be INT, not DOUBLE; write `.x(3)`"
    );
    assert_eq!(
        words::<TheI64>(&[text("12")]),
        "`.x('12')`: the argument must be INT, not STRING; write `.x(12)`"
    );
    assert_eq!(
        words::<TheU8>(&[text("300")]),
        "`.x('300')`: the argument must be INT, not STRING; write `.x(255)`"
    );
}

one!(Nz8, NonZeroU8);
one!(NzI8, NonZeroI8);
one!(Nz64, NonZeroU64);
one!(NzUsize, NonZeroUsize);
one!(NzGeneric, std::num::NonZero<i32>);

#[test]
fn non_zero_integers_refuse_zero() {
    assert_eq!(Nz8::of(&[Int(255)]).get(), 255);
    assert_eq!(NzI8::of(&[Int(-1)]).get(), -1);
    assert_eq!(Nz64::of(&[Int(1)]).get(), 1);
    assert_eq!(NzUsize::of(&[Int(1)]).get(), 1);
    assert_eq!(NzGeneric::of(&[Int(-7)]).get(), -7);
    assert_eq!(
        words::<Nz8>(&[Int(0)]),
        "`.x(0)`: the argument must be from 1 to 255; write `.x(1)`"
    );
    assert_eq!(
        words::<NzUsize>(&[Int(0)]),
        "`.x(0)`: the argument must be at least 1; write `.x(1)`"
    );
    assert_eq!(
        words::<NzI8>(&[Int(0)]),
        "`.x(0)`: the argument must be other than 0; write `.x(10)`"
    );
    assert_eq!(range::<NzI8>().as_deref(), Some("from -128 to 127, other than 0"));
}

one!(Wide, f64);
one!(Narrow, f32);

#[test]
fn floats_take_an_int_too() {
    assert_eq!(args::<Narrow>(), [ValueType::Double]);
    assert_eq!(Wide::of(&[Double(0.5)]), 0.5);
    assert_eq!(Wide::of(&[Int(2)]), 2.0);
    assert_eq!(Narrow::of(&[Double(0.1)]), 0.1);
    assert_eq!(Narrow::of(&[Int(3)]), 3.0);
    assert_eq!(
        words::<Wide>(&[text("0.5")]),
        "`.x('0.5')`: the argument must be DOUBLE, not STRING; write `.x(0.5)`"
    );
    assert!(words::<Narrow>(&[Double(1e39)]).contains("the argument must be from -3.4028235e38"));
}

one!(Text, String);
one!(Char, char);
one!(Path, PathBuf);

#[test]
fn text_is_a_string() {
    assert_eq!(args::<Text>(), [ValueType::String]);
    assert_eq!(Text::of(&[text("a 'b' \n")]), "a 'b' \n");
    assert_eq!(Text::of(&[text("")]), "");
    assert_eq!(
        words::<Text>(&[Int(5)]),
        "`.x(5)`: the argument must be STRING, not INT; write `.x('5')`"
    );
    assert_eq!(Char::of(&[text("ß")]), 'ß');
    assert_eq!(
        words::<Char>(&[text("ab")]),
        "`.x('ab')`: the argument must be one character; write `.x('x')`"
    );
    assert!(words::<Char>(&[text("")]).contains("must be one character"));
    assert_eq!(Path::of(&[text("/var/run/x.sock")]), PathBuf::from("/var/run/x.sock"));
    assert_eq!(
        words::<Path>(&[text("")]),
        "`.x('')`: the argument must be a path, not empty; write `.x('/tmp/file')`"
    );
}

one!(Field, FieldName);
one!(Tags, Vec<TagName>);
udf_of!(Named {
    #[option(default = "avg")]
    r#as: FieldName,
    #[option(default = "host", example = "cpu")]
    by: udf_runtime::options::TagName,
});

#[test]
fn names_of_fields_and_tags_are_not_empty() {
    assert_eq!(args::<Field>(), [ValueType::String]);
    let field = Field::of(&[text("usage")]);
    assert_eq!((&*field, field.len(), field.to_string()), ("usage", 5, "usage".to_owned()));
    assert_eq!(Tags::of(&[text(" ")]), [TagName::new(" ").unwrap()]);
    for wrong in ["", "time"] {
        assert_eq!(
            words::<Field>(&[text(wrong)]),
            format!(
                "`.x('{wrong}')`: the argument must be the name of a field, not empty or 'time'; \
                 write `.x('value')`"
            )
        );
    }
    assert_eq!(
        words::<Tags>(&[text("")]),
        "`.x('')`: the argument must be the name of a tag, not empty or 'time'; write `.x('host')`"
    );
    assert_eq!(
        words::<Field>(&[Int(5)]),
        "`.x(5)`: the argument must be STRING, not INT; write `.x('5')`"
    );
    let named: Named = parse(&[]).unwrap();
    assert_eq!((&*named.r#as, &*named.by), ("avg", "host"));
    let help = Named::options();
    assert_eq!(
        (&help[0].default, &help[1].default),
        (&Some(vec![text("avg")]), &Some(vec![text("host")]))
    );
    assert_eq!((&help[0].example, &help[1].example), (&vec![text("avg")], &vec![text("cpu")]));
}

one!(Span, Duration);

#[test]
fn durations_are_not_negative() {
    assert_eq!(args::<Span>(), [ValueType::Duration]);
    assert_eq!(Span::of(&[Nanos(90_000_000_000)]), Duration::from_secs(90));
    assert_eq!(Span::of(&[Nanos(0)]), Duration::ZERO);
    assert_eq!(
        words::<Span>(&[Nanos(-10_000_000_000)]),
        "`.x(-10s)`: the argument must be a duration that is not negative; write `.x(10s)`"
    );
    assert!(words::<Span>(&[Nanos(i64::MIN)]).contains("not negative"));
    assert_eq!(
        words::<Span>(&[Int(30)]),
        "`.x(30)`: the argument must be DURATION, not INT; write `.x(30s)`"
    );
    assert_eq!(
        words::<Span>(&[text("30s")]),
        "`.x('30s')`: the argument must be DURATION, not STRING; write `.x(10s)`"
    );
}

one!(Pair, (String, u8));
one!(Six, (i8, i16, i32, f64, bool, String));
one!(Nested, (f64, (u8, char)));
one!(Single, (i64,));
one!(Array, [u8; 3]);
one!(Mixed, ([f64; 2], String));

#[test]
fn tuples_and_arrays_are_several_arguments() {
    assert_eq!(args::<Pair>(), [ValueType::String, ValueType::Int]);
    assert_eq!(Pair::of(&[text("a"), Int(3)]), ("a".to_owned(), 3));
    let six = [Int(1), Int(2), Int(3), Int(4), Bool(true), text("6")];
    assert_eq!(Six::of(&six), (1, 2, 3, 4.0, true, "6".to_owned()));
    assert_eq!(Nested::of(&[Double(0.5), Int(2), text("c")]), (0.5, (2, 'c')));
    assert_eq!(Single::of(&[Int(-1)]), (-1,));
    assert_eq!(Array::of(&[Int(1), Int(2), Int(3)]), [1, 2, 3]);
    assert_eq!(Mixed::of(&[Int(1), Double(2.5), text("m")]), ([1.0, 2.5], "m".to_owned()));

    assert_eq!(
        words::<Pair>(&[text("a")]),
        "`.x('a')`: it takes 2 arguments (STRING, INT), not 1; write `.x('text', 10)`"
    );
    assert_eq!(
        words::<Pair>(&[text("a"), Int(256)]),
        "`.x('a', 256)`: argument 2 must be from 0 to 255; write `.x('a', 255)`"
    );
    assert_eq!(
        words::<Pair>(&[Int(1), Int(2)]),
        "`.x(1, 2)`: argument 1 must be STRING, not INT; write `.x('1', 2)`"
    );
    assert_eq!(
        words::<Nested>(&[Double(0.5), Int(2), text("cd")]),
        "`.x(0.5, 2, 'cd')`: argument 3 must be one character; write `.x(1.0, 10, 'x')`"
    );
    assert_eq!(
        words::<Array>(&[Int(1), Int(2), Int(-3)]),
        "`.x(1, 2, -3)`: argument 3 must be from 0 to 255; write `.x(1, 2, 0)`"
    );
    assert_eq!(
        words::<Array>(&[]),
        "`.x()`: it takes 3 arguments (INT, INT, INT), not 0; write `.x(10, 10, 10)`"
    );
    assert_eq!(
        words::<Single>(&[Int(1), Int(2)]),
        "`.x(1, 2)`: it takes 1 argument (INT), not 2; write `.x(10)`"
    );
    assert_eq!(range::<Pair>().as_deref(), Some("argument 2 from 0 to 255"));
}

one!(Maybe, Option<u8>);
one!(Many, Vec<u8>);
one!(ManyPairs, Vec<(String, f64)>);

type Alias = Option<i64>;
one!(Aliased, Alias);

#[test]
fn option_and_vec_say_how_often_it_is_called() {
    assert_eq!(Maybe::of(&[Int(3)]), Some(3));
    assert_eq!(parse::<Maybe>(&[]).unwrap().x, None);
    assert_eq!(Aliased::of(&[Int(3)]), Some(3));
    assert_eq!(parse::<Aliased>(&[]).unwrap().x, None);
    assert!(words::<Maybe>(&[Int(-1)]).contains("must be from 0 to 255"));
    assert_eq!(
        refusal::<Maybe>(&[("x", &[Int(1)]), ("x", &[Int(2)])]),
        "failed to initialize processes UDF maybe: \
         `.x` can be called only once; keep one of `.x(1)`, `.x(2)`"
    );

    let many: Many = parse(&[("x", &[Int(3)]), ("x", &[Int(1)]), ("x", &[Int(2)])]).unwrap();
    assert_eq!(many.x, [3, 1, 2], "in the order of the calls");
    assert!(parse::<Many>(&[]).unwrap().x.is_empty());
    assert_eq!(
        refusal::<Many>(&[("x", &[Int(3)]), ("x", &[Int(-1)]), ("x", &[Bool(true)])]),
        "failed to initialize processes UDF many: 2 problems with its options: \
         (1) `.x(-1)` (call 2 of it): the argument must be from 0 to 255; write `.x(0)`; \
         (2) `.x(TRUE)` (call 3 of it): the argument must be INT, not BOOL; write `.x(10)`"
    );
    let pairs: ManyPairs =
        parse(&[("x", &[text("a"), Int(1)]), ("x", &[text("b"), Double(0.5)])]).unwrap();
    assert_eq!(pairs.x, [("a".to_owned(), 1.0), ("b".to_owned(), 0.5)]);
    let help = ManyPairs::options().remove(0);
    assert!(help.repeated && !help.is_required());
    assert!(!Maybe::options()[0].is_required());
    assert!(Text::options()[0].is_required());
}

/// How loud.
#[derive(Debug, PartialEq, OptionType)]
enum Level {
    /// Nothing but errors.
    Quiet,
    VeryLoud,
    #[option(name = "max", alias = "maximum", alias = "11")]
    Max,
}

#[derive(Debug, PartialEq, OptionType)]
#[option(rename_all = "kebab-case")]
enum Shape {
    LongTail,
    ShortTail,
}

one!(Loud, Level);
one!(Shaped, Vec<Shape>);

#[test]
fn enums_are_strings_out_of_a_fixed_set() {
    assert_eq!(args::<Loud>(), [ValueType::String]);
    assert_eq!(Loud::of(&[text("quiet")]), Level::Quiet);
    assert_eq!(Loud::of(&[text("veryLoud")]), Level::VeryLoud);
    for name in ["max", "maximum", "11"] {
        assert_eq!(Loud::of(&[text(name)]), Level::Max);
    }
    assert_eq!(Shaped::of(&[text("long-tail")]), [Shape::LongTail]);
    assert_eq!(
        words::<Loud>(&[text("veryloud")]),
        "`.x('veryloud')`: the argument must be 'quiet', 'veryLoud' or 'max'; write `.x('veryLoud')`"
    );
    assert_eq!(
        words::<Loud>(&[text("?")]),
        "`.x('?')`: the argument must be 'quiet', 'veryLoud' or 'max'; write `.x('quiet')`"
    );
    assert_eq!(
        words::<Loud>(&[Int(11)]),
        "`.x(11)`: the argument must be STRING, not INT; write `.x('11')`"
    );
    let help = Loud::options().remove(0);
    let choices: Vec<_> =
        help.choices.iter().map(|choice| (&*choice.value, &*choice.help)).collect();
    assert_eq!(choices, [("quiet", "Nothing but errors."), ("veryLoud", ""), ("max", "")]);
    assert_eq!(help.range, None);
    assert_eq!(help.example, [text("quiet")]);
}

#[derive(Debug, PartialEq, OptionType)]
struct Bytes(u8);

#[derive(Debug, PartialEq, OptionType)]
struct Interval(f64, f64, Bytes);

#[derive(Debug, PartialEq, OptionType)]
struct Wrapped<T: OptionType>(T);

one!(Newtype, Bytes);
one!(Several, Interval);
one!(Generic, Wrapped<String>);

#[test]
fn tuple_structs_are_their_members() {
    assert_eq!(Newtype::of(&[Int(3)]), Bytes(3));
    assert_eq!(
        words::<Newtype>(&[Int(256)]),
        "`.x(256)`: the argument must be from 0 to 255; write `.x(255)`"
    );
    assert_eq!(Several::of(&[Int(1), Int(2), Int(3)]), Interval(1.0, 2.0, Bytes(3)));
    assert!(
        words::<Several>(&[Int(1), Int(2), Int(-3)]).contains("argument 3 must be from 0 to 255")
    );
    assert_eq!(Generic::of(&[text("g")]), Wrapped("g".to_owned()));
}

#[derive(Debug, PartialEq)]
struct Percent(f64);

impl OptionType for Percent {
    type Raw = f64;

    fn from_raw(raw: f64) -> Result<Self> {
        match raw {
            0.0..=100.0 => Ok(Percent(raw)),
            _ => Err(MustBe::new("a percentage").into()),
        }
    }

    fn to_raw(&self) -> f64 {
        self.0
    }

    fn help() -> Help {
        Help::new().must_be("a percentage").example(50.0)
    }
}

#[derive(Debug, PartialEq)]
struct Even((i64, i64));

impl OptionType for Even {
    type Raw = (i64, i64);

    fn from_raw(raw: (i64, i64)) -> Result<Self> {
        if (raw.0 + raw.1) % 2 == 1 {
            return Err(format!("the sum of {} and {} is odd", raw.0, raw.1).into());
        }
        Ok(Even(raw))
    }

    fn to_raw(&self) -> (i64, i64) {
        self.0
    }
}

one!(Custom, Percent);
one!(CustomPair, Even);
udf_of!(CustomDefault {
    #[option(default = Percent(12.5))]
    x: Percent
});

#[test]
fn own_types_convert_what_a_tickscript_gives() {
    assert_eq!(Custom::of(&[Double(12.5)]), Percent(12.5));
    assert_eq!(
        words::<Custom>(&[Double(101.0)]),
        "`.x(101.0)`: the argument must be a percentage; write `.x(50.0)`"
    );
    assert_eq!(range::<Custom>().as_deref(), Some("a percentage"));
    assert_eq!(CustomPair::of(&[Int(1), Int(3)]), Even((1, 3)));
    assert_eq!(words::<CustomPair>(&[Int(1), Int(2)]), "`.x(1, 2)`: the sum of 1 and 2 is odd");
    let help = CustomDefault::options().remove(0);
    assert_eq!((&help.default, help.default_expression.as_deref()), (&None, Some("Percent(12.5)")));
    assert_eq!((&*help.example, help.is_required()), (&[Double(50.0)][..], false));
    assert_eq!(parse::<CustomDefault>(&[]).unwrap().x, Percent(12.5));
}

udf_of!(Parsed {
    #[option(parse)]
    x: IpAddr,
    #[option(parse)]
    maybe: Option<IpAddr>,
    #[option(parse)]
    many: Vec<IpAddr>,
    #[option(parse, default = "::1", example = "10.0.0.1")]
    default: IpAddr,
});

#[test]
fn anything_from_str_is_parsed() {
    let calls: &[(&str, &[Value])] = &[
        ("x", &[text("127.0.0.1")]),
        ("maybe", &[text("::2")]),
        ("many", &[text("::3")]),
        ("many", &[text("::4")]),
    ];
    let parsed: Parsed = parse(calls).unwrap();
    assert_eq!(parsed.x, IpAddr::from([127, 0, 0, 1]));
    assert_eq!(parsed.maybe, "::2".parse().ok());
    assert_eq!(parsed.many, ["::3".parse::<IpAddr>().unwrap(), "::4".parse().unwrap()]);
    assert_eq!(parsed.default, "::1".parse::<IpAddr>().unwrap());
    let parsed: Parsed = parse(&calls[..1]).unwrap();
    assert_eq!((parsed.maybe, parsed.many.len()), (None, 0));

    let help = Parsed::options();
    assert_eq!(help[0].args, [ValueType::String]);
    assert_eq!(help[3].default, Some(vec![text("::1")]));
    assert_eq!(help[3].example, [text("10.0.0.1")]);
    assert_eq!(words::<Parsed>(&[text("here")]), "`.x('here')`: invalid IP address syntax");
    assert!(words::<Parsed>(&[Int(1)]).contains("the argument must be STRING, not INT"));
    assert_eq!(
        refusal::<Parsed>(&[]),
        "failed to initialize processes UDF parsed: `.x` is missing; write `.x(STRING)`"
    );
}

udf_of!(Flags {
    #[option(flag)]
    x: bool,
});

#[test]
fn flags_have_no_argument() {
    assert!(args::<Flags>().is_empty());
    assert!(parse::<Flags>(&[("x", &[])]).unwrap().x);
    assert!(!parse::<Flags>(&[]).unwrap().x);
    assert_eq!(
        words::<Flags>(&[Bool(true)]),
        "`.x(TRUE)`: it is a flag, which takes no argument; write `.x()`"
    );
    assert_eq!(
        refusal::<Flags>(&[("x", &[]), ("x", &[])]),
        "failed to initialize processes UDF flags: \
         `.x` can be called only once; keep one of `.x()`, `.x()`"
    );
    let help = Flags::options().remove(0);
    assert!(!help.is_required() && !help.repeated);
    assert_eq!(help.default, None);
}
