//! Edits and builds points.
//!
//! Unchanged records, unknown members included, are copied in runs as long as possible. Only
//! changes are encoded.

use super::scratch::{Class, EditScratch};
use super::{FieldValue, Point};
use crate::wire::key;

/// Receives edited points.
pub trait PointSink {
    /// The error of [`accept`](Self::accept).
    type Error;

    /// Returns the buffer for the changes of an edit. Every edit reuses its memory.
    fn scratch(&mut self) -> &mut EditScratch;

    /// Accepts `base` with the changes in [`scratch`](Self::scratch).
    ///
    /// # Errors
    /// Returns the errors of the sink.
    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Self::Error>;
}

/// A type that converts to the value of a field, or to none. [`FieldValue`] has the same
/// conversions as `From`, except for `Option`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a point",
    label = "cannot be a field",
    note = "a field can be f64, f32, i64, i32, u32, bool, `&str`, `&String` or `FieldValue`, or an `Option` of \
            these; `None` adds no field",
    note = "Kapacitor's integers are signed and have 64 bits; convert usize and u64 to i64; \
            write `&` before owned text"
)]
pub trait IntoField<'v> {
    /// Converts the value. `None` adds no field.
    fn into_field(self) -> Option<FieldValue<'v>>;
}

// One impl for all types keeps errors short: rustc shows each impl that nearly fits.
#[diagnostic::do_not_recommend]
impl<'v, T: convert::Convert<'v>> IntoField<'v> for T {
    #[inline]
    fn into_field(self) -> Option<FieldValue<'v>> {
        self.convert()
    }
}

mod convert {
    use super::FieldValue;

    pub trait Convert<'v> {
        fn convert(self) -> Option<FieldValue<'v>>;
    }

    macro_rules! convert {
        ($($ty:ty)*) => {$(
            impl<'v> Convert<'v> for $ty {
                #[inline]
                fn convert(self) -> Option<FieldValue<'v>> {
                    Some(self.into())
                }
            }
        )*};
    }

    convert!(f64 f32 i64 i32 u32 bool &'v str &'v String FieldValue<'v>);

    impl<'v, T: Convert<'v>> Convert<'v> for Option<T> {
        #[inline]
        fn convert(self) -> Option<FieldValue<'v>> {
            self.and_then(T::convert)
        }
    }
}

/// A struct whose members become the fields of a point.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Fields`",
    label = "cannot be the fields of a point",
    note = "add `#[derive(Fields)]` to the struct"
)]
pub trait FieldSet {
    /// Sets each field.
    fn put(&self, fields: &mut FieldWriter<'_>);
}

/// Receives the fields of a [`FieldSet`] for the edited point.
#[derive(Debug)]
pub struct FieldWriter<'s> {
    scratch: &'s mut EditScratch,
}

impl FieldWriter<'_> {
    /// Sets a field. Replaces a field of the same name. `None` changes nothing.
    pub fn field<'v>(&mut self, name: &str, value: impl IntoField<'v>) {
        if let Some(value) = value.into_field() {
            self.scratch.set(Class::Field, name, value);
        }
    }
}

/// An edit of a point, or a new point. Nothing is sent before [`send`](Self::send).
///
/// The name of a field is unique over all types: setting `a` to an integer replaces a float `a`.
#[must_use = "an edited point goes nowhere before `send` is called"]
pub struct PointEdit<'s, 'p, S: PointSink> {
    sink: &'s mut S,
    base: Option<Point<'p>>,
}

impl<'s, 'p, S: PointSink> PointEdit<'s, 'p, S> {
    /// Starts from `base`. The edit keeps everything that it does not change.
    pub fn new(sink: &'s mut S, base: Point<'p>) -> Self {
        sink.scratch().clear();
        PointEdit { sink, base: Some(base) }
    }

    /// Starts a new point with the name of the measurement.
    ///
    /// Kapacitor computes the group of the point from its tags and dimensions. Without
    /// [`dimension`](Self::dimension), the point has no group.
    pub fn build(sink: &'s mut S, name: &str) -> Self {
        PointEdit::empty(sink).name(name)
    }

    /// Starts an empty point. Use it within a batch, which has the name.
    pub fn empty(sink: &'s mut S) -> Self {
        sink.scratch().clear();
        PointEdit { sink, base: None }
    }

    /// Sets the time, in nanoseconds since the epoch. Defaults to the time of the edited point; the
    /// sink sets the default for a new point.
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

    /// Adds a tag to the dimensions, the tags that the point is grouped by.
    pub fn dimension(self, tag: &str) -> Self {
        self.sink.scratch().add_dimension(tag);
        self
    }

    /// Adds several tags to the dimensions.
    pub fn dimensions(self, tags: impl IntoIterator<Item: AsRef<str>>) -> Self {
        tags.into_iter().fold(self, |edit, tag| edit.dimension(tag.as_ref()))
    }

    /// Removes all dimensions, including those added by this edit. The point is then not grouped by
    /// tags.
    pub fn clear_dimensions(self) -> Self {
        self.clear(Class::Dimension)
    }

    /// Sets whether the name of the measurement is part of the group.
    pub fn by_name(self, by_name: bool) -> Self {
        let scratch = self.sink.scratch();
        scratch.dropped |= 1 << 11;
        scratch.records.extend([key(11, 0), by_name.into()]);
        self
    }

    /// Sets a field. Replaces a field of the same name. `None` changes nothing.
    pub fn field<'v>(self, name: &str, value: impl IntoField<'v>) -> Self {
        FieldWriter { scratch: self.sink.scratch() }.field(name, value);
        self
    }

    /// Sets all fields of a struct. Replaces fields of the same names.
    pub fn fields(self, fields: &impl FieldSet) -> Self {
        fields.put(&mut FieldWriter { scratch: self.sink.scratch() });
        self
    }

    /// Sets a field and removes all other fields.
    pub fn only_field<'v>(self, name: &str, value: impl IntoField<'v>) -> Self {
        self.clear_fields().field(name, value)
    }

    /// Removes the field `name`, if present.
    pub fn remove_field(self, name: &str) -> Self {
        self.sink.scratch().forget(Class::Field, name);
        self
    }

    /// Removes all fields, including those set by this edit.
    pub fn clear_fields(self) -> Self {
        self.clear(Class::Field)
    }

    /// Removes all fields except those in `names`.
    pub fn keep_fields(self, names: &[&str]) -> Self {
        let base = self.base;
        self.keep(Class::Field, names, |name| base?.field(name))
    }

    /// Sets a tag. Replaces a tag of the same name.
    pub fn tag(self, name: &str, value: &str) -> Self {
        self.sink.scratch().set(Class::Tag, name, FieldValue::String(value));
        self
    }

    /// Sets several tags, such as those of another point, a group or the begin of a batch.
    /// Replaces tags of the same names.
    pub fn tags<N, V>(self, tags: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        tags.into_iter().fold(self, |edit, (name, value)| edit.tag(name.as_ref(), value.as_ref()))
    }

    /// Removes the tag `name`, if present.
    ///
    /// Removing a tag that the point is grouped by moves the point into another group of Kapacitor.
    pub fn remove_tag(self, name: &str) -> Self {
        self.sink.scratch().forget(Class::Tag, name);
        self
    }

    /// Removes all tags except those in `names`.
    pub fn keep_tags(self, names: &[&str]) -> Self {
        let base = self.base;
        self.keep(Class::Tag, names, |name| base?.tag(name).map(FieldValue::String))
    }

    /// Sends the point.
    ///
    /// # Errors
    /// Returns the errors of the sink.
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
        // A class that was cleared before stays cleared, and so do earlier changes by name.
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
