//! Writes usual lines quickly: those whose names need no backslash.

use udf_proto::point::FieldValue;

use super::digits;
use super::limits::{MAX_KEY, MAX_TIME, MIN_TIME};
use super::words::find;

/// Appends a line whose names need no backslash. Returns false for every other line, after some
/// bytes.
///
/// The bytes are checked at the end, all at once: one that needs a backslash shows as one more
/// separator than the parts need.
pub(super) fn append_plain<'a>(
    name: &[u8],
    tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    fields: impl Iterator<Item = (&'a [u8], FieldValue<'a>)>,
    time: i64,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    let mut plain = !matches!(name.first(), None | Some(b'#' | b'\t' | 0));
    let (mut unchecked, mut separators, mut needed) = (start, 0, 0);
    out.extend_from_slice(name);
    for (name, value) in tags {
        if value.is_empty() {
            continue;
        }
        plain &= !name.is_empty();
        out.push(b',');
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
        needed += 2;
    }
    plain &= out.len() - start <= MAX_KEY;
    let mut separator = b' ';
    for (name, value) in fields {
        plain &= !matches!(name.first(), None | Some(b'\t' | 0));
        out.push(separator);
        separator = b',';
        out.extend_from_slice(name);
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
    plain && separator == b',' && separators == needed && (MIN_TIME..=MAX_TIME).contains(&time)
}

/// Returns the number of bytes that have a meaning within a line outside of strings.
fn count_separators(bytes: &[u8]) -> usize {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',' | b'=' | b'\\' | b'\n');
    // Sums of bytes are vectorized.
    let chunk = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(is_separator(byte))).sum::<u8>();
    bytes.chunks(255).map(|bytes| usize::from(chunk(bytes))).sum()
}

pub(super) fn append_time(time: i64, out: &mut Vec<u8>) {
    out.push(b' ');
    append_int(time, out);
    out.push(b'\n');
}

/// Appends a value other than a string. It is not NaN or infinite.
pub(super) fn append_number(value: FieldValue<'_>, out: &mut Vec<u8>) {
    match value {
        FieldValue::Float(value) => append_digits(out, |room| digits::float(value, room)),
        FieldValue::Int(value) => {
            append_int(value, out);
            out.push(b'i');
        }
        FieldValue::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        FieldValue::String(_) => unreachable!("strings are quoted"),
    }
}

fn append_int(value: i64, out: &mut Vec<u8>) {
    append_digits(out, |room| digits::int(value, room));
}

/// Appends digits. The callers have digits for all of their numbers.
fn append_digits(out: &mut Vec<u8>, write: impl FnOnce(&mut [u8; digits::ROOM]) -> Option<usize>) {
    let mut room = [0; digits::ROOM];
    let length = write(&mut room).unwrap_or(0);
    out.extend_from_slice(&room[..length]);
}

pub(super) fn append_string(text: &[u8], out: &mut Vec<u8>) {
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
    use super::*;
    use crate::line_protocol::{Grouping, LineReader, append_line};

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
