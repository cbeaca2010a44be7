//! Options that the environment may set, secrets, and the check of a UDF's own options.

#![allow(clippy::reversed_empty_ranges, reason = "the kit is to find them")]

use udf_proto::Value::Int;
use udf_runtime::options::{Help, OptionType};
use udf_runtime::{Result, Udf, testing};
use udf_tests::{parse, refusal, udf_of};

udf_of!(OfEnvironment {
    #[option(env = "CARGO_PKG_NAME")]
    package: String,
    #[option(env = "CARGO_PKG_VERSION_MAJOR", default = 7, range = 0..=8)]
    major: u8,
    #[option(env = "UDF_TESTS_NEVER_SET", default = 5)]
    unset: u8,
    #[option(env = "CARGO_PKG_NAME", conflicts = unset)]
    perhaps: Option<String>,
});

// Cargo sets these variables for tests.
#[test]
fn the_environment_stands_for_a_call() {
    let udf: OfEnvironment = parse(&[("unset", &[Int(6)])]).expect("nothing is missing");
    assert_eq!((&*udf.package, udf.major, udf.unset), ("udf-tests", 0, 6));
    assert_eq!(udf.perhaps.as_deref(), Some("udf-tests"));
    let udf: OfEnvironment = parse(&[("major", &[Int(3)])]).expect("it is called");
    assert_eq!((udf.major, udf.unset), (3, 5));
    let help = OfEnvironment::options();
    assert_eq!(help[0].help, "Without a call: the environment variable CARGO_PKG_NAME.");
    assert!(!help[0].is_required());
}

udf_of!(Wrong {
    #[option(env = "CARGO_PKG_NAME")]
    number: u8,
});

#[test]
fn a_wrong_environment_is_named() {
    assert_eq!(
        refusal::<Wrong>(&[]),
        "failed to initialize processes UDF wrong: `.number('udf-tests')` of the environment variable `CARGO_PKG_NAME`: \
         the argument must be INT, not STRING; write `.number(10)`"
    );
    let udf: Wrong = parse(&[("number", &[Int(1)])]).expect("the environment does not count");
    assert_eq!(udf.number, 1);
}

#[allow(clippy::ptr_arg, reason = "a check is given a reference to the value")]
fn is_long(token: &String) -> Result<(), String> {
    if token.len() > 3 { Ok(()) } else { Err("it is too short".to_owned()) }
}

udf_of!(Secret {
    /// Token of the service.
    #[option(secret, default = "hunter2", validate = is_long)]
    token: String,
    #[option(secret)]
    key: String,
});

#[test]
fn a_secret_is_not_shown() {
    let help = format!("{:?}", Secret::options());
    assert!(!help.contains("hunter2"), "{help}");
    assert!(help.contains("Token of the service.\\nIts value is a secret and is not shown."));
    let text = refusal::<Secret>(&[
        ("token", &["abc".into()]),
        ("key", &["k".into()]),
        ("tokens", &["xyz".into()]),
    ]);
    assert_eq!(
        text,
        "failed to initialize processes UDF secret: 2 problems with its options: \
         (1) `.tokens(***)`: there is no option `tokens`; did you mean `.token(STRING)`?; \
         (2) `.token(***)`: it is too short"
    );
}

/// An error that repeats the value, and in so many words that it is cut.
#[allow(clippy::ptr_arg, reason = "a check is given a reference to the value")]
fn quotes(token: &String) -> Result<(), String> {
    Err(format!("{}{token} is no token", "-".repeat(500)))
}

udf_of!(Quoted {
    #[option(secret, validate = quotes, env = "UDF_TESTS_NEVER_SET")]
    token: String,
});

#[test]
fn an_error_that_repeats_a_secret_does_not_show_it() {
    for token in ["hunter2hunter2", "two\nlines"] {
        let text = refusal::<Quoted>(&[("token", &[token.into()])]);
        assert!(text.contains("`.token(***)`: ---") && text.contains("---***"), "{text}");
        assert!(!text.contains("hunt") && !text.contains("two"), "{text}");
    }
}

udf_of!(NoNumber {
    #[option(default = f64::NAN)]
    x: f64,
    #[option(range = 0.0..f64::NAN)]
    y: f64,
});

const LOW: u8 = 9;
const HIGH: u8 = 2;

udf_of!(Swapped {
    #[option(range = LOW..HIGH)]
    s: u8,
});

fn is_even(value: &u8) -> Result<(), String> {
    if value.is_multiple_of(2) { Ok(()) } else { Err(format!("{value} is odd")) }
}

udf_of!(OddExample {
    #[option(example = 3, validate = is_even)]
    x: u8,
});

fn computed() -> u8 {
    11
}

udf_of!(Computed {
    #[option]
    needed: String,
    #[option(default = computed(), range = ..=10)]
    x: u8,
});

#[test]
#[should_panic(expected = "no value is within the limits of `.y`")]
fn an_end_that_is_no_number_is_found() {
    testing::check::<NoNumber>();
}

#[test]
#[should_panic(expected = "no value is within the limits of `.s`")]
fn swapped_ends_are_found() {
    testing::check::<Swapped>();
}

#[test]
#[should_panic(expected = "`.x(3)`: 3 is odd")]
fn an_example_that_is_refused_is_found() {
    testing::check::<OddExample>();
}

#[test]
#[should_panic(expected = "the UDF refuses its own default `.x(11)`")]
fn a_default_that_is_refused_is_found() {
    testing::check::<Computed>();
}

/// A number that is not 10, although its help says so.
struct NotTen(i64);

impl OptionType for NotTen {
    type Raw = i64;

    fn from_raw(raw: i64) -> Result<Self> {
        if raw == 10 { Err("ten is taken".into()) } else { Ok(NotTen(raw)) }
    }

    fn to_raw(&self) -> i64 {
        self.0
    }

    fn help() -> Help {
        Help::new().example(10)
    }
}

udf_of!(OddSample {
    #[option]
    x: Option<NotTen>,
});

#[test]
#[should_panic(expected = "UDF odd_sample: `.x(10)`: ten is taken")]
fn a_sample_that_is_refused_is_found() {
    testing::check::<OddSample>();
}

#[test]
fn right_options_pass() {
    testing::check::<OfEnvironment>();
    testing::check::<Secret>();
}
