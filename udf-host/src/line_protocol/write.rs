//! Lines out of points.

use std::io::Write as _;

use udf_proto::Point;
use udf_proto::point::FieldValue;

/// A point that no line can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritable {
    /// It has no field; a line has at least one.
    #[error("it has no field")]
    NoField,
    /// A number is NaN or infinite.
    #[error("the field `{field}` is {value}, which is no number that can be written")]
    NotFinite {
        /// The field's name.
        field: String,
        /// What it is: `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// A name, or the value of a tag, cannot be written.
    #[error("{what} {text:?} {reason}")]
    Text {
        /// What it is: `the tag`, or the like.
        what: &'static str,
        /// The text.
        text: String,
        /// Why it cannot be written.
        reason: &'static str,
    },
}

/// Appends `point` to `out` as a line, with its line break.
///
/// Read again, it is the same point: tags and fields are written in their order, floats
/// exactly, and the time always. Two things are not part of a line: what the point is
/// grouped by, and the database that it came from. A tag whose value is empty is left out, as databases do.
///
/// # Errors
/// When no line can hold it; `out` is then as it was. A line has no way to write NaN and
/// infinities, an empty name, a name or a tag's value with a line break in it or with a backslash
/// at its end, a measurement that begins with `#` or a control character, and a point without fields. The
/// text of a field may be any.
pub fn append_point(point: Point<'_>, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    append_line(point.name(), point.tags(), point.fields(), point.time(), out)
}

/// Appends a line of these parts to `out`, with its line break; `time` is in nanoseconds since the
/// epoch.
///
/// It is for points of a batch, whose name is that of the batch.
///
/// # Errors
/// Those of [`append_point`].
pub fn append_line<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    fields: impl IntoIterator<Item = (&'a str, FieldValue<'a>)>,
    time: i64,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let start = out.len();
    let written = try_append(name, tags, fields, time, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn try_append<'a>(
    name: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    fields: impl IntoIterator<Item = (&'a str, FieldValue<'a>)>,
    time: i64,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    append_measurement(name, out)?;
    for (name, value) in tags {
        if value.is_empty() {
            continue;
        }
        out.push(b',');
        append_escaped("the tag", name, b" ,=\\", out)?;
        out.push(b'=');
        append_escaped("the value of a tag,", value, b" ,=\\", out)?;
    }
    let mut separator = b' ';
    for (name, value) in fields {
        out.push(separator);
        separator = b',';
        append_escaped("the field", name, b" ,=\\", out)?;
        out.push(b'=');
        append_value(name, value, out)?;
    }
    if separator == b' ' {
        return Err(Unwritable::NoField);
    }
    print(out, format_args!(" {time}\n"));
    Ok(())
}

fn append_measurement(name: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let refuse =
        |reason| Err(Unwritable::Text { what: "the measurement", text: name.to_owned(), reason });
    if name.starts_with('#') {
        return refuse("begins with #, as comments do");
    }
    if name.starts_with(|first: char| first.is_ascii_control()) {
        return refuse("begins with a control character");
    }
    append_escaped("the measurement", name, b" ,\\", out)
}

/// Appends a name with a backslash before each of the `special` characters.
///
/// A backslash that nothing special follows is written alone: readers differ in what two of them mean, and all
/// agree on this.
fn append_escaped(
    what: &'static str,
    text: &str,
    special: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let refuse = |reason| Err(Unwritable::Text { what, text: text.to_owned(), reason });
    if text.is_empty() {
        return refuse("is empty");
    }
    if text.ends_with('\\') {
        return refuse("ends with a backslash");
    }
    if text.contains('\n') {
        return refuse("has a line break in it");
    }
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'\\' => bytes.get(at + 1).is_some_and(|next| special.contains(next)),
            _ => special.contains(&byte),
        };
        if escape {
            out.push(b'\\');
        }
        out.push(byte);
    }
    Ok(())
}

fn append_value(name: &str, value: FieldValue<'_>, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    match value {
        FieldValue::Float(value) if !value.is_finite() => {
            return Err(Unwritable::NotFinite { field: name.to_owned(), value: value.to_string() });
        }
        FieldValue::Float(value) => print(out, format_args!("{value:?}")),
        FieldValue::Int(value) => print(out, format_args!("{value}i")),
        FieldValue::Bool(value) => print(out, format_args!("{value}")),
        FieldValue::String(text) => {
            out.push(b'"');
            for &byte in text.as_bytes() {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
        }
    }
    Ok(())
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes all that is written");
}
