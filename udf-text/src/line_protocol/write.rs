//! Writes points as lines.

use std::io::Write as _;

use itoa::Buffer;
use udf_proto::Point;
use udf_proto::point::FieldValue;

use super::escape::{FIELD, MEASUREMENT, Rules, TAG, is_ambiguous_field, is_one_line};
use super::limits::{MAX_KEY, MAX_TIME, MIN_TIME};
use super::words::find;

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
    append_line(point.name(), point.tags(), point.fields(), point.time(), out)
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
    let start = out.len();
    if append_plain(name, tags.clone(), fields.clone(), time, out) {
        return Ok(());
    }
    out.truncate(start);
    all_or_nothing(out, |out| try_append(name, tags, fields, time, out))
}

/// Appends a line whose names need no backslash. Returns false for every other line, after some
/// bytes.
///
/// The bytes are checked at the end, all at once: one that needs a backslash shows as one more
/// separator than the parts need.
fn append_plain<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    fields: impl IntoIterator<Item = (&'a str, FieldValue<'a>)>,
    time: i64,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    let mut plain = !matches!(name.as_bytes().first(), None | Some(b'#' | b'\t' | 0));
    let (mut unchecked, mut separators, mut needed) = (start, 0, 0);
    out.extend_from_slice(name.as_bytes());
    for (name, value) in tags {
        if value.is_empty() {
            continue;
        }
        plain &= !name.is_empty();
        out.push(b',');
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
        needed += 2;
    }
    plain &= out.len() - start <= MAX_KEY;
    let mut separator = b' ';
    for (name, value) in fields {
        plain &= !matches!(name.as_bytes().first(), None | Some(b'\t' | 0));
        out.push(separator);
        separator = b',';
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        needed += 2;
        match value {
            FieldValue::Float(value) if !value.is_finite() => return false,
            FieldValue::String(text) => {
                separators += count_separators(&out[unchecked..]);
                append_string(text.as_bytes(), out);
                unchecked = out.len();
            }
            value => append_number(value, out),
        }
    }
    separators += count_separators(&out[unchecked..]);
    append_time(time, out);
    plain && separator == b',' && separators == needed && refuse_time(time).is_ok()
}

/// Returns the number of bytes that have a meaning within a line outside of strings.
fn count_separators(bytes: &[u8]) -> usize {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',' | b'=' | b'\\' | b'\n');
    // Sums of bytes are vectorized.
    let chunk = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(is_separator(byte))).sum::<u8>();
    bytes.chunks(255).map(|bytes| usize::from(chunk(bytes))).sum()
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

fn append_time(time: i64, out: &mut Vec<u8>) {
    out.push(b' ');
    append_int(time, out);
    out.push(b'\n');
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

/// Appends a value other than a string. It is not NaN or infinite.
fn append_number(value: FieldValue<'_>, out: &mut Vec<u8>) {
    match value {
        FieldValue::Float(value) => append_float(value, out),
        FieldValue::Int(value) => {
            append_int(value, out);
            out.push(b'i');
        }
        FieldValue::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        FieldValue::String(_) => unreachable!("strings are quoted"),
    }
}

fn append_int(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(Buffer::new().format(value).as_bytes());
}

/// Appends the shortest digits that read back as the same bits, in the form of `{:?}`. Where two
/// decimals are equally near, the last digit is even.
fn append_float(value: f64, out: &mut Vec<u8>) {
    // Beyond this range, the exponent of `{:?}` has another form.
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        write!(out, "{value:?}").expect("writing to a vector cannot fail");
    }
}

fn append_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut start = 0;
    loop {
        let special = find(text, start, *b"\"\\");
        out.extend_from_slice(&text[start..special]);
        let Some(&byte) = text.get(special) else { break };
        out.extend_from_slice(&[b'\\', byte]);
        start = special + 1;
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::line_protocol::{Grouping, LineReader};

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

    #[test]
    fn floats_read_back_as_the_same_bits_at_every_exponent() {
        for exponent in 0..0x7ff_u64 {
            for fraction in [0, 1, 0x5555_5555_5555, (1 << 52) - 1] {
                for sign in [0, 1 << 63] {
                    let value = f64::from_bits(sign | exponent << 52 | fraction);
                    let mut line = Vec::new();
                    append_line("m", [], [("f", FieldValue::Float(value))], 1, &mut line).unwrap();
                    let shown = format!("m f={value:?} 1\n");
                    assert_eq!(line.len(), shown.len(), "{shown}");
                    let point = LineReader::new(&line[..], Grouping::none()).next_message();
                    let read = point.unwrap().unwrap().fields_double["f"];
                    assert_eq!(read.to_bits(), value.to_bits(), "{shown}");
                }
            }
        }
    }
}
