//! `#[state(made_with(...), max = ...)]`: state begins anew if its options have changed, and an
//! option limits the number of groups.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use udf_proto::Value::{self, Double, Int};
use udf_runtime::options::FieldName;
use udf_runtime::state::{Groups, StateReader, StateWriter};
use udf_runtime::testing::{self, TestTask};
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, Udf, UdfHandler, udf};
use udf_tests::{handles_nothing, parse};

/// The sums of a field.
#[udf(wants = stream, provides = stream)]
struct Sums {
    #[option]
    field: FieldName,
    #[option(default = "1m")]
    every: Duration,
    #[option(default = "sum")]
    r#as: FieldName,
    #[option(flag)]
    strict: bool,
    #[state(made_with(field, every))]
    sums: Groups<f64>,
    #[state]
    points: i64,
    restores: i64,
}

impl StreamUdf for Sums {
    fn restored(&mut self) -> Result<()> {
        self.restores += 1;
        if self.strict { Err("it is strict".into()) } else { Ok(()) }
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let sum = self.sums.of(point);
        *sum += point.number(&self.field)?;
        self.points += 1;
        let edit = out.edit(point).only_field(&self.r#as, *sum).field("points", self.points);
        Ok(edit.field("restores", self.restores).send()?)
    }
}

fn sums(options: &[&str]) -> TestTask<UdfHandler<Sums>> {
    let setup = testing::udf::<Sums>();
    options.iter().fold(setup, |setup, option| setup.option(*option)).start()
}

/// Returns the snapshot of a task that has got one point.
fn snapshot(options: &[&str]) -> Vec<u8> {
    let mut task = sums(options);
    task.feed("m v=5,w=5 1");
    task.output();
    task.snapshot()
}

fn saved<T: Udf>(udf: &T) -> Vec<u8> {
    let mut state = StateWriter::new(T::NAME);
    udf.save(&mut state).unwrap();
    state.finish()
}

fn load<T: Udf>(udf: &mut T, snapshot: &[u8]) {
    udf.load(&mut StateReader::open(T::NAME, snapshot).unwrap()).unwrap();
}

/// The warnings of this program.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Warnings;

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            warnings().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Warnings);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn warnings() -> MutexGuard<'static, Vec<String>> {
    WARNINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the warnings of this work, which no other test disturbs.
fn warned(work: impl FnOnce()) -> Vec<String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static START: Once = Once::new();
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    START.call_once(|| tracing::subscriber::set_global_default(Warnings).unwrap());
    warnings().clear();
    work();
    std::mem::take(&mut *warnings())
}

#[test]
fn a_changed_option_begins_anew_with_a_warning() {
    for (options, changes) in [
        (&["field=w"][..], "`field` was FieldName(\"v\") and is FieldName(\"w\")"),
        (&["field=v", "every=90s"], "`every` was 60s and is 90s"),
        (
            &["field=w", "every=90s"],
            "`field` was FieldName(\"v\") and is FieldName(\"w\"), `every` was 60s and is 90s",
        ),
    ] {
        let warnings = warned(|| {
            let mut task = sums(options);
            task.restore(&snapshot(&["field=v"]));
            // The other state and the call of `restored` are as usual.
            task.feed("m v=7,w=7 2");
            task.emits("m sum=7,points=2i,restores=1i 2");
        });
        let text = "the state `sums` begins anew, because options have changed: ";
        assert_eq!(warnings, [format!("{text}{changes}")], "{options:?}");
    }
}

#[test]
fn the_same_options_keep_the_state_and_so_do_options_that_are_not_named() {
    for options in [
        &["field=v"][..],
        &["field=v", "every=1m"],
        &["field=v", "every=60s"],
        &["field=v", "as=sum"],
    ] {
        let warnings = warned(|| {
            let mut task = sums(options);
            task.restore(&snapshot(&["field=v", "as=total"]));
            task.feed("m v=7 2");
            task.emits("m sum=12,points=2i,restores=1i 2");
        });
        assert_eq!(warnings, [""; 0], "{options:?}");
    }
}

