//! Code of the author for options runs only for a task that needs it, and only as often as
//! necessary.

use std::cell::Cell;
use std::str::FromStr;

use udf_proto::Value::{self, Int};
use udf_proto::{EdgeType, ValueType};
use udf_runtime::options::{Help, OptionType};
use udf_runtime::{Handler, Udf, UdfHandler};
use udf_tests::{parse, refusal, udf_of};
use udf_text::describe::Description;

/// The number of runs of each kind of code. Each test has its own thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Ran {
    defaults: u32,
    validates: u32,
    parses: u32,
    from_raws: u32,
    to_raws: u32,
    news: u32,
    drops: u32,
}

thread_local! {
    static RAN: Cell<Ran> = const { Cell::new(Ran {
        defaults: 0, validates: 0, parses: 0, from_raws: 0, to_raws: 0, news: 0, drops: 0,
    }) };
}

fn ran(what: impl FnOnce(&mut Ran)) {
    let mut all = RAN.get();
    what(&mut all);
    RAN.set(all);
}

/// Returns the runs since the last call.
fn taken() -> Ran {
    RAN.replace(Ran::default())
}

fn made(value: i64) -> i64 {
    ran(|ran| ran.defaults += 1);
    value
}

fn check(value: &i64) -> Result<(), String> {
    ran(|ran| ran.validates += 1);
    if *value >= 0 { Ok(()) } else { Err("it is negative".to_owned()) }
}

/// Working memory, created and dropped with its UDF.
#[derive(Debug)]
struct Memory;

impl Default for Memory {
    fn default() -> Self {
        ran(|ran| ran.news += 1);
        Memory
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        ran(|ran| ran.drops += 1);
    }
}

/// A value that is parsed from text.
#[derive(Debug)]
struct Text;

impl FromStr for Text {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ran(|ran| ran.parses += 1);
        if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(Text) }
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        ran(|ran| ran.drops += 1);
    }
}

/// A type with its own conversions.
#[derive(Debug)]
struct Own(i64);

impl Own {
    const FIVE: Own = Own(5);
}

impl OptionType for Own {
    type Raw = i64;

    fn from_raw(raw: i64) -> udf_runtime::Result<Self> {
        ran(|ran| ran.from_raws += 1);
        Ok(Own(raw))
    }

    fn to_raw(&self) -> i64 {
        ran(|ran| ran.to_raws += 1);
        self.0
    }

    fn help() -> Help {
        Help::new().example(7)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        ran(|ran| ran.drops += 1);
    }
}

/// A type with derived conversions and its own `Drop`.
#[derive(Debug, OptionType)]
struct Derived(i64);

impl Drop for Derived {
    fn drop(&mut self) {
        ran(|ran| ran.drops += 1);
    }
}

udf_of!(Counting {
    #[option(default = made(3), validate = check)]
    computed: i64,
    #[option(default = 4, validate = check)]
    literal: i64,
    #[option(validate = check)]
    many: Vec<i64>,
    #[option(parse, default = "text")]
    parsed: Text,
    #[option(parse, example = "text")]
    perhaps: Option<Text>,
    #[option(default = Own::FIVE, example = Own(6))]
    own: Own,
    #[option(default = Derived(5), example = Derived(6))]
    derived: Derived,
    #[option(default)]
    of_type: OwnDefault,
    memory: Memory,
});

#[derive(Debug, OptionType)]
struct OwnDefault(i64);

impl Default for OwnDefault {
    fn default() -> Self {
        OwnDefault(made(8))
    }
}

#[test]
fn info_runs_nothing_and_makes_no_udf() {
    let info = UdfHandler::<Counting>::new().info();
    assert_eq!(info["computed"], [ValueType::Int]);
    assert_eq!(info.len(), 8);
    assert_eq!(taken(), Ran::default());
}

#[test]
fn a_description_runs_nothing() {
    let description = Description {
        name: Counting::NAME.to_owned(),
        help: String::new(),
        wants: EdgeType::Stream,
        provides: EdgeType::Stream,
        options: Counting::options(),
        complete: true,
    };
    let shown = [description.to_text(80), description.to_tick(), description.to_json()].concat();
    assert_eq!(taken(), Ran::default());
    for part in [
        "Default: the value of `made(3)`.",
        "Default: 4.",
        "Default: 'text'.",
        "Default: the value of `Own::FIVE`.",
        "Default: the value of `OwnDefault::default()`.",
        "\"default_expression\": \"made(3)\"",
        "// .computed(INT)",
        "// .literal(4)",
        "// .perhaps('text')",
        "// .own(7)",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn a_refused_init_runs_only_what_looks_at_its_own_values() {
    let calls: &[(&str, &[Value])] =
        &[("many", &[Int(1)]), ("many", &[Int(-1)]), ("literal", &["x".into()]), ("nosuch", &[])];
    let text = refusal::<Counting>(calls);
    assert!(text.contains("3 problems") && text.contains("it is negative"), "{text}");
    assert_eq!(taken(), Ran { validates: 2, ..Ran::default() });
    refusal::<Counting>(&[("parsed", &["".into()])]);
    assert_eq!(taken(), Ran { parses: 1, ..Ran::default() });
    // Valid calls are not converted either.
    refusal::<Counting>(&[("own", &[Int(1)]), ("literal", &[Int(-1)])]);
    assert_eq!(taken(), Ran { validates: 1, from_raws: 1, drops: 1, ..Ran::default() });
}

#[test]
fn an_accepted_init_makes_each_default_once_that_it_leaves_out() {
    let udf: Counting = parse(&[]).expect("nothing is required");
    assert_eq!((udf.computed, udf.literal, udf.own.0, udf.derived.0), (3, 4, 5, 5));
    assert_eq!(taken(), Ran { defaults: 2, parses: 1, news: 1, ..Ran::default() });
    drop(udf);
    assert_eq!(taken(), Ran { drops: 4, ..Ran::default() });

    let calls: &[(&str, &[Value])] = &[
        ("computed", &[Int(1)]),
        ("literal", &[Int(1)]),
        ("many", &[Int(1)]),
        ("parsed", &["own".into()]),
        ("own", &[Int(1)]),
        ("derived", &[Int(1)]),
        ("ofType", &[Int(1)]),
    ];
    let udf: Counting = parse(calls).expect("the calls are valid");
    let ran = Ran { validates: 3, parses: 1, from_raws: 1, news: 1, ..Ran::default() };
    assert_eq!(taken(), ran);
    assert_eq!((udf.of_type.0, udf.perhaps.is_none(), udf.many.len()), (1, true, 1));
    let _ = (&udf.parsed, &udf.memory);
}

fn fails() -> i64 {
    panic!("nobody has asked for this default")
}

udf_of!(Panicking {
    #[option(default = fails())]
    x: i64,
    #[option]
    y: i64,
});

#[test]
fn a_default_that_panics_hurts_only_the_task_that_needs_it() {
    assert_eq!(UdfHandler::<Panicking>::new().info().len(), 2);
    assert_eq!(Panicking::options()[0].default_expression.as_deref(), Some("fails()"));
    let missing = refusal::<Panicking>(&[]);
    assert!(missing.ends_with("`.y` is missing; write `.y(10)`"), "{missing}");
    let udf: Panicking = parse(&[("x", &[Int(1)]), ("y", &[Int(2)])]).expect("it is called");
    assert_eq!((udf.x, udf.y), (1, 2));
}
