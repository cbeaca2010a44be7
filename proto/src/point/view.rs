//! The borrowed view of a point, and iterators over its parts.

use std::fmt;

use super::live::Live;
use super::{Entry, FieldError, Head, Kind, Span};

/// A received point, borrowed from the buffer of the reader.
///
/// The view is small and `Copy`. Reading it allocates nothing, with one exception: iterating over
/// the tags or the fields of a point allocates a table of their names, if there are more than 128
/// of them, or if a point with more than 64 entries repeats a name. A point within a batch contains only a time, a group, tags and fields, and has the name of the
/// batch. Its other members are empty.
#[derive(Clone, Copy)]
pub struct Point<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) head: &'a Head,
    pub(super) entries: &'a [Entry],
    /// The name of the batch. Empty outside of a batch.
    pub(super) batch: &'a str,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// A float.
    Float(f64),
    /// An integer.
    Int(i64),
    /// Text.
    String(&'a str),
    /// A boolean.
    Bool(bool),
}

impl FieldValue<'_> {
    /// Returns a float or an integer as a number. Returns none for other types.
    ///
    /// Integers of more than 53 bits are rounded to the nearest float.
    pub fn number(self) -> Option<f64> {
        match self {
            FieldValue::Float(value) => Some(value),
            FieldValue::Int(value) => Some(value as f64),
            FieldValue::String(_) | FieldValue::Bool(_) => None,
        }
    }
}

impl<'a> Point<'a> {
    /// Returns the time, in nanoseconds since the epoch.
    pub fn time(self) -> i64 {
        self.head.time
    }

    /// Returns whether the encoded point contains no name, as within a batch.
    #[inline]
    fn is_nameless(self) -> bool {
        self.head.texts[0].length == 0
    }

