//! The complete text of a refusal, as Kapacitor shows it to the author of a task.

use std::time::Duration;

use udf_proto::Value::{self, Bool, Double, Duration as Nanos, Int};
use udf_runtime::options;
use udf_tests::{init, parse, refusal, udf_of};

udf_of!(MovingAvg {
    /// Field to average.
    #[option(example = "usage_user")]
    field: String,
    #[option(range = 1..)]
    size: usize,
    #[option(default = "avg")]
    r#as: String,
    #[option(default = 1.5, range = 1.0..)]
    scale: f64,
    #[option]
    every: Option<Duration>,
    #[option]
    label: Vec<(String, u8)>,
    #[option(flag, conflicts = every)]
    verbose: bool,
});

fn text(text: &str) -> Value {
    Value::from(text)
}

#[test]
fn one_refusal_names_every_mistake() {
    let calls: &[(&str, &[Value])] = &[
        ("feild", &[text("usage_user")]),
        ("size", &[Int(0)]),
        ("as", &[text("a")]),
        ("as", &[text("b")]),
        ("scale", &[text("2.5")]),
        ("every", &[Nanos(-1_000_000_000)]),
        ("label", &[text("a"), Int(1)]),
        ("label", &[text("b")]),
        ("label", &[text("c"), Int(256)]),
        ("verbose", &[Bool(true)]),
        ("colour", &[Double(1.0)]),
    ];
    let expected = [
        "failed to initialize processes UDF moving_avg: 10 problems with its options:",
        " (1) `.feild('usage_user')`: there is no option `feild`; \
         did you mean `.field('usage_user')`?;",
        " (2) `.colour(1.0)`: there is no option `colour`; there is `as`, `every`, `field`, \
         `label`, `scale`, `size`, `verbose`;",
        " (3) `.size(0)`: the argument must be at least 1; write `.size(1)`;",
        " (4) `.as` can be called only once; keep one of `.as('a')`, `.as('b')`;",
        " (5) `.scale('2.5')`: the argument must be DOUBLE, not STRING; write `.scale(2.5)`;",
        " (6) `.every(-1s)`: the argument must be a duration that is not negative; \
         write `.every(1s)`;",
        " (7) `.label('b')` (call 2 of it): it takes 2 arguments (STRING, INT), not 1; \
         write `.label('text', 10)`;",
        " (8) `.label('c', 256)` (call 3 of it): argument 2 must be from 0 to 255; \
         write `.label('c', 255)`;",
        " (9) `.verbose(TRUE)`: it is a flag, which takes no argument; write `.verbose()`;",
        " (10) `.every(-1s)` and `.verbose(TRUE)` exclude each other; keep one of them",
    ];
    assert_eq!(refusal::<MovingAvg>(calls), expected.concat());
}

