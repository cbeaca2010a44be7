//! Edits of points have the same result as the same edits of prost's message, and copy everything
//! else unchanged.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use udf_proto::messages::response;
use udf_proto::point::{EditScratch, FieldValue, PointEdit, PointIndex, PointSink};
use udf_proto::{Point, PointBuf, Points, messages};

/// Encodes every accepted point, alone and as a frame.
#[derive(Default)]
struct Sink {
    scratch: EditScratch,
    body: Vec<u8>,
    frame: Vec<u8>,
}

impl PointSink for Sink {
    type Error = Infallible;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.scratch
    }

    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Infallible> {
        let planned = self.scratch.plan(base);
        self.body.clear();
        self.scratch.write(base, &mut self.body);
        assert_eq!(self.body.len(), planned, "the planned length is the written one");
        self.frame.clear();
        let place = udf_proto::response::append_edited(base, &mut self.scratch, &mut self.frame);
        assert_eq!(self.frame[place], self.body);
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Edit {
    Time(i64),
    Name(String),
    Database(String),
    Policy(String),
    ByName(bool),
    Dimension(String),
    ClearDimensions,
    Field(String, Owned),
    OnlyField(String, Owned),
    RemoveField(String),
    ClearFields,
    KeepFields(Vec<String>),
    Tag(String, String),
    RemoveTag(String),
    KeepTags(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Float(u64),
    Int(i64),
    Text(String),
    Bool(bool),
}

impl Owned {
    fn of(value: FieldValue<'_>) -> Self {
        match value {
            FieldValue::Float(value) => Owned::Float(value.to_bits()),
            FieldValue::Int(value) => Owned::Int(value),
            FieldValue::String(value) => Owned::Text(value.to_owned()),
            FieldValue::Bool(value) => Owned::Bool(value),
        }
    }

    fn value(&self) -> FieldValue<'_> {
        match self {
            Owned::Float(bits) => FieldValue::Float(f64::from_bits(*bits)),
            Owned::Int(value) => FieldValue::Int(*value),
            Owned::Text(value) => FieldValue::String(value),
            Owned::Bool(value) => FieldValue::Bool(*value),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let value = prop_oneof![
        2 => any::<u64>().prop_map(Owned::Float),
        1 => any::<i64>().prop_map(Owned::Int),
        1 => (0..200i64).prop_map(Owned::Int),
        1 => name().prop_map(Owned::Text),
        1 => any::<bool>().prop_map(Owned::Bool),
    ];
    prop_oneof![
        1 => any::<i64>().prop_map(Edit::Time),
        1 => name().prop_map(Edit::Name),
        1 => name().prop_map(Edit::Database),
        1 => name().prop_map(Edit::Policy),
        1 => any::<bool>().prop_map(Edit::ByName),
        1 => name().prop_map(Edit::Dimension),
        1 => Just(Edit::ClearDimensions),
        4 => (name(), value.clone()).prop_map(|(name, value)| Edit::Field(name, value)),
        1 => (name(), value).prop_map(|(name, value)| Edit::OnlyField(name, value)),
        3 => name().prop_map(Edit::RemoveField),
        1 => Just(Edit::ClearFields),
        1 => vec(name(), 0..4).prop_map(Edit::KeepFields),
        3 => (name(), name()).prop_map(|(name, value)| Edit::Tag(name, value)),
        3 => name().prop_map(Edit::RemoveTag),
        1 => vec(name(), 0..4).prop_map(Edit::KeepTags),
    ]
}

fn apply<'s, 'p>(edits: &[Edit], mut point: PointEdit<'s, 'p, Sink>) -> PointEdit<'s, 'p, Sink> {
    let all = |names: &'_ [String]| names.iter().map(String::clone).collect::<Vec<_>>();
    for edit in edits {
        point = match edit {
            Edit::Time(time) => point.time(*time),
            Edit::Name(name) => point.name(name),
            Edit::Database(name) => point.database(name),
            Edit::Policy(name) => point.retention_policy(name),
            Edit::ByName(by_name) => point.by_name(*by_name),
            Edit::Dimension(tag) => point.dimension(tag),
            Edit::ClearDimensions => point.clear_dimensions(),
            Edit::Field(name, value) => point.field(name, value.value()),
            Edit::OnlyField(name, value) => point.only_field(name, value.value()),
            Edit::RemoveField(name) => point.remove_field(name),
            Edit::ClearFields => point.clear_fields(),
            Edit::KeepFields(names) => {
                let names = all(names);
                point.keep_fields(&names.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Edit::Tag(name, value) => point.tag(name, value),
            Edit::RemoveTag(name) => point.remove_tag(name),
            Edit::KeepTags(names) => {
                let names = all(names);
                point.keep_tags(&names.iter().map(String::as_str).collect::<Vec<_>>())
            }
        };
    }
    point
}

/// The expected message. Its fields are one list, because edits depend on which of two types came
/// last.
struct Model {
    message: messages::Point,
    fields: Vec<(String, Owned)>,
    /// The parts of the base that are not copied: whole members, and entries by name.
    members: BTreeSet<u32>,
    tags: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Model {
    fn new(base: Point<'_>) -> Self {
        Model {
            message: messages::Point::decode(base.as_bytes()).expect("the bytes are a point"),
            fields: base
                .fields()
                .map(|(name, value)| (name.to_owned(), Owned::of(value)))
                .collect(),
            members: BTreeSet::new(),
            tags: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    fn clear_fields(&mut self) {
        self.fields.clear();
        self.members.extend([8, 9, 10, 12]);
    }

    fn set_field(&mut self, name: &str, value: &Owned) {
        self.fields.retain(|(other, _)| other != name);
        self.fields.push((name.to_owned(), value.clone()));
        self.names.insert(name.to_owned());
    }

    fn apply(&mut self, edit: &Edit) {
        let message = &mut self.message;
        match edit {
            Edit::Time(time) => {
                message.time = *time;
                self.members.insert(1);
            }
            Edit::Name(name) => {
                message.name.clone_from(name);
                self.members.insert(2);
            }
            Edit::Database(name) => {
                message.database.clone_from(name);
                self.members.insert(3);
            }
            Edit::Policy(name) => {
                message.retention_policy.clone_from(name);
                self.members.insert(4);
            }
            Edit::ByName(by_name) => {
                message.by_name = *by_name;
                self.members.insert(11);
            }
            Edit::Dimension(tag) => message.dimensions.push(tag.clone()),
            Edit::ClearDimensions => {
                message.dimensions.clear();
                self.members.insert(6);
            }
            Edit::Field(name, value) => self.set_field(name, value),
            Edit::OnlyField(name, value) => {
                self.clear_fields();
                self.set_field(name, value);
            }
            Edit::RemoveField(name) => {
                self.fields.retain(|(other, _)| other != name);
                self.names.insert(name.clone());
            }
            Edit::ClearFields => self.clear_fields(),
            Edit::KeepFields(names) => {
                let mut last = BTreeMap::new();
                last.extend(self.fields.drain(..).filter(|(name, _)| names.contains(name)));
                self.fields.extend(last);
                self.members.extend([8, 9, 10, 12]);
            }
            Edit::Tag(name, value) => {
                message.tags.insert(name.clone(), value.clone());
                self.tags.insert(name.clone());
            }
            Edit::RemoveTag(name) => {
                message.tags.remove(name);
                self.tags.insert(name.clone());
            }
            Edit::KeepTags(names) => {
                message.tags.retain(|name, _| names.contains(name));
                self.members.insert(7);
            }
        }
    }

    fn finish(&self) -> messages::Point {
        let mut message = self.message.clone();
        message.fields_double.clear();
        message.fields_int.clear();
        message.fields_string.clear();
        message.fields_bool.clear();
        for (name, value) in self.fields.iter().cloned() {
            match value {
                Owned::Float(bits) => {
                    message.fields_double.insert(name, f64::from_bits(bits));
                }
                Owned::Int(value) => {
                    message.fields_int.insert(name, value);
                }
                Owned::Text(value) => {
                    message.fields_string.insert(name, value);
                }
                Owned::Bool(value) => {
                    message.fields_bool.insert(name, value);
                }
            }
        }
        message
    }

    /// Returns the records of the base that no edit affects.
    fn untouched(&self, base: &[Record]) -> Vec<u8> {
        let kept = base.iter().filter(|record| {
            let member = prost::encoding::decode_key(&mut &record.bytes[..]).expect("a key").0;
            let named = match &record.entry {
                Some((7, name)) => self.tags.contains(name),
                Some((_, name)) => self.names.contains(name),
                None => false,
            };
            !named && !self.members.contains(&member)
        });
        kept.flat_map(|record| record.bytes.clone()).collect()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn edits_do_what_they_do_to_a_message(
        // All points share one scratch: no edit may affect the next.
        rounds in vec((records(), vec(edit(), 0..7)), 1..3)
    ) {
        let mut sink = Sink::default();
        for (records, edits) in rounds {
            let base = point(concat(&records));
            let mut model = Model::new(base.as_point());
            edits.iter().for_each(|edit| model.apply(edit));
            apply(&edits, PointEdit::new(&mut sink, base.as_point())).send().unwrap();

            same(PointIndex::new().parse(&sink.body).unwrap(), &model.finish());
            let untouched = model.untouched(&records);
            prop_assert!(sink.body.starts_with(&untouched), "not kept: {:02x?}", untouched);
        }
    }

    #[test]
    fn building_starts_from_nothing(start in name(), edits in vec(edit(), 0..9)) {
        let mut sink = Sink::default();
        let mut model = Model::new(PointBuf::from(messages::Point::default()).as_point());
        model.apply(&Edit::Name(start.clone()));
        edits.iter().for_each(|edit| model.apply(edit));
        apply(&edits, PointEdit::build(&mut sink, &start)).send().unwrap();
        same(PointIndex::new().parse(&sink.body).unwrap(), &model.finish());
    }

    #[test]
    fn a_point_without_edits_is_the_same_bytes(records in records()) {
        let (bytes, mut sink) = (concat(&records), Sink::default());
        let base = point(bytes.clone());
        PointEdit::new(&mut sink, base.as_point()).send().unwrap();
        prop_assert_eq!(&sink.body, &bytes);
        let mut passed_on = Vec::new();
        udf_proto::response::append_point(base.as_point(), &mut passed_on);
        prop_assert_eq!(&sink.frame, &passed_on);
    }

    #[test]
    fn frames_of_edited_points_are_responses(records in records(), edits in vec(edit(), 0..4)) {
        let (base, mut sink) = (point(concat(&records)), Sink::default());
        apply(&edits, PointEdit::new(&mut sink, base.as_point())).send().unwrap();
        let mut reader = udf_proto::frame::FrameReader::new(&sink.frame[..]);
        let frame = reader.next_frame().unwrap().unwrap();
        let Some(response::Message::Point(message)) = udf_proto::response::decode(frame).unwrap()
        else {
            panic!("the message is not a point");
        };
        same(PointIndex::new().parse(&sink.body).unwrap(), &message);
        prop_assert!(reader.next_frame().unwrap().is_none());
    }

    #[test]
    fn points_that_are_kept_stay_as_they_were(points in vec(records(), 0..5)) {
        let points = points.iter().map(|records| concat(records)).collect::<Vec<_>>();
        let (mut kept, mut index) = (Points::new(), PointIndex::new());
        for round in 0..2 {
            prop_assert!(kept.is_empty(), "round {}", round);
            let mut owned = Vec::new();
            for bytes in &points {
                let point = index.parse(bytes).unwrap();
                kept.push(&point);
                owned.push(point.to_buf());
            }
            prop_assert_eq!(kept.len(), points.len());
            prop_assert_eq!(kept.iter().len(), points.len());
            prop_assert!(kept.get(points.len()).is_none());
            for (at, bytes) in points.iter().enumerate() {
                let message = messages::Point::decode(&bytes[..]).unwrap();
                for point in [kept.get(at).unwrap(), owned[at].as_point()] {
                    prop_assert_eq!(point.as_bytes(), &bytes[..]);
                    same(point, &message);
                }
            }
            let backwards = kept.iter().rev().map(|point| point.as_bytes());
            prop_assert!(backwards.eq(points.iter().rev().map(|bytes| &bytes[..])));
            kept.clear();
        }
    }
}

type Editing<'a> = PointEdit<'a, 'a, Sink>;

/// Returns an edited point with the tags `host` and `cpu` and the fields `a` = 1 and `b` = 2.5.
fn edited(edits: impl for<'a> FnOnce(Editing<'a>) -> Editing<'a>) -> PointBuf {
    let mut message = messages::Point { name: "m".into(), ..Default::default() };
    message.tags.extend([("host", "h"), ("cpu", "c")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    message.fields_int.insert("a".into(), 1);
    message.fields_double.insert("b".into(), 2.5);
    let (base, mut sink) = (PointBuf::from(message), Sink::default());
    let Ok(()) = edits(PointEdit::new(&mut sink, base.as_point())).send();
    point(sink.body)
}

fn fields(point: &PointBuf) -> Vec<(&str, FieldValue<'_>)> {
    point.as_point().fields().collect()
}

#[test]
fn a_field_replaces_one_of_another_type() {
    let point = edited(|point| point.field("a", 0.5).field("b", "text").field("b", true));
    assert_eq!(fields(&point), [("a", FieldValue::Float(0.5)), ("b", FieldValue::Bool(true))]);
}

#[test]
fn keeping_some_respects_what_was_edited_before() {
    let point = edited(|point| point.field("c", 7).field("a", 8).keep_fields(&["a", "c"]));
    assert_eq!(fields(&point), [("c", FieldValue::Int(7)), ("a", FieldValue::Int(8))]);
    let point = edited(|point| point.remove_field("a").keep_fields(&["a", "b"]));
    assert_eq!(fields(&point), [("b", FieldValue::Float(2.5))]);
    let point = edited(|point| point.clear_fields().keep_fields(&["a", "b"]));
    assert_eq!(fields(&point), []);
    let point = edited(|point| point.keep_fields(&["a", "a"]).keep_fields(&["a", "b"]));
    assert_eq!(fields(&point), [("a", FieldValue::Int(1))]);
    let point =
        edited(|point| point.tag("rack", "r").remove_tag("cpu").keep_tags(&["rack", "cpu"]));
    assert_eq!(point.as_point().tags().collect::<Vec<_>>(), [("rack", "r")]);
}

#[test]
fn values_come_from_the_types_of_rust() {
    let point = edited(|point| {
        let point = point.clear_fields().field("f64", 0.1f64).field("f32", 0.5f32);
        let point = point.field("i64", i64::MIN).field("i32", -1i32).field("u32", u32::MAX);
        point.field("bool", false).field("str", "s").field("string", &"t".to_owned())
    });
    assert_eq!(
        fields(&point),
        [
            ("f64", FieldValue::Float(0.1)),
            ("f32", FieldValue::Float(0.5)),
            ("i64", FieldValue::Int(i64::MIN)),
            ("i32", FieldValue::Int(-1)),
            ("u32", FieldValue::Int(u32::MAX.into())),
            ("bool", FieldValue::Bool(false)),
            ("str", FieldValue::String("s")),
            ("string", FieldValue::String("t")),
        ]
    );
}

#[test]
fn a_value_that_is_none_changes_nothing() {
    let point =
        edited(|point| point.field("a", None::<f64>).field("b", Some(7)).field("c", None::<&str>));
    assert_eq!(fields(&point), [("a", FieldValue::Int(1)), ("b", FieldValue::Int(7))]);
    let point = edited(|point| point.only_field("a", None::<bool>));
    assert_eq!(fields(&point), []);
}

#[test]
fn tags_and_dimensions_come_from_lists_and_maps() {
    let more = BTreeMap::from([("cpu".to_owned(), "new".to_owned())]);
    let point = edited(|point| point.tags([("rack", "r")]).tags(&more).dimensions(more.keys()));
    let point = point.as_point();
    let tags = [("host", "h"), ("rack", "r"), ("cpu", "new")];
    assert_eq!(point.tags().collect::<Vec<_>>(), tags);
    assert_eq!(point.dimensions().collect::<Vec<_>>(), ["cpu"]);
    let copied = edited(|edit| edit.clear_dimensions().dimensions(point.dimensions()));
    assert_eq!(copied.as_point().dimensions().collect::<Vec<_>>(), ["cpu"]);
}

#[test]
fn a_required_tag_is_there_or_an_error() {
    let point = edited(|point| point);
    assert_eq!(point.as_point().require_tag("host"), Ok("h"));
    let error = point.as_point().require_tag("rack").expect_err("it has no rack");
    assert_eq!(error.to_string(), "a point of `m` has no tag `rack`");
}
