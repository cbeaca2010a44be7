//! Every attribute of an option: its effect, its refusals and their texts.

use std::time::Duration;

use udf_proto::Value::{self, Bool, Double, Duration as Nanos, Int};
use udf_runtime::options::{self, OptionType};
use udf_runtime::{Udf, udf};
use udf_tests::{handles_nothing, init, parse, refusal, udf_of};

fn text(text: &str) -> Value {
    Value::from(text)
}

/// Returns the text of a refusal after the name of the UDF.
fn words<T: Udf>(calls: &[(&str, &[Value])]) -> String {
    let text = refusal::<T>(calls);
    let prefix = format!("failed to initialize processes UDF {}: ", T::NAME);
    text.strip_prefix(&prefix).expect("a refusal begins with the name of the UDF").to_owned()
}

fn names<T: Udf>() -> Vec<String> {
    T::options().into_iter().map(|option| option.name).collect()
}

udf_of!(Named {
    #[option(default)]
    window_size: u8,
    #[option(default)]
    r#as: u8,
    #[option(default, name = "other")]
    this: u8,
    #[option(default, alias = "third", alias = "drittes")]
    p_95: u8,
});

#[udf(wants = stream, provides = stream, rename_all = "snake_case")]
struct Renamed {
    #[option(default)]
    window_size: u8,
    #[option(default, name = "asIs")]
    kept: u8,
}
handles_nothing!(Renamed);

#[udf(wants = stream, provides = stream, rename_all = "PascalCase")]
struct Pascal {
    #[option(default)]
    window_size: u8,
}
handles_nothing!(Pascal);