#[test]
fn one_mistake_is_one_sentence() {
    assert_eq!(
        refusal::<MovingAvg>(&[("size", &[Int(10)])]),
        "failed to initialize processes UDF moving_avg: \
         `.field` is missing; write `.field('usage_user')`"
    );
    assert_eq!(
        refusal::<MovingAvg>(&[("field", &[text("a")]), ("sise", &[Double(10.0)])]),
        "failed to initialize processes UDF moving_avg: \
         `.sise(10.0)`: there is no option `sise`; did you mean `.size(10)`?",
        "the misspelt option stands for the missing one"
    );
    let refused = options::parse::<MovingAvg>(init(&[])).map(|_| ()).unwrap_err();
    assert_eq!(refused.count(), 2);
    let made: MovingAvg = parse(&[("field", &[text("a")]), ("size", &[Int(3)])]).unwrap();
    assert_eq!((&*made.field, made.size, &*made.r#as, made.scale), ("a", 3, "avg", 1.5));
    assert!(made.every.is_none() && made.label.is_empty() && !made.verbose);
}

#[test]
fn huge_inits_have_short_refusals() {
    let long = "x'\n".repeat(100_000);
    let many: Vec<Value> = (0..10_000).map(Int).collect();
    let mut calls: Vec<(&str, &[Value])> = vec![("size", &many); 30];
    let long_value = [text(&long)];
    calls.extend(vec![("size", &long_value[..]); 50]);
    calls.extend(vec![(&*long, &long_value[..]); 50]);
    let text = refusal::<MovingAvg>(&calls);
    assert!(text.contains("UDF moving_avg: 132 problems with its options: (1) "), "{text}");
    assert!(text.ends_with("; and 112 more"), "{text}");
    assert!(text.len() < 10_000, "{} bytes", text.len());
    assert!(!text.contains('\n'));
}

fn never(value: &u8) -> Result<(), String> {
    Err(format!("{value} is never right"))
}

const TOO_MUCH: u8 = 11;

udf_of!(Wrong {
    #[option(default = TOO_MUCH, range = ..=10)]
    x: u8,
    /// The range applies only to values in a TICKscript.
    #[option(default = 1, validate = never)]
    y: u8,
    #[option(parse, default = "nowhere")]
    z: std::net::IpAddr,
});

#[test]
fn a_default_that_the_udf_refuses_itself_is_its_own_mistake() {
    assert_eq!(
        refusal::<Wrong>(&[]),
        "failed to initialize processes UDF wrong: 2 problems with its options: \
         (1) the UDF refuses its own default `.x(11)`: the argument must be from 0 to 10; \
         until this error in the UDF is fixed, write `.x(10)`; \
         (2) the UDF refuses its own default `.z('nowhere')`: invalid IP address syntax; \
         until this error in the UDF is fixed, write `.z(STRING)`"
    );
    let calls: &[(&str, &[Value])] = &[("x", &[Int(1)]), ("z", &[text("::1")])];
    let made: Wrong = parse(calls).expect("the default of `y` is the author's own");
    assert_eq!((made.x, made.y, made.z.is_loopback()), (1, 1, true));
    assert_eq!(
        refusal::<Wrong>(&[("x", &[Int(11)]), ("y", &[Int(2)])]),
        "failed to initialize processes UDF wrong: 2 problems with its options: \
         (1) `.x(11)`: the argument must be from 0 to 10; write `.x(10)`; \
         (2) `.y(2)`: 2 is never right; write `.y(1)`",
        "defaults are for an Init that is right as far as it goes"
    );
}

fn wordy(value: &String) -> Result<(), Unfit> {
    Err(Unfit(std::io::Error::other(format!("not\n  {value}"))))
}

#[derive(Debug, thiserror::Error)]
#[error("it cannot be read")]
struct Unfit(#[source] std::io::Error);

udf_of!(Wordy {
    #[option(validate = wordy)]
    x: String,
});

#[test]
fn the_words_of_a_check_are_told_with_their_cause_on_one_short_line() {
    assert_eq!(
        refusal::<Wordy>(&[("x", &[text("this")])]),
        "failed to initialize processes UDF wordy: `.x('this')`: it cannot be read: not this"
    );
    let long = refusal::<Wordy>(&[("x", &[text(&"long ".repeat(10_000))])]);
    assert!(long.len() < 1000 && long.ends_with(" ..."), "{} bytes", long.len());
    let _ = |wordy: Wordy| wordy.x;
}

udf_of!(Several {
    #[option(default = (0.5, 1, 2))]
    between: (f64, u8, u8),
});

#[test]
fn every_wrong_argument_of_a_call_is_named() {
    let calls: &[(&str, &[Value])] =
        &[("between", &[Value::from("x"), Value::Int(300), Value::Int(-1)])];
    assert_eq!(
        refusal::<Several>(calls),
        "failed to initialize processes UDF several: `.between('x', 300, -1)`: argument 1 must be \
         DOUBLE, not STRING, and argument 2 must be from 0 to 255, and argument 3 must be from 0 to 255; \
         write `.between(0.5, 1, 2)`"
    );
    let _ = |several: Several| several.between;
}
