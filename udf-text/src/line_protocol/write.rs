//! Writes points as lines.

use udf_proto::Point;
use udf_proto::point::FieldValue;

use super::escape::{FIELD, MEASUREMENT, Rules, TAG, is_ambiguous_field, is_one_line};
use super::limits::{MAX_KEY, MAX_TIME, MIN_TIME};
use super::plain::{append_number, append_plain, append_string, append_time};

/// Why line protocol cannot represent a point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritable {
    /// The point has no field. A line has at least one.
    #[error("it has no field")]
    NoField,
    /// A number is NaN or infinite.
    #[error("the field `{field}` is {value}, which line protocol cannot represent")]
    NotFinite {
        /// The name of the field.
        field: String,
        /// The value: `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// Line protocol cannot represent a name, or the value of a tag.
    #[error("{what} {text:?} {reason}")]
    Text {
        /// The kind of text, such as `the tag`.
        what: &'static str,
        /// The text.
        text: String,
        /// The reason.
        reason: &'static str,
    },
    /// The time is outside of the range of InfluxDB, [`MIN_TIME`] to [`MAX_TIME`].
    #[error("its time {0} is outside of the range that InfluxDB stores")]
    Time(i64),
    /// The measurement and the tags are longer than [`MAX_KEY`].
    #[error("its measurement and tags are longer than {MAX_KEY} bytes, which is InfluxDB's limit")]
    KeyTooLong,
    /// InfluxDB would not find the end of the line.
    #[error(
        "InfluxDB cannot tell where its line ends: a backslash comes before a blank in its \
         measurement or tags, and quotes or line breaks follow"
    )]
    Ambiguous,
}

/// Appends `point` to `out` as a line, with its line break.
///
/// A [`LineReader`](super::LineReader) reads the same point from the line: tags and fields keep
/// their order, floats are exact, and the time is always written. A line contains neither the
/// grouping nor the database. As in InfluxDB, a tag with an empty value is left out.
///
/// # Errors
/// If line protocol cannot represent the point. `out` is unchanged then. The reasons are:
///
/// - a point without fields
/// - a field that is NaN or infinite
/// - an empty name
/// - a name, or the value of a tag, with a line break or with a backslash at the end
/// - a measurement that begins with `#`
/// - a measurement, or the name of a field, that begins with a tab or NUL
/// - the name of a field with a backslash before a blank, a comma or `=`
/// - a time outside of [`MIN_TIME`] to [`MAX_TIME`]
/// - a measurement with tags of more than [`MAX_KEY`] bytes
///
/// The text of a field can be any text.
pub fn append_point(point: Point<'_>, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let name = point.name().as_bytes();
    plain_or(out, (name, point.tag_bytes(), point.field_bytes(), point.time()), |out| {
        try_append(point.name(), point.tags(), point.fields(), point.time(), out)
    })
}

/// Appends a line of these parts to `out`, with its line break.
///
/// `time` is in nanoseconds since the epoch. Use this function for the points of a batch, which
/// have the name of the batch.
///
/// # Errors
/// Those of [`append_point`].
pub fn append_line<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    fields: impl IntoIterator<Item = (&'a str, FieldValue<'a>)> + Clone,
    time: i64,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let tag_bytes =
        tags.clone().into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let field_bytes = fields.clone().into_iter().map(|(name, value)| (name.as_bytes(), value));
    plain_or(out, (name.as_bytes(), tag_bytes, field_bytes, time), |out| {
        try_append(name, tags, fields, time, out)
    })
}

/// Appends a usual line quickly, and any other line with `append`.
fn plain_or<'a>(
    out: &mut Vec<u8>,
    (name, tags, fields, time): (
        &[u8],
        impl Iterator<Item = (&'a [u8], &'a [u8])>,
        impl Iterator<Item = (&'a [u8], FieldValue<'a>)>,
        i64,
    ),
    append: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    let start = out.len();
    if append_plain(name, tags, fields, time, out) {
        return Ok(());
    }
    out.truncate(start);
    all_or_nothing(out, append)
}

/// The start of the line that [`append_batch`] writes.
pub const BATCH: &str = "# batch ";

/// Appends a comment that stands before the points of a batch, `# batch cpu,host=a 60`, with its
/// line break. `tags` are those that all points share, and `tmax` is the time of the batch.
///
/// Readers of line protocol skip the comment. InfluxDB finds its end, whatever the tags are.
///
/// # Errors
/// Those of [`append_point`], except for fields.
pub fn append_batch<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    tmax: i64,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    all_or_nothing(out, |out| {
        let start = out.len();
        refuse_time(tmax)?;
        out.extend_from_slice(BATCH.as_bytes());
        append_key(name, tags, out)?;
        append_time(tmax, out);
        if is_one_line(&out[start..]) { Ok(()) } else { Err(Unwritable::Ambiguous) }
    })
}

/// Appends to `out`, or leaves it unchanged.
fn all_or_nothing(
    out: &mut Vec<u8>,
    append: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    let start = out.len();
    append(out).inspect_err(|_| out.truncate(start))
}