#[test]
fn names_are_camel_case_unless_they_are_chosen() {
    assert_eq!(names::<Named>(), ["windowSize", "as", "other", "p95"]);
    assert_eq!(names::<Renamed>(), ["window_size", "asIs"]);
    assert_eq!(names::<Pascal>(), ["WindowSize"]);
    let calls: &[(&str, &[Value])] = &[("windowSize", &[Int(1)]), ("as", &[Int(2)])];
    let named: Named = parse(calls).unwrap();
    assert_eq!((named.window_size, named.r#as, named.this), (1, 2, 0));
    assert_eq!(parse::<Named>(&[("other", &[Int(3)])]).unwrap().this, 3);
    assert_eq!(
        words::<Named>(&[("window_size", &[Int(1)])]),
        "`.window_size(1)`: there is no option `window_size`; did you mean `.windowSize(1)`?"
    );
    assert_eq!(parse::<Renamed>(&[("asIs", &[Int(3)])]).unwrap().kept, 3);
    assert_eq!(parse::<Renamed>(&[("window_size", &[Int(3)])]).unwrap().window_size, 3);
    assert_eq!(parse::<Pascal>(&[("WindowSize", &[Int(3)])]).unwrap().window_size, 3);
}

#[test]
fn an_alias_is_another_name_for_the_same() {
    for name in ["p95", "third", "drittes"] {
        assert_eq!(parse::<Named>(&[(name, &[Int(5)])]).unwrap().p_95, 5);
    }
    assert_eq!(Named::options()[3].aliases, ["third", "drittes"]);
    assert_eq!(
        words::<Named>(&[("third", &[Int(5)]), ("p95", &[Int(6)])]),
        "`.p95` can be called only once; keep one of `.third(5)`, `.p95(6)`"
    );
}

const EIGHT: u8 = 8;

#[derive(Debug, PartialEq, OptionType, Default)]
enum Mode {
    #[default]
    Fast,
    Slow,
}

udf_of!(Defaults {
    #[option(default = true)]
    a: bool,
    #[option(default = -3)]
    b: i8,
    #[option(default = EIGHT)]
    c: u8,
    #[option(default = 2)]
    d: f64,
    #[option(default = "text")]
    e: String,
    #[option(default = "1m30s")]
    f: Duration,
    #[option(default = 'x')]
    g: char,
    #[option(default = "/tmp")]
    h: std::path::PathBuf,
    #[option(default = ("a", 1, "10s"))]
    i: (String, f64, Duration),
    #[option(default = [1, 2])]
    j: [f32; 2],
    #[option(default = 7)]
    k: std::num::NonZeroU16,
    #[option(default)]
    l: Mode,
    #[option(default = Mode::Slow)]
    m: Mode,
    #[option(default = u32::from(EIGHT) + 1)]
    n: u32,
    #[option(default = [0.5; 3])]
    o: [f64; 3],
});

#[test]
fn a_default_is_a_literal_an_expression_or_that_of_the_type() {
    let made: Defaults = parse(&[]).unwrap();
    assert!(made.a);
    assert_eq!((made.b, made.c, made.d, &*made.e), (-3, 8, 2.0, "text"));
    assert_eq!((made.f, made.g), (Duration::from_secs(90), 'x'));
    assert_eq!(made.h, std::path::PathBuf::from("/tmp"));
    assert_eq!(made.i, ("a".to_owned(), 1.0, Duration::from_secs(10)));
    assert_eq!((made.j, made.k.get(), made.n), ([1.0, 2.0], 7, 9));
    assert_eq!((made.l, made.m, made.o), (Mode::Fast, Mode::Slow, [0.5; 3]));

    let computed: Vec<_> = Defaults::options()
        .into_iter()
        .filter(|option| option.default.is_none())
        .map(|option| (option.name, option.default_expression.unwrap()))
        .collect();
    let expected = [("l", "Mode::default()"), ("n", "u32::from(EIGHT) + 1")];
    assert_eq!(computed, expected.map(|(name, shown)| (name.to_owned(), shown.to_owned())));
    let shown: Vec<_> = Defaults::options().into_iter().filter_map(|o| o.default).collect();
    assert_eq!(shown[2], [Int(8)]);
    assert_eq!(shown[5], [Nanos(90_000_000_000)]);
    assert_eq!(shown[8], [text("a"), Double(1.0), Nanos(10_000_000_000)]);
    assert_eq!(shown[9], [Double(1.0), Double(2.0)]);
    assert_eq!(shown[11], [text("slow")]);
    assert_eq!(shown[12], [Double(0.5), Double(0.5), Double(0.5)]);
    assert!(Defaults::options().iter().all(|option| !option.is_required()));
    assert!(!parse::<Defaults>(&[("a", &[Bool(false)])]).unwrap().a);
}

udf_of!(Ranges {
    #[option(range = 1..)]
    a: Option<usize>,
    #[option(range = 1..=10)]
    b: Option<i8>,
    #[option(range = ..5)]
    c: Option<i64>,
    #[option(range = 0.0..1.0)]
    d: Option<f64>,
    #[option(range = "1s"..="1h")]
    e: Option<Duration>,
    #[option(range = -5..=-1)]
    f: Vec<i32>,
    #[option(range = 1..)]
    g: Option<[f32; 2]>,
    #[option(range = ..100)]
    h: Option<std::num::NonZeroU8>,
    #[option(range = EIGHT..=EIGHT)]
    i: Option<u8>,
    #[option(range = 0..=20)]
    j: Option<i8>,
});

#[test]
fn a_range_holds_every_argument() {
    let must = |name: &str, value: Value| {
        let all = words::<Ranges>(&[(name, &[value])]);
        let (_, must) = all.split_once("must be ").expect("it says what it must be");
        must.to_owned()
    };
    assert_eq!(must("a", Int(0)), "at least 1; write `.a(1)`");
    assert_eq!(must("b", Int(11)), "from 1 to 10; write `.b(10)`");
    assert_eq!(must("b", Int(0)), "from 1 to 10; write `.b(1)`");
    assert_eq!(must("c", Int(5)), "at most 4; write `.c(4)`");
    assert_eq!(must("d", Double(1.0)), "at least 0.0 and less than 1.0; write `.d(0.0)`");
    assert_eq!(must("d", Double(f64::NAN)), "at least 0.0 and less than 1.0; write `.d(0.0)`");
    assert_eq!(must("d", Int(-1)), "at least 0.0 and less than 1.0; write `.d(0.0)`");
    assert_eq!(must("e", Nanos(5)), "from 1s to 1h; write `.e(1s)`");
    assert_eq!(must("f", Int(0)), "from -5 to -1; write `.f(-1)`");
    assert_eq!(
        must("h", Int(100)),
        "from 1 to 99; write `.h(99)`",
        "its type's end and the range's"
    );
    assert_eq!(must("h", Int(0)), "from 1 to 99; write `.h(1)`");
    assert_eq!(must("i", Int(7)), "8; write `.i(8)`");
    assert_eq!(must("j", Int(-1)), "from 0 to 20; write `.j(0)`");
    assert_eq!(
        words::<Ranges>(&[("g", &[Double(1.5), Double(0.5)])]),
        "`.g(1.5, 0.5)`: argument 2 must be at least 1.0; write `.g(1.5, 1.0)`"
    );
    assert_eq!(parse::<Ranges>(&[("d", &[Double(0.0)])]).unwrap().d, Some(0.0));
    assert_eq!(
        parse::<Ranges>(&[("e", &[Nanos(1_000_000_000)])]).unwrap().e,
        Some(Duration::from_secs(1))
    );
    assert_eq!(parse::<Ranges>(&[("c", &[Int(4)])]).unwrap().c, Some(4));
    assert_eq!(Ranges::options()[1].range.as_deref(), Some("from 1 to 10"));
    assert!(
        Ranges::options().iter().all(|option| {
            let calls: &[(&str, &[Value])] = &[(&option.name, &option.example)];
            options::parse::<Ranges>(init(calls)).is_ok()
        }),
        "every example is accepted"
    );
}

udf_of!(Lengths {
    #[option(len = 1..)]
    a: Option<String>,
    #[option(len = 2..=3)]
    b: Option<String>,
    #[option(len = 1..3)]
    c: Vec<u8>,
    #[option(len = ..2)]
    d: Vec<String>,
});

#[test]
fn a_length_is_of_text_or_of_calls() {
    let c: (&str, &[Value]) = ("c", &[Int(1)]);
    assert_eq!(
        words::<Lengths>(&[c, ("a", &[text("")])]),
        "`.a('')`: the argument must be at least 1 character long; write `.a('text')`"
    );
    assert_eq!(
        words::<Lengths>(&[c, ("b", &[text("äöüß")])]),
        "`.b('äöüß')`: the argument must be from 2 to 3 characters long"
    );
    assert_eq!(parse::<Lengths>(&[c, ("b", &[text("äöü")])]).unwrap().b.as_deref(), Some("äöü"));
    assert_eq!(words::<Lengths>(&[]), "`.c` is missing; write `.c(10)`");
    assert_eq!(
        words::<Lengths>(&[c, c, c]),
        "`.c` is called 3 times, but must be called from 1 to 2 times"
    );
    assert_eq!(parse::<Lengths>(&[c, c]).unwrap().c, [1, 1]);
    let d: (&str, &[Value]) = ("d", &[text("")]);
    assert_eq!(
        words::<Lengths>(&[c, d, d]),
        "`.d` is called 2 times, but must be called at most 1 time"
    );
    let help = Lengths::options();
    assert!(help[2].is_required() && !help[3].is_required());
    assert_eq!(help[1].range.as_deref(), Some("from 2 to 3 characters long"));
    assert!(help[1].example.is_empty(), "the usual text is too long");
    assert_eq!(help[2].range.as_deref(), Some("from 0 to 255, called from 1 to 2 times"));
}

fn is_even(value: &i64) -> Result<(), String> {
    if value % 2 == 0 { Ok(()) } else { Err(format!("{value} is odd")) }
}

fn is_shouted(text: &str) -> Result<(), &'static str> {
    if text.to_uppercase() == text { Ok(()) } else { Err("write it in capitals") }
}

fn is_ordered((low, high): &(f64, f64)) -> udf_runtime::Result<()> {
    if low < high { Ok(()) } else { Err(options::MustBe::new("ordered").into()) }
}

fn is_local(address: &std::net::IpAddr) -> Result<(), String> {
    if address.is_loopback() { Ok(()) } else { Err("only local addresses will do".to_owned()) }
}

udf_of!(Validated {
    #[option(validate = is_even)]
    a: Option<i64>,
    #[option(validate = is_shouted, example = "TEXT")]
    b: Vec<String>,
    #[option(validate = self::is_ordered, example = (1, 2))]
    c: Option<(f64, f64)>,
    #[option(parse, validate = is_local)]
    d: Option<std::net::IpAddr>,
});

#[test]
fn a_check_looks_at_every_value() {
    assert_eq!(words::<Validated>(&[("a", &[Int(3)])]), "`.a(3)`: 3 is odd");
    assert_eq!(parse::<Validated>(&[("a", &[Int(4)])]).unwrap().a, Some(4));
    assert_eq!(
        words::<Validated>(&[("b", &[text("A")]), ("b", &[text("b")])]),
        "`.b('b')` (call 2 of it): write it in capitals; write `.b('TEXT')`"
    );
    assert_eq!(
        words::<Validated>(&[("c", &[Int(2), Int(1)])]),
        "`.c(2, 1)`: the arguments must be ordered; write `.c(1.0, 2.0)`"
    );
    assert_eq!(
        words::<Validated>(&[("d", &[text("1.1.1.1")])]),
        "`.d('1.1.1.1')`: only local addresses will do"
    );
    assert!(parse::<Validated>(&[("d", &[text("::1")])]).unwrap().d.is_some());
    assert_eq!(parse::<Validated>(&[("b", &[text("A")])]).unwrap().b, ["A"]);
    assert_eq!(parse::<Validated>(&[("c", &[Int(1), Int(2)])]).unwrap().c, Some((1.0, 2.0)));
}

udf_of!(Related {
    #[option(conflicts(by_count, never))]
    by_time: Option<Duration>,
    #[option(conflicts = by_time, range = 1..)]
    by_count: Option<u8>,
    #[option(flag)]
    never: bool,
    #[option(requires = by_time, name = "lateBy")]
    late: Option<Duration>,
});

#[test]
fn options_exclude_and_require_each_other() {
    let time: (&str, &[Value]) = ("byTime", &[Nanos(1_000_000_000)]);
    let count: (&str, &[Value]) = ("byCount", &[Int(1)]);
    assert_eq!(
        words::<Related>(&[count, time]),
        "`.byCount(1)` and `.byTime(1s)` exclude each other; keep one of them"
    );
    assert_eq!(
        words::<Related>(&[time, ("never", &[])]),
        "`.byTime(1s)` and `.never()` exclude each other; keep one of them"
    );
    assert_eq!(
        words::<Related>(&[("lateBy", &[Nanos(5)])]),
        "`.lateBy(5ns)` needs `.byTime` too; write `.byTime(10s)`"
    );
    assert!(parse::<Related>(&[time, ("lateBy", &[Nanos(5)])]).unwrap().late.is_some());
    assert!(parse::<Related>(&[("never", &[]), count]).unwrap().by_count.is_some());
    assert!(parse::<Related>(&[time]).unwrap().by_time.is_some());
    assert!(!parse::<Related>(&[]).unwrap().never);
}

udf_of!(Old {
    #[option(deprecated = "use `.size`", alias = "length")]
    count: Option<u8>,
    #[option(default = 1, example = 64)]
    size: u8,
});

#[test]
fn deprecated_options_work_with_a_warning() {
    let accepted = options::parse::<Old>(init(&[("length", &[Int(3)])])).unwrap();
    assert_eq!(accepted.udf.count, Some(3));
    assert_eq!(accepted.warnings, ["option `length` is deprecated: use `.size`"]);
    let accepted = options::parse::<Old>(init(&[("size", &[Int(3)])])).unwrap();
    assert_eq!(accepted.udf.size, 3);
    assert!(accepted.warnings.is_empty());
    assert_eq!(Old::options()[0].deprecated.as_deref(), Some("use `.size`"));
    assert_eq!(Old::options()[1].example, [Int(64)]);
}

/// First paragraph,
/// goes on.
///
/// Second paragraph.
#[udf(wants = stream, provides = batch, tick = "1m30s", on_missing = fail)]
struct HTTPProbe {
    /// How often.
    ///   It is indented.
    #[option(default)]
    times: u8,
}

impl udf_runtime::StreamUdf for HTTPProbe {
    fn point(
        &mut self,
        _: &udf_runtime::Point<'_>,
        _: &mut udf_runtime::Emitter<udf_runtime::Batch>,
    ) -> udf_runtime::Result<()> {
        Ok(())
    }
}

impl udf_runtime::Tick for HTTPProbe {
    fn tick(
        &mut self,
        _: &mut udf_runtime::Emitter<udf_runtime::Batch>,
    ) -> udf_runtime::Result<()> {
        Ok(())
    }
}

#[udf(wants = stream, provides = stream, on_missing = pass)]
struct Passing;
handles_nothing!(Passing);

#[test]
fn the_struct_says_what_the_udf_is() {
    use udf_runtime::{Edge, OnMissing};
    assert_eq!(HTTPProbe::NAME, "http_probe");
    assert_eq!(HTTPProbe::help(), "First paragraph, goes on.\nSecond paragraph.");
    assert_eq!(HTTPProbe::options()[0].help, "How often. It is indented.");
    assert_eq!(HTTPProbe::ON_MISSING, OnMissing::Fail);
    assert_eq!(<HTTPProbe as Udf>::Wants::TYPE, udf_proto::EdgeType::Stream);
    assert_eq!(<HTTPProbe as Udf>::Provides::TYPE, udf_proto::EdgeType::Batch);
    let probe = parse::<HTTPProbe>(&[]).unwrap();
    assert_eq!((probe.times, probe.tick_every()), (0, Some(Duration::from_secs(90))));
    assert_eq!(Passing::ON_MISSING, OnMissing::Pass);
    assert_eq!((Passing.tick_every(), Passing::DOCS), (None, ""));
    assert_eq!(Named::ON_MISSING, OnMissing::Skip);
    assert_eq!(
        refusal::<Passing>(&[("any", &[])]),
        "failed to initialize processes UDF passing: `.any()`: it has no options"
    );
}
