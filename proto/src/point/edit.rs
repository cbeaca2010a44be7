//! Points that are changed, or built anew, on their way out.
//!
//! What does not change is copied as it came, unknown members included, in runs as long as
//! possible; only what changes is encoded.

use std::ops::Range;

use super::index::{Record, Records};
use super::{FieldValue, Point, Span};
use crate::wire::{key, put_varint, varint_len};

/// Where an edited point goes when it is sent.
pub trait PointSink {
    /// What can go wrong when it is.
    type Error;

    /// Holds the changes while a point is edited; its room is reused from edit to edit.
    fn scratch(&mut self) -> &mut EditScratch;

    /// Takes `base` with the changes in [`scratch`](Self::scratch).
    ///
    /// # Errors
    /// Those of the sink.
    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Self::Error>;
}

/// A struct whose members become the fields of a point.
#[diagnostic::on_unimplemented(
    message = "the members of `{Self}` are no fields of a point",
    label = "not a set of fields",
    note = "write `#[derive(Fields)]` on it"
)]
pub trait FieldSet {
    /// Sets each field.
    fn put(&self, fields: &mut FieldWriter<'_>);
}

/// Takes the fields of a [`FieldSet`], for the point that is being edited.
#[derive(Debug)]
pub struct FieldWriter<'s> {
    scratch: &'s mut EditScratch,
}

impl FieldWriter<'_> {
    /// Sets a field, in the place of any that has this name.
    pub fn field<'v>(&mut self, name: &str, value: impl Into<FieldValue<'v>>) {
        self.scratch.set(Class::Field, name, value.into());
    }
}

/// A point that is being changed or built; nothing happens before [`send`](Self::send).
///
/// The name of a field is unique among fields, whatever its type: setting `a` to an integer replaces
/// a float `a`.
#[must_use = "an edited point goes nowhere before `send` is called"]
pub struct PointEdit<'s, 'p, S: PointSink> {
    sink: &'s mut S,
    base: Option<Point<'p>>,
}

impl<'s, 'p, S: PointSink> PointEdit<'s, 'p, S> {
    /// Starts from `base`, all of which is kept unless it is changed.
    pub fn new(sink: &'s mut S, base: Point<'p>) -> Self {
        sink.scratch().clear();
        PointEdit { sink, base: Some(base) }
    }

    /// Starts from nothing but the name of the measurement.
    ///
    /// Kapacitor computes the group of a returned point from its tags and dimensions: without
    /// [`dimension`](Self::dimension), it is in no group.
    pub fn build(sink: &'s mut S, name: &str) -> Self {
        PointEdit::empty(sink).name(name)
    }

    /// Starts from nothing at all, for a point within a batch, which has the name.
    pub fn empty(sink: &'s mut S) -> Self {
        sink.scratch().clear();
        PointEdit { sink, base: None }
    }

    /// Sets the time, in nanoseconds since the epoch.
    pub fn time(self, nanos: i64) -> Self {
        let scratch = self.sink.scratch();
        scratch.dropped |= 1 << 1;
        scratch.records.push(key(1, 0));
        put_varint(nanos as u64, &mut scratch.records);
        self
    }

    /// Sets the name of the measurement.
    pub fn name(self, name: &str) -> Self {
        self.text(2, name)
    }

    /// Sets the database.
    pub fn database(self, database: &str) -> Self {
        self.text(3, database)
    }

    /// Sets the retention policy.
    pub fn retention_policy(self, policy: &str) -> Self {
        self.text(4, policy)
    }

    /// Groups the point by one more tag.
    pub fn dimension(self, tag: &str) -> Self {
        self.sink.scratch().add_dimension(tag);
        self
    }

    /// Removes all dimensions, also those that were added before: the point is not grouped by tags.
    pub fn clear_dimensions(self) -> Self {
        self.clear(Class::Dimension)
    }

    /// Groups the point by the name of its measurement, or not.
    pub fn by_name(self, by_name: bool) -> Self {
        let scratch = self.sink.scratch();
        scratch.dropped |= 1 << 11;
        scratch.records.extend([key(11, 0), by_name.into()]);
        self
    }

