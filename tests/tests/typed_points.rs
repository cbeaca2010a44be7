//! Structs that are read from a point, and structs that become its fields.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use udf_proto::messages;
use udf_proto::point::{EditScratch, PointEdit, PointSink};
use udf_runtime::{
    Emitter, FieldError, FieldValue, Fields, FromPoint, Point, PointBuf, Stream, StreamUdf,
    testing, udf,
};

fn cpu() -> PointBuf {
    let mut point = messages::Point {
        time: 1_500_000_000_000_000_007,
        name: "cpu".into(),
        group: "host=a".into(),
        dimensions: vec!["host".into()],
        ..Default::default()
    };
    point.tags.insert("host".into(), "a".into());
    point.tags.insert("cpu".into(), "cpu0".into());
    point.fields_double.insert("usage_user".into(), 12.5);
    point.fields_double.insert("whole".into(), -3.0);
    point.fields_int.insert("count".into(), 300);
    point.fields_string.insert("state".into(), "busy".into());
    point.fields_bool.insert("isHigh".into(), true);
    point.into()
}

fn made<'p, T: FromPoint<'p>>(point: &'p PointBuf) -> Result<T, FieldError> {
    T::from_point(point.as_point())
}

#[derive(Debug, PartialEq, FromPoint)]
struct Borrowed<'p> {
    #[field(name = "usage_user")]
    user: f64,
    #[field]
    usage_user: f32,
    #[field]
    count: u16,
    #[field(name = "count")]
    as_float: f64,
    #[field]
    whole: i8,
    #[field]
    state: &'p str,
    #[field(name = "state")]
    any: FieldValue<'p>,
    #[field]
    missing: Option<i64>,
    #[field(name = "isHigh")]
    high: Option<bool>,
    #[tag]
    host: &'p str,
    #[tag(name = "cpu")]
    core: Cow<'p, str>,
    #[tag]
    rack: Option<&'p str>,
    #[time]
    time: i64,
    #[group]
    group: &'p str,
}

#[derive(Debug, PartialEq, FromPoint)]
struct Owned {
    #[field]
    state: String,
    #[field(name = "state")]
    boxed: Box<str>,
    #[tag]
    host: String,
    #[tag(name = "host")]
    maybe: Option<Box<str>>,
    #[group]
    group: String,
    #[time]
    time: SystemTime,
}

#[test]
fn members_are_what_the_point_carries() {
    let point = cpu();
    let borrowed: Borrowed<'_> = made(&point).unwrap();
    assert_eq!(
        borrowed,
        Borrowed {
            user: 12.5,
            usage_user: 12.5,
            count: 300,
            as_float: 300.0,
            whole: -3,
            state: "busy",
            any: FieldValue::String("busy"),
            missing: None,
            high: Some(true),
            host: "a",
            core: "cpu0".into(),
            rack: None,
            time: 1_500_000_000_000_000_007,
            group: "host=a",
        }
    );
    assert!(matches!(borrowed.core, Cow::Borrowed(_)), "borrowed text is not copied");
    let bytes = point.as_point().as_bytes().as_ptr_range();
    assert!(bytes.contains(&borrowed.state.as_ptr()), "it lies in the bytes of the point");
    let owned: Owned = made(&point).unwrap();
    assert_eq!((&*owned.state, &*owned.boxed, &*owned.host), ("busy", "busy", "a"));
    assert_eq!((owned.maybe.as_deref(), &*owned.group), (Some("a"), "host=a"));
    let after = owned.time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(after, Duration::from_nanos(1_500_000_000_000_000_007));
}

macro_rules! refused {
    ($($attr:meta)? , $name:ident: $ty:ty) => {{
        #[derive(FromPoint)]
        struct One<'p> {
            $(#[$attr])?
            $name: $ty,
            #[point]
            _point: Point<'p>,
        }
        match One::from_point(cpu().as_point()) {
            Ok(one) => { let _ = one.$name; panic!("it is accepted") }
            Err(error) => error.to_string(),
        }
    }};
}

#[test]
fn what_is_missing_or_of_another_type_is_named() {
    assert_eq!(
        refused!(field, usage: f64),
        "a point of `cpu` in group `host=a` has no field `usage`"
    );
    assert_eq!(refused!(tag, rack: String), "a point of `cpu` in group `host=a` has no tag `rack`");
    assert_eq!(
        refused!(field, state: f64),
        "a point of `cpu` in group `host=a` has a field `state` that is text, not a number"
    );
    assert_eq!(
        refused!(field, state: Option<bool>),
        "a point of `cpu` in group `host=a` has a field `state` that is text, not a boolean",
        "an Option may be missing, not mistyped"
    );
    assert_eq!(
        refused!(field, count: u8),
        "a point of `cpu` in group `host=a` has a field `count` that is an integer, \
         not an integer from 0 to 255"
    );
    assert_eq!(
        refused!(field, usage_user: i64),
        "a point of `cpu` in group `host=a` has a field `usage_user` that is a float, not an integer"
    );
    assert_eq!(
        refused!(field, count: String),
        "a point of `cpu` in group `host=a` has a field `count` that is an integer, not text"
    );
    assert!(refused!(field, whole: usize).ends_with("a float, not an integer from 0"));
}

