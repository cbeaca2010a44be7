//! Sets of options, exclusive ends, names of arguments, and types for sizes and percentages.

use udf_proto::Value::{self, Double, Int};
use udf_runtime::options::{Bytes, OptionType, Percent};
use udf_runtime::testing::check;
use udf_runtime::{Udf, udf};
use udf_tests::{handles_nothing, parse, refusal};
use udf_text::describe::{Description, OptionHelp};

fn text(text: &str) -> Value {
    Value::from(text)
}

/// Returns the text of a refusal after the name of the UDF.
fn words<T: Udf>(calls: &[(&str, &[Value])]) -> String {
    let text = refusal::<T>(calls);
    let prefix = format!("failed to initialize processes UDF {}: ", T::NAME);
    text.strip_prefix(&prefix).expect("a refusal begins with the name of the UDF").to_owned()
}

fn option<T: Udf>(name: &str) -> OptionHelp {
    T::options().into_iter().find(|option| option.name == name).expect("the option is shown")
}

fn description<T: Udf>() -> Description {
    Description {
        name: T::NAME.to_owned(),
        help: T::help(),
        wants: udf_proto::EdgeType::Stream,
        provides: udf_proto::EdgeType::Stream,
        options: T::options(),
        complete: true,
    }
}

#[udf(wants = stream, provides = stream, name = "limiter",
      at_least_one_of(old_count, limit_count, limit_age))]
#[allow(dead_code, reason = "only the call of the option matters")]
struct Sets {
    #[option(hidden)]
    old_count: Option<u8>,
    #[option(range = 1..)]
    limit_count: Option<u8>,
    #[option]
    limit_age: Vec<std::time::Duration>,
    #[option(hidden, default = 7)]
    internal: u8,
}
handles_nothing!(Sets);

#[test]
fn a_task_calls_at_least_one_option_of_a_set() {
    let parsed: Sets = parse(&[("limitCount", &[Int(3)])]).unwrap();
    assert_eq!((parsed.limit_count, parsed.limit_age.len(), parsed.internal), (Some(3), 0, 7));
    assert!(parse::<Sets>(&[("limitAge", &[Value::Duration(1)])]).is_ok());
    assert!(parse::<Sets>(&[("oldCount", &[Int(1)])]).is_ok());
    assert_eq!(
        words::<Sets>(&[]),
        "at least one of `.limitCount`, `.limitAge` must be called; write `.limitCount(10)`"
    );
    // A misspelt call is the only problem.
    assert_eq!(
        words::<Sets>(&[("limit_count", &[Int(3)])]),
        "`.limit_count(3)`: there is no option `limit_count`; did you mean `.limitCount(3)`?"
    );
    check::<Sets>();
}