fn try_append<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    fields: impl IntoIterator<Item = (&'a str, FieldValue<'a>)>,
    time: i64,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let start = out.len();
    refuse_time(time)?;
    append_key(name, tags, out)?;
    let key_has_backslash = out[start..].contains(&b'\\');
    let mut separator = b' ';
    for (name, value) in fields {
        out.push(separator);
        separator = b',';
        append_field_name(name, out)?;
        out.push(b'=');
        append_value(name, value, out)?;
    }
    if separator == b' ' {
        return Err(Unwritable::NoField);
    }
    append_time(time, out);
    if key_has_backslash && !is_one_line(&out[start..]) {
        return Err(Unwritable::Ambiguous);
    }
    Ok(())
}

fn refuse_time(time: i64) -> Result<(), Unwritable> {
    if (MIN_TIME..=MAX_TIME).contains(&time) { Ok(()) } else { Err(Unwritable::Time(time)) }
}

/// Appends the measurement and the tags.
fn append_key<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let start = out.len();
    append_measurement(name, out)?;
    for (name, value) in tags {
        if value.is_empty() {
            continue;
        }
        out.push(b',');
        append_name("the tag", name, &TAG, out)?;
        out.push(b'=');
        append_name("the value of a tag,", value, &TAG, out)?;
    }
    if out.len() - start > MAX_KEY { Err(Unwritable::KeyTooLong) } else { Ok(()) }
}

fn append_measurement(name: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    const WHAT: &str = "the measurement";
    if name.starts_with('#') {
        return Err(unwritable(WHAT, name, "begins with #, as comments do"));
    }
    refuse_blank_start(WHAT, name)?;
    append_name(WHAT, name, &MEASUREMENT, out)
}

fn append_field_name(name: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    const WHAT: &str = "the field";
    let start = out.len();
    refuse_blank_start(WHAT, name)?;
    append_name(WHAT, name, &FIELD, out)?;
    if is_ambiguous_field(&out[start..]) {
        return Err(unwritable(WHAT, name, "has a backslash before a blank, a comma or ="));
    }
    Ok(())
}

/// Refuses a name that starts with a byte that readers skip before a measurement or a field.
fn refuse_blank_start(what: &'static str, name: &str) -> Result<(), Unwritable> {
    match name.as_bytes().first() {
        Some(b'\t' | 0) => Err(unwritable(what, name, "begins with a tab or NUL")),
        _ => Ok(()),
    }
}

/// Appends a name with the backslashes that it needs.
fn append_name(
    what: &'static str,
    text: &str,
    rules: &Rules,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    if text.is_empty() {
        return Err(unwritable(what, text, "is empty"));
    }
    if text.ends_with('\\') {
        return Err(unwritable(what, text, "ends with a backslash"));
    }
    if text.contains('\n') {
        return Err(unwritable(what, text, "has a line break in it"));
    }
    rules.escape(text, out);
    Ok(())
}

fn unwritable(what: &'static str, text: &str, reason: &'static str) -> Unwritable {
    Unwritable::Text { what, text: text.to_owned(), reason }
}

fn append_value(name: &str, value: FieldValue<'_>, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    match value {
        FieldValue::Float(value) if !value.is_finite() => {
            return Err(Unwritable::NotFinite { field: name.to_owned(), value: value.to_string() });
        }
        FieldValue::String(text) => append_string(text.as_bytes(), out),
        value => append_number(value, out),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::string::string_regex("[a-z_0-9]{1,20}").unwrap(),
            proptest::string::string_regex("[a-c_0-9]{1,20}").unwrap(),
            proptest::string::string_regex("[ab ,=\"\\\\#é'\n\t\0]{0,12}").unwrap(),
        ]
    }

    #[derive(Debug)]
    enum Value {
        Float(f64),
        Int(i64),
        Bool(bool),
        Text(String),
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            prop_oneof![any::<f64>(), -1e3..1e3, Just(f64::NAN)].prop_map(Value::Float),
            any::<i64>().prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            text().prop_map(Value::Text),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn plain_lines_are_those_of_the_general_way(
            name in text(),
            tags in proptest::collection::vec((text(), text()), 0..4),
            fields in proptest::collection::vec((text(), value()), 0..4),
            time in prop_oneof![MIN_TIME..=MAX_TIME, any::<i64>()],
        ) {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), match value {
                Value::Float(value) => FieldValue::Float(*value),
                Value::Int(value) => FieldValue::Int(*value),
                Value::Bool(value) => FieldValue::Bool(*value),
                Value::Text(text) => FieldValue::String(text),
            }));
            let tags = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let (mut quick, mut general) = (b"before\n".to_vec(), b"before\n".to_vec());
            let quickly = append_line(&name, tags.clone(), fields.clone(), time, &mut quick);
            let generally = all_or_nothing(&mut general, |out| {
                try_append(&name, tags, fields, time, out)
            });
            prop_assert_eq!(quickly, generally);
            prop_assert_eq!(String::from_utf8(quick), String::from_utf8(general));
        }
    }
}