#[test]
fn state_of_other_options_does_not_replace_that_of_a_running_task() {
    warned(|| {
        let mut task = sums(&["field=w"]);
        task.feed("m w=2 1");
        task.restore(&snapshot(&["field=v"]));
        task.feed("m w=7 2");
        task.emits(
            "m sum=2,points=1i,restores=0i 1
             m sum=9,points=2i,restores=1i 2",
        );
    });
}

#[test]
fn a_refused_snapshot_changes_nothing_and_warns_of_nothing() {
    let warnings = warned(|| {
        let mut task = sums(&["field=w", "strict"]);
        task.feed("m w=2 1");
        let refusal = task.restore_refusal(&snapshot(&["field=v"]));
        assert!(refusal.starts_with("it is strict"), "{refusal}");

        let mut state = StateWriter::new(Sums::NAME);
        state.field("sums", &BTreeMap::from([("", 5.0)])).unwrap();
        state.field("sums.made_with", &BTreeMap::from([("field", "x")])).unwrap();
        state.field("points", &"text").unwrap();
        let refusal = task.restore_refusal(&state.finish());
        assert!(refusal.contains("`points` does not fit"), "{refusal}");
        task.feed("m w=7 2");
        task.emits(
            "m sum=2,points=1i,restores=0i 1
             m sum=9,points=2i,restores=1i 2",
        );
    });
    assert_eq!(warnings, [""; 0]);
}

/// An earlier version of the UDF, without `made_with`.
#[udf(wants = stream, provides = stream, name = "sums")]
struct Earlier {
    #[state]
    sums: Groups<f64>,
}
handles_nothing!(Earlier);

/// An earlier version of the UDF, with an option less in `made_with`.
#[udf(wants = stream, provides = stream, name = "sums")]
struct Former {
    #[option]
    field: FieldName,
    #[state(made_with = field)]
    sums: Groups<f64>,
}
handles_nothing!(Former);

#[test]
fn a_snapshot_that_does_not_tell_an_option_fits() {
    let field = [Value::String("v".into())];
    let mut earlier: Earlier = parse(&[]).unwrap();
    *earlier.sums.of("") = 5.0;
    let mut former: Former = parse(&[("field", &field)]).unwrap();
    *former.sums.of("") = 5.0;
    let (earlier, former) = (saved(&earlier), saved(&former));
    for (snapshot, options, sum) in [
        (&earlier, &["field=v"][..], 12),
        (&earlier, &["field=w", "every=90s"], 12),
        (&former, &["field=v", "every=90s"], 12),
        (&former, &["field=w"], 7),
    ] {
        let warnings = warned(|| {
            let mut task = sums(options);
            task.restore(snapshot);
            task.feed("m v=7,w=7 2");
            task.emits(&format!("m sum={sum},points=1i,restores=1i 2"));
        });
        assert_eq!(warnings.len(), usize::from(sum == 7), "{warnings:?}");
    }
}

/// State whose type depends on the kind of the task.
#[udf(wants = stream, provides = stream, name = "kept")]
struct Numbers {
    #[option]
    names: Vec<String>,
    #[state(name = "all", made_with(names))]
    values: Vec<i64>,
}
handles_nothing!(Numbers);

#[udf(wants = stream, provides = stream, name = "kept")]
struct Texts {
    #[option]
    names: Vec<String>,
    #[state(made_with(names))]
    all: Vec<String>,
}
handles_nothing!(Texts);

#[test]
fn state_of_other_options_need_not_even_be_readable_and_long_options_are_cut() {
    let names = [Value::String("a\n".repeat(1000))];
    let mut udf: Numbers = parse(&[("names", &names)]).unwrap();
    udf.values.push(1);
    let snapshot = saved(&udf);
    let warnings = warned(|| {
        let mut task = testing::udf::<Texts>().option("names=b").start();
        task.restore(&snapshot);
    });
    let text = "the state `all` begins anew, because options have changed: `names` was [\"";
    let shown = "a\\n".repeat(32);
    assert_eq!(warnings, [format!("{text}{shown}a\\ ... and is [\"b\"]")]);
}

