//! Parses one line. Errors are in words, for the person who wrote the line.

use std::collections::BTreeMap;

use udf_proto::messages::Point;

use super::escape::{FIELD, MEASUREMENT, Rules, TAG, is_ambiguous_field};
use super::limits::{MAX_KEY, MAX_TIME, MIN_TIME};
use super::precision::Precision;

/// The parts of a line.
pub(super) struct Parsed {
    /// The name, the tags and the fields.
    pub(super) point: Point,
    pub(super) time: Option<i64>,
    /// The number of fields that were dropped.
    pub(super) dropped: u64,
}

/// Parses the name, the tags, the fields and the optional time of a line.
///
/// Drops unsigned integers above [`i64::MAX`] if `drops_unfit`.
///
/// # Errors
/// The problem in words.
pub(super) fn parse(line: &str, precision: Precision, drops_unfit: bool) -> Result<Parsed, String> {
    let mut rest = Rest { line, at: 0 };
    let mut point = Point::default();
    // The last name or value before the fields, still escaped.
    let mut last = rest.take_raw(&MEASUREMENT);
    if last.is_empty() {
        return Err("it does not begin with the name of a measurement".to_owned());
    }
    // The reader has skipped comments, except in recordings, which contain none.
    if last.starts_with('#') {
        return Err("the name of a measurement cannot begin with `#`, as comments do".to_owned());
    }
    point.name = MEASUREMENT.unescape(last);
    while rest.eat(b',') {
        let (name, value) = tag(&mut rest, last)?;
        last = value;
        if point.tags.insert(TAG.unescape(name), TAG.unescape(value)).is_some() {
            return Err(format!("the tag `{}` occurs twice", shorten(name)));
        }
    }
    if rest.at > MAX_KEY {
        return Err(format!(
            "its measurement and tags are longer than {MAX_KEY} bytes, which is InfluxDB's limit"
        ));
    }
    if !rest.skip_blanks() {
        return Err(format!(
            "it has no fields: a blank must follow the measurement and its tags, and then \
             `name=value`{}",
            escaped_blank(last)
        ));
    }
    // Collected by name first, so that the last of two fields with one name wins in any type.
    let mut fields = BTreeMap::new();
    loop {
        let first = fields.is_empty().then_some((last, !point.tags.is_empty()));
        let (name, value) = field(&mut rest, first, drops_unfit)?;
        fields.insert(name, value);
        if !rest.eat(b',') {
            break;
        }
    }
    let mut dropped = 0;
    for (name, value) in fields {
        match value {
            Value::Unfit => dropped += 1,
            Value::Float(value) => drop(point.fields_double.insert(name, value)),
            Value::Int(value) => drop(point.fields_int.insert(name, value)),
            Value::Text(text) => drop(point.fields_string.insert(name, text)),
            Value::Bool(value) => drop(point.fields_bool.insert(name, value)),
        }
    }
    Ok(Parsed { point, time: time(&mut rest, precision)?, dropped })
}

enum Value {
    Float(f64),
    Int(i64),
    Text(String),
    Bool(bool),
    /// An unsigned integer above [`i64::MAX`].
    Unfit,
}

/// Takes the name and the value of a tag, still escaped. `before` is the value of the previous tag.
fn tag<'a>(rest: &mut Rest<'a>, before: &str) -> Result<(&'a str, &'a str), String> {
    let start = rest.at;
    let name = rest.take_raw(&TAG);
    if !rest.eat(b'=') {
        let quoted = match before.starts_with('"') {
            true => "; tag values are not quoted: write `\\,` for a comma in a tag value",
            false => escaped_blank(name),
        };
        return Err(match name {
            "" => format!("its tags contain an extra comma{quoted}"),
            _ => format!("`{}` is not a tag: write tags as `name=value`{quoted}", shorten(name)),
        });
    }
    // InfluxDB treats a `=` at the start of a value as a part of the value.
    let value_start = rest.at;
    rest.eat(b'=');
    rest.take_raw(&TAG);
    let value = &rest.line[value_start..rest.at];
    let shown = shorten(&rest.line[start..rest.at]);
    match (name.is_empty(), value.is_empty()) {
        (true, _) => Err(format!("the tag `{shown}` has no name")),
        (_, true) => Err(format!("the tag `{}` has no value; leave it out", shorten(name))),
        _ if rest.peek() == Some(b'=') => Err(format!(
            "the tag `{shown}` contains another `=`; within its value, write `\\=`{}",
            escaped_blank(value)
        )),
        _ => Ok((name, value)),
    }
}

/// Takes the name and the value of a field.
///
/// For the first field, `first` is the last name or value before it, and whether that is the value
/// of a tag.
fn field(
    rest: &mut Rest<'_>,
    first: Option<(&str, bool)>,
    drops_unfit: bool,
) -> Result<(String, Value), String> {
    let start = rest.at;
    let raw = rest.take_raw(&FIELD);
    if is_ambiguous_field(raw.as_bytes()) {
        return Err(format!(
            "the name of the field `{}` has a backslash before a blank, a comma or `=`, which \
             InfluxDB cannot read",
            shorten(raw)
        ));
    }
    if !rest.eat(b'=') {
        let hint = first.map_or("", |(before, of_tag)| unescaped_blank(before, of_tag, rest));
        return Err(match raw {
            "" => "its fields contain an extra comma".to_owned(),
            _ => format!("`{}` is not a field: write fields as `name=value`{hint}", shorten(raw)),
        });
    }
    let (name, shown) = (FIELD.unescape(raw), shorten(raw));
    if rest.eat(b'"') {
        let text = rest.take_text();
        let text = text.ok_or_else(|| format!("the field `{shown}` has no closing quote"))?;
        if !matches!(rest.peek(), None | Some(b',' | b' ')) {
            let follows = shorten(rest.take_until(b", "));
            return Err(format!(
                "`{follows}` follows the text of the field `{shown}`; write \\\" for a quote within it"
            ));
        }
        return named(name, Value::Text(text), &rest.line[start..rest.at]);
    }
    let value = rest.take_until(b", ");
    let value = if drops_unfit && is_unfit(value) { Value::Unfit } else { typed(&shown, value)? };
    named(name, value, &rest.line[start..rest.at])
}

