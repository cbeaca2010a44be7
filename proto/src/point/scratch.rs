//! The changes of an edit, and the parts of the edited point that remain.

use std::ops::Range;

use super::cursor::{Record, Records};
use super::{FieldValue, Kind, Point, Region, Span, Unfit, UnfitReason};
use crate::wire::{key, put_varint, varint_len};

/// Buffers with more room shrink before the next edit. Each limit is about 64 KiB.
const KEPT_CHANGES: usize = 1024;
const KEPT_BYTES: usize = 64 << 10;

/// The numbers of the members `time` and `name`.
const TIME: u32 = 1;
const NAME: u32 = 2;

/// A kind of named part. Names are unique within a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Dimension,
    Tag,
    Field,
}

impl Class {
    /// Returns the members that contain the class, as bits by their number.
    pub(super) const fn members(self) -> u32 {
        match self {
            Class::Dimension => 1 << 6,
            Class::Tag => 1 << 7,
            Class::Field => 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12,
        }
    }

    /// Returns whether the class is not among the dropped members.
    pub(super) fn is_kept(self, dropped: u32) -> bool {
        self.members() & dropped == 0
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

/// A tag or field that is set or removed, or a new dimension. It replaces the part of the base with
/// the same name.
#[derive(Debug)]
struct Change {
    class: Class,
    /// The name, in `names`.
    name: Range<usize>,
    /// The new record, in `records`. Empty if the part is removed.
    record: Range<usize>,
    /// Whether the change sets a field or tag without a name, or a float that is NaN or infinite.
    is_unfit: bool,
}

/// The changes of one edit, and the parts of the base that remain.
#[derive(Debug, Default)]
pub struct EditScratch {
    /// The members of the base that are dropped completely, as bits by their number.
    pub(super) dropped: u32,
    /// Whether the edit has set a name that is not empty.
    is_named: bool,
    changes: Vec<Change>,
    names: Vec<u8>,
    /// The new records, encoded.
    pub(super) records: Vec<u8>,
    /// The runs of the base that remain.
    runs: Vec<Span>,
}

impl EditScratch {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.dropped = 0;
        self.is_named = false;
        self.changes.clear();
        self.names.clear();
        self.records.clear();
        // Frees the memory that one very large point needed.
        self.changes.shrink_to(KEPT_CHANGES);
        self.runs.shrink_to(KEPT_CHANGES);
        self.names.shrink_to(KEPT_BYTES);
        self.records.shrink_to(KEPT_BYTES);
    }

    /// Plans which parts of `base` remain. Returns the length of the result in bytes.
    ///
    /// [`write`](Self::write) uses the plan, so call this method first, with the same `base`.
    #[inline]
    pub fn plan(&mut self, base: Option<Point<'_>>) -> usize {
        self.runs.clear();
        if let Some(base) = base {
            self.plan_runs(base);
        }
        self.runs.iter().map(|run| run.length as usize).sum::<usize>() + self.records.len()
    }

    #[inline]
    fn plan_runs(&mut self, base: Point<'_>) {
        let Region { start, end, apart } = base.head.fields;
        let (start, end, length) = (start as usize, end as usize, base.bytes.len());
        // Fast paths without parsing: all of the base remains, or all but adjacent fields.
        let only_fields_dropped = self.dropped == Class::Field.members() && !apart;
        if self.changes_entry_of(base) || self.dropped != 0 && !only_fields_dropped {
            self.plan_by_records(base);
        } else if only_fields_dropped {
            self.runs.push(Span::new(0, start));
            if end < length {
                self.runs.push(Span::new(end, length - end));
            }
        } else {
            self.runs.push(Span::new(0, length));
        }
    }

    /// Returns whether a change by name affects an entry of the base that is not dropped anyway.
    fn changes_entry_of(&self, base: Point<'_>) -> bool {
        let mut changes = self.changes.iter().filter(|change| change.class.is_kept(self.dropped));
        changes.any(|change| match change.class {
            Class::Dimension => false,
            Class::Tag => base.has(&self.names[change.name.clone()], |kind| kind == Kind::Tag),
            Class::Field => base.has(&self.names[change.name.clone()], Kind::is_field),
        })
    }

    fn plan_by_records(&mut self, base: Point<'_>) {
        let mut entries = base.entries.iter();
        // The index of the base has validated these records, so that none is malformed.
        for Record { member, whole: record, .. } in Records::new(base.bytes).flatten() {
            let class = Class::of(member);
            // Every dimension, tag and field has one entry, in the order of the records.
            let entry = class.and_then(|_| entries.next());
            // `dropped` has 32 bits. Members with higher numbers are unknown, and remain.
            let dropped = member < 32 && self.drops(member)
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

    /// Sets the name of the batch of `base`, if the result would have no name.
    #[inline]
    pub fn name_after_batch(&mut self, base: Option<Point<'_>>) {
        if let Some(name) = base.and_then(Point::batch_name)
            && !self.is_named
        {
            self.set_text(NAME, name);
        }
    }

    /// Returns whether the edit has set a time.
    #[inline]
    pub fn has_time(&self) -> bool {
        self.drops(TIME)
    }

    /// Sets the time, in nanoseconds since the epoch.
    pub fn set_time(&mut self, nanos: i64) {
        self.dropped |= 1 << TIME;
        self.records.push(key(TIME, 0));
        put_varint(nanos as u64, &mut self.records);
    }

    /// Returns why Kapacitor could not store the result for `base`. Reports only reasons that the
    /// changes cause. Within a batch, `batch` is its name, and the point needs none.
    #[inline]
    pub fn unfit(&self, base: Option<Point<'_>>, batch: Option<&str>) -> Option<Unfit> {
        let is_set = |change: &Change| change.class == Class::Field && !change.record.is_empty();
        let lacks_name = batch.is_none() && !self.is_named && (base.is_none() || self.drops(NAME));
        let is_fit = !lacks_name
            && !self.changes.iter().any(|change| change.is_unfit)
            && (self.changes.iter().any(is_set) || self.keeps_field_of(base));
        if is_fit { None } else { Some(self.why_unfit(base, batch, lacks_name)) }
    }

    #[cold]
    fn why_unfit(&self, base: Option<Point<'_>>, batch: Option<&str>, lacks_name: bool) -> Unfit {
        let unfit = self.changes.iter().find(|change| change.is_unfit);
        let reason = match unfit {
            _ if lacks_name => UnfitReason::NoName,
            Some(Change { class: Class::Tag, .. }) => UnfitReason::NoTagName,
            Some(Change { name, .. }) if name.is_empty() => UnfitReason::NoFieldName,
            Some(Change { name, record, .. }) => {
                let name = String::from_utf8_lossy(&self.names[name.clone()]).into_owned();
                // The record of a float ends with its value.
                let value = self.records[record.clone()].last_chunk().copied();
                let is_nan = value.is_some_and(|value| f64::from_le_bytes(value).is_nan());
                if is_nan { UnfitReason::NaN(name) } else { UnfitReason::Infinite(name) }
            }
            None => UnfitReason::NoField,
        };
        let measurement = match self.name() {
            Some(name) => name,
            None => batch.unwrap_or_else(|| base.map_or("", Point::name)).to_owned(),
        };
        let group = base.map_or("", Point::group).to_owned();
        Unfit { measurement, group, reason }
    }

    /// Returns the name that the edit has set.
    fn name(&self) -> Option<String> {
        let names = Records::new(&self.records).flatten().filter(|record| record.member == NAME);
        let name = &self.records[names.last()?.body?.range()];
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Returns whether the edit drops a member of the base completely.
    fn drops(&self, member: u32) -> bool {
        self.dropped >> member & 1 == 1
    }

    fn keeps_field_of(&self, base: Option<Point<'_>>) -> bool {
        base.filter(|_| Class::Field.is_kept(self.dropped)).is_some_and(|base| {
            let mut fields = base.entries.iter().filter(|entry| entry.kind().is_field());
            fields.any(|field| self.position(Class::Field, base.raw(field.name())).is_none())
        })
    }

    /// Appends the planned result for `base`.
    #[inline]
    pub fn write(&self, base: Option<Point<'_>>, out: &mut Vec<u8>) {
        if let Some(base) = base {
            for run in &self.runs {
                out.extend_from_slice(base.raw(*run));
            }
        }
        out.extend_from_slice(&self.records);
    }

    pub(super) fn position(&self, class: Class, name: &[u8]) -> Option<usize> {
        self.changes.iter().position(|change| {
            change.class == class
                && change.name.len() == name.len()
                && self.names[change.name.clone()] == *name
        })
    }

    /// Drops the part of this name from the base and from earlier changes. Returns the place of the
    /// new change.
    #[inline]
    pub(super) fn forget(&mut self, class: Class, name: &str) -> usize {
        if let Some(at) = self.position(class, name.as_bytes()) {
            self.unset(at);
            return at;
        }
        let start = self.names.len();
        self.names.extend_from_slice(name.as_bytes());
        self.changes.push(Change {
            class,
            name: start..self.names.len(),
            record: 0..0,
            is_unfit: false,
        });
        self.changes.len() - 1
    }

    /// Removes the record of a change.
    fn unset(&mut self, at: usize) {
        self.changes[at].is_unfit = false;
        let record = std::mem::take(&mut self.changes[at].record);
        if record.is_empty() {
            return;
        }
        // The records behind the removed one move forward.
        for change in &mut self.changes {
            if change.record.start > record.start {
                change.record.start -= record.len();
                change.record.end -= record.len();
            }
        }
        self.records.drain(record);
    }

    pub(super) fn unset_all_but(&mut self, class: Class, names: &[&str]) {
        for at in 0..self.changes.len() {
            let Change { class: other, name, .. } = &self.changes[at];
            let name = &self.names[name.clone()];
            if *other == class && !names.iter().any(|kept| kept.as_bytes() == name) {
                self.unset(at);
            }
        }
    }

    /// Sets a text member.
    pub(super) fn set_text(&mut self, member: u32, text: &str) {
        self.dropped |= 1 << member;
        if member == NAME {
            self.is_named = !text.is_empty();
        }
        self.put_text(member, text);
    }

    fn put_text(&mut self, member: u32, text: &str) {
        self.records.push(key(member, 2));
        put_varint(text.len() as u64, &mut self.records);
        self.records.extend_from_slice(text.as_bytes());
    }

    pub(super) fn add_dimension(&mut self, tag: &str) {
        let start = self.records.len();
        self.put_text(6, tag);
        let record = start..self.records.len();
        self.changes.push(Change { class: Class::Dimension, name: 0..0, record, is_unfit: false });
    }

    /// Sets a tag or a field. The value of a tag is text.
    pub(super) fn set(&mut self, class: Class, name: &str, value: FieldValue<'_>) {
        let member = match (class, value) {
            (Class::Tag, _) => 7,
            (_, FieldValue::Float(_)) => 8,
            (_, FieldValue::Int(_)) => 9,
            (_, FieldValue::String(_)) => 10,
            (_, FieldValue::Bool(_)) => 12,
        };
        let change = self.forget(class, name);
        let is_finite = !matches!(value, FieldValue::Float(value) if !value.is_finite());
        self.changes[change].is_unfit = name.is_empty() || !is_finite;
        self.put_entry(change, member, name, value);
    }

    fn put_entry(&mut self, change: usize, member: u32, name: &str, value: FieldValue<'_>) {
        let records = &mut self.records;
        let start = records.len();
        let value_length = match value {
            FieldValue::Float(_) => 8,
            FieldValue::Int(value) => varint_len(value as u64),
            FieldValue::String(text) => varint_len(text.len() as u64) + text.len(),
            FieldValue::Bool(_) => 1,
        };
        let length = 2 + varint_len(name.len() as u64) + name.len() + value_length;
        if length < 0x80 {
            records.extend([key(member, 2), length as u8, key(1, 2), name.len() as u8]);
        } else {
            records.push(key(member, 2));
            put_varint(length as u64, records);
            records.push(key(1, 2));
            put_varint(name.len() as u64, records);
        }
        records.extend_from_slice(name.as_bytes());
        match value {
            FieldValue::Float(value) => {
                let mut encoded = [key(2, 1); 9];
                encoded[1..].copy_from_slice(&value.to_le_bytes());
                records.extend_from_slice(&encoded);
            }
            FieldValue::Int(value) => {
                records.push(key(2, 0));
                put_varint(value as u64, records);
            }
            FieldValue::String(text) => {
                records.push(key(2, 2));
                put_varint(text.len() as u64, records);
                records.extend_from_slice(text.as_bytes());
            }
            FieldValue::Bool(value) => records.extend([key(2, 0), value.into()]),
        }
        self.changes[change].record = start..records.len();
    }
}