#[test]
fn info_shows_the_set_and_the_sample_satisfies_it() {
    assert_eq!(option::<Sets>("limitAge").at_least_one_of, [["limitCount", "limitAge"]]);
    let description = description::<Sets>();
    let shown = description.to_text(100);
    assert!(
        shown.contains("A task must call at least one of .limitCount and .limitAge."),
        "{shown}"
    );
    let tick = description.to_tick();
    assert!(tick.contains("    @limiter()\n"), "{tick}");
    assert!(tick.contains("\n        .limitCount(10)\n"), "{tick}");
    assert!(tick.contains("\n        // .limitAge(10s)\n"), "{tick}");
    let json = description.to_json();
    assert!(json.contains(r#""at_least_one_of": [["limitCount", "limitAge"]]"#), "{json}");
}

#[test]
fn a_hidden_option_is_accepted_and_not_shown() {
    assert_eq!(Sets::NAME, "limiter");
    let calls: &[(&str, &[Value])] = &[("limitCount", &[Int(3)]), ("internal", &[Int(9)])];
    assert_eq!(parse::<Sets>(calls).unwrap().internal, 9);
    let shown = description::<Sets>();
    for shown in [shown.to_text(100), shown.to_json(), shown.to_tick()] {
        assert!(!shown.contains("internal"), "{shown}");
    }
    let unknown = words::<Sets>(&[("limitCount", &[Int(3)]), ("internat", &[Int(9)])]);
    assert!(!unknown.contains("`internal`"), "{unknown}");
    // The Info response has the option: Kapacitor refuses any other.
    udf_runtime::testing::udf::<Sets>().option("limitCount=3").option("internal=9").start().end();
}

fn is_odd(number: &i64) -> Result<(), String> {
    if number % 2 != 0 { Ok(()) } else { Err(format!("{number} is even")) }
}

#[udf(wants = stream, provides = stream)]
struct Ends {
    #[option(default = 0.5, above = 0.0, range = ..=1.0)]
    factor: f64,
    #[option(default = "1s", above = "0s")]
    every: std::time::Duration,
    #[option(default = 3, above = 1, validate = is_odd, must_be = "odd")]
    number: i64,
    #[option(parse, default = "127.0.0.1", must_be = "an IP address")]
    address: std::net::IpAddr,
}
handles_nothing!(Ends);

#[test]
fn an_end_can_be_excluded_below_too() {
    let parsed: Ends = parse(&[("factor", &[Double(1.0)])]).unwrap();
    assert_eq!((parsed.factor, parsed.number), (1.0, 3));
    assert_eq!(parsed.every, std::time::Duration::from_secs(1));
    assert!(parsed.address.is_loopback());
    assert_eq!(option::<Ends>("factor").range.as_deref(), Some("more than 0.0 and at most 1.0"));
    assert_eq!(
        words::<Ends>(&[("factor", &[Double(0.0)])]),
        "`.factor(0.0)`: the argument must be more than 0.0 and at most 1.0; write `.factor(1.0)`"
    );
    assert_eq!(
        words::<Ends>(&[("every", &[Value::Duration(0)])]),
        "`.every(0s)`: the argument must be more than 0s; write `.every(1s)`"
    );
    check::<Ends>();
}

#[test]
fn the_rule_of_a_check_has_words() {
    assert_eq!(option::<Ends>("number").range.as_deref(), Some("at least 2 and odd"));
    assert_eq!(option::<Ends>("address").range.as_deref(), Some("an IP address"));
    assert!(description::<Ends>().to_text(100).contains("Must be an IP address."));
    assert_eq!(
        words::<Ends>(&[("number", &[Int(4)])]),
        "`.number(4)`: 4 is even; write `.number(3)`"
    );
}

#[derive(Debug, PartialEq, OptionType)]
struct Limits {
    low: f64,
    high_end: f64,
}

#[derive(Debug, PartialEq, OptionType)]
#[option(ignore_case)]
enum Unit {
    Seconds,
    #[option(name = "Minutes", alias = "min")]
    Minutes,
}

#[udf(wants = stream, provides = stream)]
struct Typed {
    #[option(default = Limits { low: 1.0, high_end: 2.0 })]
    limits: Limits,
    #[option(default = Unit::Seconds)]
    unit: Unit,
    #[option(default = "10MiB")]
    memory: Bytes,
    #[option(default = 12.5, range = ..=50.0)]
    share: Percent,
    #[option(default = 5)]
    other: Percent,
}
handles_nothing!(Typed);

#[test]
fn arguments_have_the_names_of_members() {
    let calls: &[(&str, &[Value])] = &[("limits", &[Double(3.0), Double(4.0)])];
    assert_eq!(parse::<Typed>(calls).unwrap().limits, Limits { low: 3.0, high_end: 4.0 });
    let description = description::<Typed>();
    let shown = description.to_text(100);
    assert!(shown.contains("  .limits(low DOUBLE, highEnd DOUBLE)\n"), "{shown}");
    assert!(description.to_json().contains(r#""argument_names": ["low", "highEnd"]"#));
    assert!(
        description.to_tick().contains("Arguments: low, highEnd."),
        "{}",
        description.to_tick()
    );
    assert_eq!(
        words::<Typed>(&[("limits", &[Double(3.0)])]),
        "`.limits(3.0)`: it takes 2 arguments (low DOUBLE, highEnd DOUBLE), not 1; \
         write `.limits(1.0, 1.0)`"
    );
    assert_eq!(
        words::<Typed>(&[("limits", &[Double(3.0), text("x")])]),
        "`.limits(3.0, 'x')`: argument highEnd must be DOUBLE, not STRING; write `.limits(1.0, 1.0)`"
    );
}

#[test]
fn choices_can_ignore_case() {
    for (written, unit) in [
        ("seconds", Unit::Seconds),
        ("SECONDS", Unit::Seconds),
        ("minutes", Unit::Minutes),
        ("MIN", Unit::Minutes),
    ] {
        assert_eq!(parse::<Typed>(&[("unit", &[text(written)])]).unwrap().unit, unit);
    }
    assert!(description::<Typed>().to_text(100).contains("One of, in upper or lower case:"));
    assert_eq!(
        words::<Typed>(&[("unit", &[text("hours")])]),
        "`.unit('hours')`: the argument must be 'seconds' or 'Minutes'; write `.unit('seconds')`"
    );
}

#[test]
fn sizes_are_text_with_a_unit() {
    let parsed: Typed = parse(&[]).unwrap();
    assert_eq!(parsed.memory.get(), 10 << 20);
    for (written, bytes) in [("512KB", 512_000), ("1 gib", 1 << 30), ("100", 100), ("7B", 7)] {
        assert_eq!(parse::<Typed>(&[("memory", &[text(written)])]).unwrap().memory.get(), bytes);
    }
    for wrong in ["", "MiB", "1.5MiB", "-1", "1 XB", "99999999999TiB"] {
        let words = words::<Typed>(&[("memory", &[text(wrong)])]);
        let reason = "the argument must be a size in bytes, such as '10MiB', '512KB' or '100'";
        assert!(words.contains(reason), "{words}");
    }
    let shown = description::<Typed>().to_text(100);
    assert!(shown.contains("Default: '10MiB'."), "{shown}");
}

#[test]
fn percentages_are_of_a_hundred() {
    let parsed: Typed = parse(&[]).unwrap();
    assert_eq!((parsed.share.percent(), parsed.share.fraction()), (12.5, 0.125));
    assert_eq!(parsed.other.percent(), 5.0);
    assert_eq!(option::<Typed>("share").range.as_deref(), Some("from 0.0 to 50.0 percent"));
    assert_eq!(
        words::<Typed>(&[("share", &[Double(60.0)])]),
        "`.share(60.0)`: the argument must be from 0.0 to 50.0 percent; write `.share(50.0)`"
    );
    check::<Typed>();
}