    /// Returns the name of the measurement. Within a batch, returns the name of the batch.
    pub fn name(self) -> &'a str {
        if self.is_nameless() { self.batch } else { self.text(self.head.texts[0]) }
    }

    /// Returns the name of the batch, if the encoded point contains no name.
    #[inline]
    pub fn batch_name(self) -> Option<&'a str> {
        (self.is_nameless() && !self.batch.is_empty()).then_some(self.batch)
    }

    /// Returns the database of the point.
    pub fn database(self) -> &'a str {
        self.text(self.head.texts[1])
    }

    /// Returns the retention policy of the point.
    pub fn retention_policy(self) -> &'a str {
        self.text(self.head.texts[2])
    }

    /// Returns the group. Empty without grouping, else `tag=value,tag=value` in the order of the
    /// dimensions. If points are grouped by name, the measurement and a line break come first.
    pub fn group(self) -> &'a str {
        self.text(self.head.texts[3])
    }

    /// Returns whether the name of the measurement is part of the group.
    pub fn by_name(self) -> bool {
        self.head.by_name
    }

    /// Returns the names of the tags that the point is grouped by, in order.
    pub fn dimensions(self) -> Dimensions<'a> {
        Dimensions { point: self, entries: self.entries.iter() }
    }

    /// Returns the value of the tag `name`.
    pub fn tag(self, name: &str) -> Option<&'a str> {
        let entry = self.find(Kind::Tag, name)?;
        Some(self.text(Span::unpack(entry.value)))
    }

    /// Returns the value of the tag `name`, which must be present.
    ///
    /// # Errors
    /// If the tag is missing. The error counts as that of a missing field.
    pub fn require_tag(self, name: &str) -> Result<&'a str, FieldError> {
        self.tag(name).ok_or_else(|| self.no_tag(name))
    }

    /// Returns the tags, in the order of the wire.
    pub fn tags(self) -> Tags<'a> {
        Tags { point: self, live: Live::new(self) }
    }

    /// Returns the tags as [`tags`](Self::tags) does, without the cost of another UTF-8 check.
    pub fn tag_bytes(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let bytes =
            move |entry: &Entry| (self.raw(entry.name()), self.raw(Span::unpack(entry.value)));
        self.tags().live.map(bytes)
    }

    /// Returns the field `name` of any type.
    ///
    /// Protobuf treats a name in the maps of two types as two fields. This method returns the last
    /// one on the wire.
    pub fn field(self, name: &str) -> Option<FieldValue<'a>> {
        let entry = self.entries.iter().rev().find(|entry| {
            entry.is_field()
                && entry.name().length as usize == name.len()
                && self.raw(entry.name()) == name.as_bytes()
        })?;
        Some(self.value(entry))
    }

    /// Returns the fields, in the order of the wire.
    pub fn fields(self) -> Fields<'a> {
        Fields { point: self, live: Live::new(self) }
    }

    /// Returns the fields as [`fields`](Self::fields) does, without another UTF-8 check of the names.
    pub fn field_bytes(self) -> impl Iterator<Item = (&'a [u8], FieldValue<'a>)> {
        self.fields().live.map(move |entry| (self.raw(entry.name()), self.value(entry)))
    }

    /// Returns the field `name` as a number. Accepts floats and integers.
    ///
    /// # Errors
    /// If the field is missing, text or a boolean.
    pub fn number(self, name: &str) -> Result<f64, FieldError> {
        self.typed(name, "a number", FieldValue::number)
    }

    /// Returns the field `name`, which must be a float.
    ///
    /// # Errors
    /// If the field is missing or has another type. In Kapacitor, a series may switch between float
    /// and integer from point to point. [`number`](Self::number) accepts both.
    pub fn float(self, name: &str) -> Result<f64, FieldError> {
        self.typed(name, "a float", |value| match value {
            FieldValue::Float(value) => Some(value),
            _ => None,
        })
    }

    /// Returns the field `name`, which must be an integer.
    ///
    /// # Errors
    /// If the field is missing or has another type.
    pub fn int(self, name: &str) -> Result<i64, FieldError> {
        self.typed(name, "an integer", |value| match value {
            FieldValue::Int(value) => Some(value),
            _ => None,
        })
    }

    /// Returns the field `name`, which must be text.
    ///
    /// # Errors
    /// If the field is missing or has another type.
    pub fn string(self, name: &str) -> Result<&'a str, FieldError> {
        self.typed(name, "text", |value| match value {
            FieldValue::String(text) => Some(text),
            _ => None,
        })
    }

    /// Returns the field `name`, which must be a boolean.
    ///
    /// # Errors
    /// If the field is missing or has another type.
    pub fn bool(self, name: &str) -> Result<bool, FieldError> {
        self.typed(name, "a boolean", |value| match value {
            FieldValue::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// Returns the encoded Point message without its length. Within a batch, the message contains
    /// no name.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    fn typed<T>(
        self,
        name: &str,
        expected: &'static str,
        get: impl FnOnce(FieldValue<'a>) -> Option<T>,
    ) -> Result<T, FieldError> {
        let found = self.field(name);
        found.and_then(get).ok_or_else(|| self.no_field(name, expected))
    }

    /// Returns the error for a field `name` that is missing or has another type. The text of the
    /// error puts `expected` after "that is text, not".
    #[cold]
    pub fn no_field(self, name: &str, expected: &'static str) -> FieldError {
        FieldError {
            field: name.to_owned(),
            is_tag: false,
            measurement: self.name().to_owned(),
            group: self.group().to_owned(),
            expected,
            found: self.field(name).map(FieldValue::type_text),
        }
    }

    /// Returns the error for a missing tag `name`.
    #[cold]
    pub fn no_tag(self, name: &str) -> FieldError {
        FieldError {
            field: name.to_owned(),
            is_tag: true,
            measurement: self.name().to_owned(),
            group: self.group().to_owned(),
            expected: "text",
            found: None,
        }
    }

    #[inline]
    fn find(self, kind: Kind, name: &str) -> Option<&'a Entry> {
        let wanted = u64::from((kind as u32) << super::LENGTH_BITS) + name.len() as u64;
        // From the end: if a name occurs several times, the last entry wins.
        self.entries.iter().rev().find(|entry| {
            u64::from(entry.kind_and_length) == wanted && self.raw(entry.name()) == name.as_bytes()
        })
    }

    /// Returns whether an entry has this name and one of the wanted kinds.
    #[inline]
    pub(super) fn has(self, name: &[u8], wanted: impl Fn(Kind) -> bool) -> bool {
        self.entries.iter().any(|entry| {
            entry.name().length as usize == name.len()
                && wanted(entry.kind())
                && self.raw(entry.name()) == name
        })
    }

    pub(super) fn value(self, entry: &Entry) -> FieldValue<'a> {
        match entry.kind() {
            Kind::Float => FieldValue::Float(f64::from_bits(entry.value)),
            Kind::Int => FieldValue::Int(entry.value as i64),
            Kind::Bool => FieldValue::Bool(entry.value != 0),
            Kind::String | Kind::Tag | Kind::Dimension => {
                FieldValue::String(self.text(Span::unpack(entry.value)))
            }
        }
    }

    #[inline]
    pub(super) fn raw(self, span: Span) -> &'a [u8] {
        &self.bytes[span.start()..span.end()]
    }

    #[inline]
    fn text(self, span: Span) -> &'a str {
        std::str::from_utf8(self.raw(span)).expect("text was checked when the point was indexed")
    }
}

impl fmt::Debug for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Point")
            .field("time", &self.time())
            .field("name", &self.name())
            .field("database", &self.database())
            .field("retention_policy", &self.retention_policy())
            .field("group", &self.group())
            .field("dimensions", &self.dimensions().collect::<Vec<_>>())
            .field("by_name", &self.by_name())
            .field("tags", &self.tags().collect::<Vec<_>>())
            .field("fields", &self.fields().collect::<Vec<_>>())
            .finish()
    }
}

/// Iterator over the names of the tags that a point is grouped by. See [`Point::dimensions`].
#[derive(Debug, Clone)]
pub struct Dimensions<'a> {
    point: Point<'a>,
    entries: std::slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Dimensions<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let entry = self.entries.find(|entry| entry.kind() == Kind::Dimension)?;
        Some(self.point.text(entry.name()))
    }
}

/// Iterator over the names and values of tags. See [`Point::tags`].
#[derive(Debug, Clone)]
pub struct Tags<'a> {
    point: Point<'a>,
    live: Live<'a, false>,
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.live.next()?;
        Some((self.point.text(entry.name()), self.point.text(Span::unpack(entry.value))))
    }
}

/// Iterator over the names and values of fields. See [`Point::fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    point: Point<'a>,
    live: Live<'a, true>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, FieldValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.live.next()?;
        Some((self.point.text(entry.name()), self.point.value(entry)))
    }
}
