//! One line, part by part, with words for whatever is wrong with it.

use std::collections::BTreeMap;

use udf_proto::messages::Point;

/// Reads the name, tags, fields and, if it is there, the time of a line.
///
/// # Errors
/// What is wrong, for the person who wrote the line.
pub(super) fn parse(line: &str) -> Result<(Point, Option<i64>), String> {
    let mut rest = Rest { line, at: 0 };
    let mut point = Point { name: measurement(&mut rest)?, ..Point::default() };
    while rest.eat(b',') {
        let (name, value) = tag(&mut rest)?;
        if point.tags.contains_key(&name) {
            return Err(format!("the tag `{name}` is there twice"));
        }
        point.tags.insert(name, value);
    }
    if !rest.skip_blanks() {
        return Err("it has no fields: behind the measurement and its tags come a blank and \
                    `name=value`"
            .to_owned());
    }
    // By name first: of a field that is there twice, with two types, only the last may stay.
    let mut fields = BTreeMap::new();
    loop {
        let (name, value) = field(&mut rest)?;
        fields.insert(name, value);
        if !rest.eat(b',') {
            break;
        }
    }
    for (name, value) in fields {
        match value {
            Value::Float(value) => drop(point.fields_double.insert(name, value)),
            Value::Int(value) => drop(point.fields_int.insert(name, value)),
            Value::Text(text) => drop(point.fields_string.insert(name, text)),
            Value::Bool(value) => drop(point.fields_bool.insert(name, value)),
        }
    }
    Ok((point, time(&mut rest)?))
}

enum Value {
    Float(f64),
    Int(i64),
    Text(String),
    Bool(bool),
}

fn measurement(rest: &mut Rest<'_>) -> Result<String, String> {
    let name = rest.take_name(b", ", b" ,\\");
    match name.as_str() {
        "" => Err("it does not begin with the name of a measurement".to_owned()),
        name if name.ends_with('\\') => {
            Err(format!("the measurement `{}` ends with a backslash", shorten(name)))
        }
        _ => Ok(name),
    }
}

fn tag(rest: &mut Rest<'_>) -> Result<(String, String), String> {
    let start = rest.at;
    let name = rest.take_name(b"=, ", SPECIAL);
    if !rest.eat(b'=') {
        return Err(match name.as_str() {
            "" => "there is a comma too much among its tags".to_owned(),
            _ => format!("`{}` is no tag: tags are written `name=value`", shorten(&name)),
        });
    }
    let value = rest.take_name(b"=, ", SPECIAL);
    let shown = shorten(&rest.line[start..rest.at]);
    if rest.peek() == Some(b'=') {
        return Err(format!("the tag `{shown}` has one more `=`; within its value write `\\=`"));
    }
    match (name.is_empty(), value.is_empty()) {
        (true, _) => Err(format!("the tag `{shown}` has no name")),
        (_, true) => Err(format!("the tag `{}` has no value; leave it out", shorten(&name))),
        _ if name.ends_with('\\') || value.ends_with('\\') => {
            Err(format!("a backslash ends the name or the value of the tag `{shown}`"))
        }
        _ => Ok((name, value)),
    }
}

fn field(rest: &mut Rest<'_>) -> Result<(String, Value), String> {
    let start = rest.at;
    let name = rest.take_name(b"=, ", SPECIAL);
    if !rest.eat(b'=') {
        return Err(match name.as_str() {
            "" => "there is a comma too much among its fields".to_owned(),
            _ => format!("`{}` is no field: fields are written `name=value`", shorten(&name)),
        });
    }
    let shown = shorten(&name);
    if rest.eat(b'"') {
        let text = rest.take_text();
        let text = text.ok_or_else(|| format!("the field `{shown}` has no closing quote"))?;
        if !matches!(rest.peek(), None | Some(b',' | b' ')) {
            let follows = shorten(rest.take_until(b", "));
            return Err(format!(
                "`{follows}` follows the text of the field `{shown}`; write \\\" for a quote within it"
            ));
        }
        return named(name, Value::Text(text), "");
    }
    let value = rest.take_until(b", ");
    let typed = typed(&shown, value)?;
    named(name, typed, &rest.line[start..rest.at])
}

fn named(name: String, value: Value, shown: &str) -> Result<(String, Value), String> {
    if name.is_empty() {
        return Err(format!("the field `{}` has no name", shorten(shown)));
    }
    if name.ends_with('\\') {
        return Err(format!("the name of the field `{}` ends with a backslash", shorten(&name)));
    }
    Ok((name, value))
}

/// The value of an unquoted `text`, of the field `name`.
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
    // Rust would also take `inf` and `NaN`, which databases do not have.
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>() {
        Ok(value) if numeric && value.is_finite() => Ok(Value::Float(value)),
        Ok(_) if numeric => Err(format!("{shown} of the field `{name}` does not fit a float")),
        _ => Err(format!(
            "`{shown}` of the field `{name}` is no value: write 1.5, 10i, true or \"text\""
        )),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn time(rest: &mut Rest<'_>) -> Result<Option<i64>, String> {
    rest.skip_blanks();
    let time = rest.take_until(b" ");
    if time.is_empty() {
        return Ok(None);
    }
    let time = time.parse().map_err(|_| {
        format!("`{}` is no time: it is an integer, the nanoseconds since the epoch", shorten(time))
    })?;
    rest.skip_blanks();
    match rest.take_until(b" ") {
        "" => Ok(Some(time)),
        more => Err(format!(
            "`{}` is too much behind the time; a blank within a name is written `\\ `",
            shorten(more)
        )),
    }
}

/// What a backslash takes its meaning from, in the names and values of tags and the names of fields.
const SPECIAL: &[u8] = b" ,=\\";

/// A line, and how much of it has been read.
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

    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while self.eat(b' ') {}
        self.at > start
    }

    /// Takes everything before the first of the `ends`.
    fn take_until(&mut self, ends: &[u8]) -> &'a str {
        let rest = &self.line[self.at..];
        let length = rest.bytes().position(|byte| ends.contains(&byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Takes a name, up to the first of the `ends` that no backslash precedes.
    ///
    /// Before a `special` character a backslash disappears; before any other it stands for itself.
    fn take_name(&mut self, ends: &[u8], special: &[u8]) -> String {
        let mut name = String::new();
        let bytes = self.line.as_bytes();
        let mut start = self.at;
        while let Some(byte) = self.peek().filter(|byte| !ends.contains(byte)) {
            let next = bytes.get(self.at + 1);
            if byte == b'\\' && next.is_some_and(|next| special.contains(next)) {
                name.push_str(&self.line[start..self.at]);
                start = self.at + 1;
                self.at += 1;
            }
            self.at += 1;
        }
        name.push_str(&self.line[start..self.at]);
        name
    }

    /// Takes quoted text and its closing quote; none if that is missing.
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

/// At most 40 characters of `text`.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