fn named(name: String, value: Value, shown: &str) -> Result<(String, Value), String> {
    if name.is_empty() {
        return Err(format!("the field `{}` has no name", shorten(shown)));
    }
    Ok((name, value))
}

/// Returns a hint for a name or value with an unintended escape at its end.
fn escaped_blank(raw: &str) -> &'static str {
    if raw.contains("\\ ") {
        "; `\\ ` is a blank within a name or value, which cannot end with a backslash"
    } else if raw.ends_with('\\') {
        "; a name or value cannot end with a backslash"
    } else {
        ""
    }
}

/// Returns a hint for an invalid field after an unescaped blank.
fn unescaped_blank(before: &str, of_tag: bool, rest: &Rest<'_>) -> &'static str {
    match () {
        () if of_tag && before.starts_with('"') => {
            "; tag values are not quoted: write `\\ ` for a blank in a tag value"
        }
        // Without another `=`, a blank is not the likely cause.
        () if !rest.line[rest.at..].contains('=') => "",
        () if of_tag => "; write `\\ ` for a blank in a tag value",
        () => "; write `\\ ` for a blank in a measurement",
    }
}

/// Parses the unquoted `text` of the field `name`.
fn typed(name: &str, text: &str) -> Result<Value, String> {
    let shown = shorten(text);
    match text {
        "" => return Err(format!("the field `{name}` has no value; leave it out")),
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(digits) = text.strip_suffix(['i', 'u']).filter(|digits| is_integer(digits)) {
        if text.ends_with('u') && digits.starts_with('-') {
            return Err(format!("{shown} of the field `{name}` is unsigned, but below zero"));
        }
        return digits.parse().map(Value::Int).map_err(|_| {
            format!(
                "{shown} of the field `{name}` does not fit: Kapacitor's integers are from {} to {}",
                i64::MIN,
                i64::MAX
            )
        });
    }
    // Rust would also take `inf`, `NaN` and `+1`, which InfluxDB does not.
    let numeric = !text.starts_with('+')
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(value) if numeric && value.is_finite() => Ok(Value::Float(value)),
        Ok(_) if numeric => Err(format!("{shown} of the field `{name}` does not fit a float")),
        _ => Err(format!(
            "`{shown}` of the field `{name}` is not a value: write 1.5, 10i, true or \"text\""
        )),
    }
}

/// Returns whether `text` is an unsigned integer above [`i64::MAX`].
fn is_unfit(text: &str) -> bool {
    let digits = text.strip_suffix('u').filter(|digits| is_integer(digits));
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .is_some_and(|value| value > i64::MAX as u64)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn time(rest: &mut Rest<'_>, precision: Precision) -> Result<Option<i64>, String> {
    rest.skip_blanks();
    let text = rest.take_until(b" ");
    if text.is_empty() {
        return Ok(None);
    }
    let shown = shorten(text);
    if !is_integer(text) {
        return Err(format!("`{shown}` is not a time: times are integers since the epoch"));
    }
    let time = text.parse().ok().and_then(|time| precision.time(time)).ok_or_else(|| {
        let unit = match precision {
            Precision::Nanoseconds => String::new(),
            unit => format!(" with the precision {unit}"),
        };
        format!(
            "the time {shown} is out of range{unit}: times are from {MIN_TIME} to {MAX_TIME} \
             nanoseconds since the epoch (the years 1677 to 2262)"
        )
    })?;
    rest.skip_blanks();
    match rest.take_until(b" ") {
        "" => Ok(Some(time)),
        more => Err(format!(
            "`{}` follows the time; to write a blank within a name, use `\\ `",
            shorten(more)
        )),
    }
}

/// A line, and the position in it.
struct Rest<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Skips a blank and the bytes behind it that InfluxDB treats as blanks.
    fn skip_blanks(&mut self) -> bool {
        let there = self.eat(b' ');
        while there && matches!(self.peek(), Some(b' ' | b'\t' | 0)) {
            self.at += 1;
        }
        there
    }

    /// Takes everything before the first of the `ends`.
    fn take_until(&mut self, ends: &[u8]) -> &'a str {
        let rest = &self.line[self.at..];
        let length = rest.bytes().position(|byte| ends.contains(&byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Takes a name, still escaped.
    fn take_raw(&mut self, rules: &Rules) -> &'a str {
        let rest = &self.line[self.at..];
        let length = rules.length(rest.as_bytes());
        self.at += length;
        &rest[..length]
    }

    /// Takes quoted text and its closing quote. Returns none if the quote is missing.
    fn take_text(&mut self) -> Option<String> {
        let mut text = String::new();
        let bytes = self.line.as_bytes();
        let mut start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    text.push_str(&self.line[start..self.at]);
                    self.at += 1;
                    return Some(text);
                }
                b'\\' if matches!(bytes.get(self.at + 1), Some(b'"' | b'\\')) => {
                    text.push_str(&self.line[start..self.at]);
                    start = self.at + 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
    }
}

/// Returns at most 40 characters of `text`.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
