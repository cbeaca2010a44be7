//! Valid attributes are accepted in every form of values, ranges, paths and types.

#![deny(warnings)]
#![allow(clippy::redundant_closure_call, clippy::deref_addrof, reason = "odd forms are the test")]

use std::cmp::max;
use std::marker::PhantomData;
use std::num::NonZeroU8;

use udf_proto::Value::{self, Int};
use udf_runtime::{Emitter, Stream};
use udf_runtime::{FieldError, FromPoint, Point, Result, StreamUdf, udf};
use udf_tests::{handles_nothing, parse, refusal};

const LOW: i64 = 2;
const fn one() -> i64 {
    1
}

/// An alias of `Option`, which the macro does not recognize.
type Maybe = Option<i64>;

trait Check {
    fn check(value: &i64) -> Result<(), String>;
}

struct Odd;

impl Check for Odd {
    fn check(value: &i64) -> Result<(), String> {
        if value % 2 == 1 { Ok(()) } else { Err("an odd number".into()) }
    }
}

#[udf(wants = stream, provides = stream)]
struct Forms {
    #[option(default = if LOW < 3 { 1 } else { 2 })]
    branch: i64,
    #[option(default = match one() { 1 => 3, _ => 4 })]
    choice: i64,
    #[option(default = 5u8 as i64)]
    cast: i64,
    #[option(default = vec![1, 2].len() as i64, range = (1..=10))]
    list: i64,
    #[option(default = { let x = 3; x + 1 })]
    block: i64,
    #[option(default = (|| 5)())]
    closure: i64,
    #[option(default = !0)]
    inverted: i64,
    #[option(default = *&7)]
    behind: i64,
    #[option(default = "a".to_owned() + "b", len = 1..)]
    joined: String,
    #[option(default = b'x' as i64 + if LOW < 2 { 1 } else { 2 }, range = i64::MIN..=i64::MAX)]
    sum: i64,
    #[option(default = max::<i64>(one(), LOW), range = LOW..)]
    path: i64,
    #[option(default = Vec::<(i64, i64)>::new().len() as i64, name = "none")]
    brackets: i64,
    #[option(default = 3, validate = <Odd as Check>::check)]
    checked: i64,
    #[option(default = [5, 6], range = 5..=6)]
    pair: [NonZeroU8; 2],
    #[option(conflicts = choice)]
    maybe: Maybe,
}
handles_nothing!(Forms);

#[test]
fn values_have_every_form_of_an_expression() {
    let forms: Forms = parse(&[]).expect("nothing is required");
    let numbers = [forms.branch, forms.choice, forms.cast, forms.list, forms.block, forms.closure];
    assert_eq!(numbers, [1, 3, 5, 2, 4, 5]);
    let numbers = [forms.inverted, forms.behind, forms.sum, forms.path, forms.brackets];
    assert_eq!(numbers, [-1, 7, 122, 2, 0]);
    assert_eq!(forms.pair.map(NonZeroU8::get), [5, 6]);
    assert_eq!((&*forms.joined, forms.checked, forms.maybe), ("ab", 3, None));
    let refused = |name: &str, value| refusal::<Forms>(&[(name, &[Int(value)])]);
    assert!(refused("list", 11).contains("from 1 to 10"), "{}", refused("list", 11));
    assert!(refused("checked", 2).contains("an odd number"));
    let both: &[(&str, &[Value])] = &[("maybe", &[Int(1)]), ("choice", &[Int(1)])];
    assert!(refusal::<Forms>(both).contains("exclude each other"));
}

/// A struct whose attributes come from the arguments of a macro.
macro_rules! ranged {
    ($name:ident, $range:expr, $default:expr, $ty:ty, $low:expr, $high:literal) => {
        #[udf(wants = stream, provides = stream)]
        struct $name {
            #[option(range = $range, default = $default)]
            whole: $ty,
            #[option(range = $low..=$high, default = $default)]
            ends: $ty,
        }
        handles_nothing!($name);
    };
}
ranged!(FromMacro, 1..=10, 3, i64, LOW, 10);

#[test]
fn a_range_can_come_out_of_a_macro() {
    let made: FromMacro = parse(&[]).expect("nothing is required");
    assert_eq!((made.whole, made.ends), (3, 3));
    for (name, low) in [("whole", 0), ("ends", 1)] {
        let text = refusal::<FromMacro>(&[(name, &[Int(low)])]);
        assert!(text.contains(&format!("from {} to 10", low + 1)), "{text}");
    }
}

/// A type of points with type parameters.
struct Tagged<'p, T, U> {
    host: &'p str,
    of: PhantomData<(T, U)>,
}

impl<'p, T, U> FromPoint<'p> for Tagged<'p, T, U> {
    fn from_point(point: Point<'p>) -> Result<Self, FieldError> {
        Ok(Tagged { host: point.tag("host").unwrap_or_default(), of: PhantomData })
    }
}

#[udf(wants = stream, provides = stream, point = Tagged<'_, f64, Vec<(u8, i8)>>, tick = "1h")]
struct OfTagged {}

impl StreamUdf for OfTagged {
    fn point(
        &mut self,
        point: &Tagged<'_, f64, Vec<(u8, i8)>>,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        let Tagged { host, of: PhantomData } = point;
        Ok(out.build("seen").field("host", *host).send()?)
    }
}

impl udf_runtime::Tick for OfTagged {
    fn tick(&mut self, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_type_of_the_points_can_have_several_arguments() {
    let mut task = udf_runtime::testing::udf::<OfTagged>().start();
    task.feed("m,host=a x=1 1");
    task.emits("seen host=\"a\"");
}