    /// Sets a field, in the place of any that has this name.
    pub fn field<'v>(self, name: &str, value: impl Into<FieldValue<'v>>) -> Self {
        self.sink.scratch().set(Class::Field, name, value.into());
        self
    }

    /// Sets all fields of a struct, each in the place of any that has its name.
    pub fn fields(self, fields: &impl FieldSet) -> Self {
        fields.put(&mut FieldWriter { scratch: self.sink.scratch() });
        self
    }

    /// Sets a field, and removes all others.
    pub fn only_field<'v>(self, name: &str, value: impl Into<FieldValue<'v>>) -> Self {
        self.clear_fields().field(name, value)
    }

    /// Removes the field `name`, if there is one.
    pub fn remove_field(self, name: &str) -> Self {
        self.sink.scratch().forget(Class::Field, name);
        self
    }

    /// Removes all fields, also those that were set before.
    pub fn clear_fields(self) -> Self {
        self.clear(Class::Field)
    }

    /// Removes all fields but those named.
    pub fn keep_fields(self, names: &[&str]) -> Self {
        let base = self.base;
        self.keep(Class::Field, names, |name| base?.field(name))
    }

    /// Sets a tag, in the place of any that has this name.
    pub fn tag(self, name: &str, value: &str) -> Self {
        self.sink.scratch().set(Class::Tag, name, FieldValue::String(value));
        self
    }

    /// Removes the tag `name`, if there is one.
    ///
    /// Without a tag that it is grouped by, Kapacitor puts the point into another group.
    pub fn remove_tag(self, name: &str) -> Self {
        self.sink.scratch().forget(Class::Tag, name);
        self
    }

    /// Removes all tags but those named.
    pub fn keep_tags(self, names: &[&str]) -> Self {
        let base = self.base;
        self.keep(Class::Tag, names, |name| base?.tag(name).map(FieldValue::String))
    }

    /// Sends the point on.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn send(self) -> Result<(), S::Error> {
        self.sink.accept(self.base)
    }

    fn text(self, member: u32, text: &str) -> Self {
        let scratch = self.sink.scratch();
        scratch.dropped |= 1 << member;
        scratch.put_text(member, text);
        self
    }

    fn clear(self, class: Class) -> Self {
        let scratch = self.sink.scratch();
        scratch.dropped |= class.members();
        scratch.unset_all_but(class, &[]);
        self
    }

    fn keep<'v>(
        self,
        class: Class,
        names: &[&str],
        of_base: impl Fn(&str) -> Option<FieldValue<'v>>,
    ) -> Self {
        let scratch = self.sink.scratch();
        scratch.unset_all_but(class, names);
        // What was cleared before does not come back, nor does what was set or removed by name.
        let cleared = scratch.dropped & class.members() != 0;
        scratch.dropped |= class.members();
        for name in names {
            if !cleared
                && scratch.position(class, name.as_bytes()).is_none()
                && let Some(value) = of_base(name)
            {
                scratch.set(class, name, value);
            }
        }
        self
    }
}

/// What has a name of its own among others of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Dimension,
    Tag,
    Field,
}

impl Class {
    /// The members that hold it, as bits by their number.
    const fn members(self) -> u32 {
        match self {
            Class::Dimension => 1 << 6,
            Class::Tag => 1 << 7,
            Class::Field => 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12,
        }
    }

    fn of(member: u32) -> Option<Self> {
        match member {
            6 => Some(Class::Dimension),
            7 => Some(Class::Tag),
            8..=10 | 12 => Some(Class::Field),
            _ => None,
        }
    }
}

/// A tag or field that is set or removed, so that the base's one is dropped; or a new dimension.
#[derive(Debug)]
struct Change {
    class: Class,
    /// The name, in `names`.
    name: Range<usize>,
    /// The record that sets it, in `records`; empty when it is removed.
    record: Range<usize>,
}

/// The changes of one edit, and what of its base is kept.
#[derive(Debug, Default)]
pub struct EditScratch {
    /// Members of the base that are dropped as a whole, as bits by their number.
    dropped: u32,
    changes: Vec<Change>,
    names: Vec<u8>,
    /// The new records, encoded.
    records: Vec<u8>,
    /// The runs of the base that are kept.
    runs: Vec<Span>,
}

impl EditScratch {
    fn clear(&mut self) {
        self.dropped = 0;
        self.changes.clear();
        self.names.clear();
        self.records.clear();
    }

    /// Settles what is kept of `base`, and returns the length of the result in bytes.
    pub fn plan(&mut self, base: Option<Point<'_>>) -> usize {
        self.runs.clear();
        if let Some(base) = base {
            let mut entries = base.entries.iter();
            // They were indexed, so nothing is wrong with them.
            for Record { member, whole: record, .. } in Records::new(base.bytes).flatten() {
                let class = Class::of(member);
                // Every dimension and every entry of a map has its entry, in the same order.
                let entry = class.and_then(|_| entries.next());
                let dropped = member < 32 && self.dropped >> member & 1 == 1
                    || class.zip(entry).is_some_and(|(class, entry)| {
                        class != Class::Dimension
                            && self.position(class, base.raw(entry.name())).is_some()
                    });
                if dropped {
                    continue;
                }
                match self.runs.last_mut() {
                    Some(run) if run.end() == record.start() => run.length += record.length,
                    _ => self.runs.push(record),
                }
            }
        }
        self.runs.iter().map(|run| run.length as usize).sum::<usize>() + self.records.len()
    }

