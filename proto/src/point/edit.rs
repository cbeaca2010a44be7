//! Points that are changed, or built anew, on their way out.
//!
//! What does not change is copied as it came, unknown members included, in runs as long as
//! possible; only what changes is encoded.

use super::scratch::{Class, EditScratch};
use super::{FieldValue, Point};
use crate::wire::key;

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

/// What a field of a point can be set to: all that is a [`FieldValue`] by `into`.
#[diagnostic::on_unimplemented(
    message = "a field of a point cannot be `{Self}`",
    label = "not a type that a field can have",
    note = "a field is f64, f32, i64, i32, u32, bool, `&str`, `&String` or `FieldValue`",
    note = "Kapacitor's integers have 64 bits with a sign: make usize and u64 an i64 first; write `&` before text \
            that is owned"
)]
pub trait IntoField<'v> {
    /// Converts.
    fn into_field(self) -> FieldValue<'v>;
}

#[diagnostic::do_not_recommend]
impl<'v, T: Into<FieldValue<'v>>> IntoField<'v> for T {
    #[inline]
    fn into_field(self) -> FieldValue<'v> {
        self.into()
    }
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
    pub fn field<'v>(&mut self, name: &str, value: impl IntoField<'v>) {
        self.scratch.set(Class::Field, name, value.into_field());
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

    /// Sets the time, in nanoseconds since the epoch. Without it, a changed point keeps its own, and the
    /// sink sets that of a new one.
    pub fn time(self, nanos: i64) -> Self {
        self.sink.scratch().set_time(nanos);
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
    pub fn field<'v>(self, name: &str, value: impl IntoField<'v>) -> Self {
        self.sink.scratch().set(Class::Field, name, value.into_field());
        self
    }

    /// Sets all fields of a struct, each in the place of any that has its name.
    pub fn fields(self, fields: &impl FieldSet) -> Self {
        fields.put(&mut FieldWriter { scratch: self.sink.scratch() });
        self
    }

    /// Sets a field, and removes all others.
    pub fn only_field<'v>(self, name: &str, value: impl IntoField<'v>) -> Self {
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
        self.sink.scratch().set_text(member, text);
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
        let cleared = !class.is_kept(scratch.dropped);
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