/// A field for each kind of limit.
#[udf(wants = stream, provides = stream)]
struct Limits {
    #[option(default = 2)]
    least: usize,
    #[option(default = 3)]
    small: u8,
    #[option(default = 3)]
    signed: i64,
    #[option]
    maybe: Option<u32>,
    #[state(max = least)]
    of_usize: Groups<u8>,
    #[state(name = "other", max = small)]
    of_u8: Groups<u8>,
    #[state(max = signed, made_with = least)]
    of_i64: Groups<u8>,
    #[state(max = maybe)]
    of_option: Groups<u8>,
    /// The sizes after `init`.
    in_init: [usize; 4],
}

impl Limits {
    /// Adds ten groups to each field, and returns the sizes.
    fn fill(&mut self) -> [usize; 4] {
        for group in 0..10 {
            let id = format!("host={group}");
            self.of_usize.of(&*id);
            self.of_u8.of(&*id);
            self.of_i64.of(&*id);
            self.of_option.of(&*id);
        }
        self.sizes()
    }

    fn sizes(&self) -> [usize; 4] {
        [self.of_usize.len(), self.of_u8.len(), self.of_i64.len(), self.of_option.len()]
    }
}

impl StreamUdf for Limits {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        self.in_init = self.fill();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let [a, b, c, d] = self.in_init;
        Ok(out.edit(point).only_field("sizes", &format!("{a} {b} {c} {d}")).send()?)
    }
}

#[test]
fn an_option_limits_the_groups_before_init() {
    let mut task = testing::udf::<Limits>().start();
    task.feed("m v=1 1");
    task.emits("m sizes=\"2 3 3 10\" 1");
    let mut task = testing::udf::<Limits>().option("least=5").option("maybe=4").start();
    task.feed("m v=1 1");
    task.emits("m sizes=\"5 3 3 4\" 1");
}

#[test]
fn a_limit_holds_after_a_restore_of_more_groups() {
    let limits = |signed| parse::<Limits>(&[("signed", &[Int(signed)]), ("maybe", &[Int(9)])]);
    let mut full = limits(i64::MAX).unwrap();
    assert_eq!(full.fill(), [2, 3, 10, 9]);
    full.of_usize.limit_count(10);
    full.of_u8.limit_count(10);
    assert_eq!(full.fill(), [10, 10, 10, 9]);
    let snapshot = saved(&full);

    let mut udf = limits(-1).unwrap();
    load(&mut udf, &snapshot);
    assert_eq!(udf.sizes(), [2, 3, 1, 9]);
    assert_eq!(udf.fill(), [2, 3, 1, 9]);
}

#[test]
fn a_limit_holds_for_state_that_begins_anew() {
    let mut udf = parse::<Limits>(&[("least", &[Int(1)])]).unwrap();
    udf.fill();
    let snapshot = saved(&udf);
    let mut udf = parse::<Limits>(&[]).unwrap();
    load(&mut udf, &snapshot);
    assert_eq!((udf.sizes(), udf.fill()), ([1, 3, 0, 10], [2, 3, 3, 10]));
}

/// Options whose text must be the same for the same value.
#[udf(wants = stream, provides = stream)]
struct Texted {
    #[option(default = 0.1)]
    ratio: f64,
    #[option]
    bounds: Vec<f64>,
    #[option(parse, default = "::1")]
    address: std::net::IpAddr,
    #[state(made_with(ratio, bounds, address))]
    count: u64,
}
handles_nothing!(Texted);

#[test]
fn a_default_and_a_call_of_the_same_value_have_the_same_text() {
    let mut udf = parse::<Texted>(&[]).unwrap();
    udf.count = 7;
    let snapshot = saved(&udf);
    let address = Value::String("0:0:0:0:0:0:0:1".into());
    let mut udf = parse::<Texted>(&[("ratio", &[Double(0.1)]), ("address", &[address])]).unwrap();
    load(&mut udf, &snapshot);
    assert_eq!(udf.count, 7);
    udf.bounds.push(0.5);
    udf.count = 1;
    load(&mut udf, &snapshot);
    assert_eq!(udf.count, 1);
}