    /// Appends the result that was planned for `base`.
    pub fn write(&self, base: Option<Point<'_>>, out: &mut Vec<u8>) {
        if let Some(base) = base {
            for run in &self.runs {
                out.extend_from_slice(base.raw(*run));
            }
        }
        out.extend_from_slice(&self.records);
    }

    fn position(&self, class: Class, name: &[u8]) -> Option<usize> {
        self.changes.iter().position(|change| {
            change.class == class
                && change.name.len() == name.len()
                && self.names[change.name.clone()] == *name
        })
    }

    /// Drops what the base and earlier changes have under this name, and returns the new change.
    fn forget(&mut self, class: Class, name: &str) -> usize {
        if let Some(at) = self.position(class, name.as_bytes()) {
            self.unset(at);
            return at;
        }
        let start = self.names.len();
        self.names.extend_from_slice(name.as_bytes());
        self.changes.push(Change { class, name: start..self.names.len(), record: 0..0 });
        self.changes.len() - 1
    }

    /// Takes back the record that a change has added.
    fn unset(&mut self, at: usize) {
        let record = std::mem::take(&mut self.changes[at].record);
        if record.is_empty() {
            return;
        }
        for change in &mut self.changes {
            if change.record.start > record.start {
                change.record.start -= record.len();
                change.record.end -= record.len();
            }
        }
        self.records.drain(record);
    }

    fn unset_all_but(&mut self, class: Class, names: &[&str]) {
        for at in 0..self.changes.len() {
            let Change { class: other, name, .. } = &self.changes[at];
            let name = &self.names[name.clone()];
            if *other == class && !names.iter().any(|kept| kept.as_bytes() == name) {
                self.unset(at);
            }
        }
    }

    fn put_text(&mut self, member: u32, text: &str) {
        self.records.push(key(member, 2));
        put_varint(text.len() as u64, &mut self.records);
        self.records.extend_from_slice(text.as_bytes());
    }

    fn add_dimension(&mut self, tag: &str) {
        let start = self.records.len();
        self.put_text(6, tag);
        let record = start..self.records.len();
        self.changes.push(Change { class: Class::Dimension, name: 0..0, record });
    }

    /// Sets a tag, whose value is text, or a field.
    fn set(&mut self, class: Class, name: &str, value: FieldValue<'_>) {
        let member = match (class, value) {
            (Class::Tag, _) => 7,
            (_, FieldValue::Float(_)) => 8,
            (_, FieldValue::Int(_)) => 9,
            (_, FieldValue::String(_)) => 10,
            (_, FieldValue::Bool(_)) => 12,
        };
        let change = self.forget(class, name);
        self.put_entry(change, member, name, value);
    }

    fn put_entry(&mut self, change: usize, member: u32, name: &str, value: FieldValue<'_>) {
        let start = self.records.len();
        let value_length = match value {
            FieldValue::Float(_) => 8,
            FieldValue::Int(value) => varint_len(value as u64),
            FieldValue::String(text) => varint_len(text.len() as u64) + text.len(),
            FieldValue::Bool(_) => 1,
        };
        let length = 2 + varint_len(name.len() as u64) + name.len() + value_length;
        self.records.push(key(member, 2));
        put_varint(length as u64, &mut self.records);
        self.put_text(1, name);
        match value {
            FieldValue::Float(value) => {
                self.records.push(key(2, 1));
                self.records.extend_from_slice(&value.to_le_bytes());
            }
            FieldValue::Int(value) => {
                self.records.push(key(2, 0));
                put_varint(value as u64, &mut self.records);
            }
            FieldValue::String(text) => self.put_text(2, text),
            FieldValue::Bool(value) => self.records.extend([key(2, 0), value.into()]),
        }
        self.changes[change].record = start..self.records.len();
    }
}

impl From<f64> for FieldValue<'_> {
    fn from(value: f64) -> Self {
        FieldValue::Float(value)
    }
}

impl From<f32> for FieldValue<'_> {
    fn from(value: f32) -> Self {
        FieldValue::Float(value.into())
    }
}

impl From<i64> for FieldValue<'_> {
    fn from(value: i64) -> Self {
        FieldValue::Int(value)
    }
}

impl From<i32> for FieldValue<'_> {
    fn from(value: i32) -> Self {
        FieldValue::Int(value.into())
    }
}

impl From<u32> for FieldValue<'_> {
    fn from(value: u32) -> Self {
        FieldValue::Int(value.into())
    }
}

impl From<bool> for FieldValue<'_> {
    fn from(value: bool) -> Self {
        FieldValue::Bool(value)
    }
}

impl<'v> From<&'v str> for FieldValue<'v> {
    fn from(text: &'v str) -> Self {
        FieldValue::String(text)
    }
}

impl<'v> From<&'v String> for FieldValue<'v> {
    fn from(text: &'v String) -> Self {
        FieldValue::String(text)
    }
}