#[derive(FromPoint)]
#[point(rename_all = "camelCase")]
struct Whole<'p> {
    #[field]
    is_high: bool,
    #[point]
    point: Point<'p>,
    #[point]
    kept: PointBuf,
    #[point]
    inner: Owned,
}

#[test]
fn the_point_itself_can_be_a_member() {
    let point = cpu();
    let whole: Whole<'_> = made(&point).unwrap();
    assert!(whole.is_high);
    assert_eq!(whole.point.as_bytes(), point.as_point().as_bytes());
    assert_eq!(whole.kept.as_point().name(), "cpu");
    assert_eq!(whole.inner.host, "a");
}

/// Keeps the last point that was sent.
#[derive(Default)]
struct Last {
    scratch: EditScratch,
    bytes: Vec<u8>,
}

impl PointSink for Last {
    type Error = std::convert::Infallible;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.scratch
    }

    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Self::Error> {
        self.scratch.plan(base);
        self.bytes.clear();
        self.scratch.write(base, &mut self.bytes);
        Ok(())
    }
}

fn sent(base: &PointBuf, fields: &impl Fields) -> PointBuf {
    let mut last = Last::default();
    let Ok(()) = PointEdit::new(&mut last, base.as_point()).fields(fields).send();
    PointBuf::parse(last.bytes).expect("an edited point is a point")
}

#[derive(Fields)]
#[allow(dead_code)]
struct Emitted<'a> {
    usage_user: i64,
    mean: f32,
    #[field(name = "kind")]
    text: &'a str,
    owned: String,
    cow: Cow<'a, str>,
    small: u8,
    flag: bool,
    none: Option<f64>,
    some: Option<u32>,
    any: FieldValue<'a>,
    #[field(skip)]
    #[expect(dead_code, reason = "it is skipped")]
    skipped: std::cell::Cell<u8>,
}

#[test]
fn members_become_fields() {
    let point = sent(
        &cpu(),
        &Emitted {
            usage_user: -5,
            mean: 0.5,
            text: "t",
            owned: "o".into(),
            cow: "c".into(),
            small: 255,
            flag: false,
            none: None,
            some: Some(u32::MAX),
            any: FieldValue::Int(1),
            skipped: std::cell::Cell::new(1),
        },
    );
    let point = point.as_point();
    assert_eq!(point.field("usage_user"), Some(FieldValue::Int(-5)), "in the place of the float");
    assert_eq!(point.float("mean"), Ok(0.5));
    assert_eq!(point.string("kind"), Ok("t"));
    assert_eq!((point.string("owned"), point.string("cow")), (Ok("o"), Ok("c")));
    assert_eq!((point.int("small"), point.int("some")), (Ok(255), Ok(u32::MAX.into())));
    assert_eq!((point.bool("flag"), point.int("any")), (Ok(false), Ok(1)));
    assert_eq!((point.field("none"), point.field("skipped")), (None, None));
    assert_eq!(point.tag("host"), Some("a"));
    assert_eq!(point.int("count"), Ok(300), "other fields stay");
}

#[derive(FromPoint, Fields)]
#[point(rename_all = "camelCase")]
#[fields(rename_all = "SCREAMING_SNAKE_CASE")]
struct Both {
    #[field]
    is_high: bool,
    #[tag]
    host: String,
    #[time]
    time: i64,
}

#[test]
fn a_struct_can_be_both() {
    let point = cpu();
    let both: Both = made(&point).unwrap();
    assert_eq!((&*both.host, both.time), ("a", 1_500_000_000_000_000_007));
    let sent = sent(&point, &both);
    assert_eq!(sent.as_point().bool("IS_HIGH"), Ok(true));
    assert_eq!(sent.as_point().fields().count(), point.as_point().fields().count() + 1);
}

/// The lifetime of the borrowed parts is elided.
#[udf(wants = stream, provides = stream, point = Host)]
struct Hosts {}

#[derive(FromPoint)]
struct Host<'p> {
    #[tag]
    host: &'p str,
    #[point]
    point: Point<'p>,
}

impl StreamUdf for Hosts {
    fn point(&mut self, input: &Host<'_>, out: &mut Emitter<Stream>) -> udf_runtime::Result<()> {
        Ok(out.edit(&input.point).tag("seen", input.host).send()?)
    }
}

#[test]
fn what_a_handler_is_given_needs_no_lifetime_in_the_attribute() {
    let mut task = testing::udf::<Hosts>().start();
    task.feed("cpu,host=a usage=1 10");
    task.emits("cpu,host=a,seen=a usage=1 10");
}
