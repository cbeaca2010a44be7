//! Text that the forms of a description share.

use std::fmt::Write as _;

use udf_proto::{Value, ValueType};

/// Returns a call of an option with the types of its arguments, and with their names if they have
/// names.
///
/// ```
/// use udf_proto::ValueType;
/// use udf_text::describe::call_form;
///
/// let types = [ValueType::Int, ValueType::Duration];
/// assert_eq!(call_form("window", &types, &[]), ".window(INT, DURATION)");
/// let names = ["size".to_owned(), "every".to_owned()];
/// assert_eq!(call_form("window", &types, &names), ".window(size INT, every DURATION)");
/// ```
pub fn call_form(name: &str, types: &[ValueType], names: &[String]) -> String {
    format!(".{name}({})", typed(types, names))
}

/// Returns `INT, DURATION`, or `size INT, every DURATION`.
pub fn typed(types: &[ValueType], names: &[String]) -> String {
    let typed = types.iter().enumerate().map(|(place, r#type)| match names.get(place) {
        Some(name) if !name.is_empty() => format!("{name} {type}"),
        _ => r#type.to_string(),
    });
    typed.collect::<Vec<_>>().join(", ")
}

/// Returns values as the arguments of a call in a TICKscript.
pub(super) fn arguments(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns `a, b and c`.
pub(super) fn listed(mut all: Vec<String>, last_word: &str) -> String {
    match all.pop() {
        Some(last) if !all.is_empty() => format!("{} {last_word} {last}", all.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// Returns `text` as a string of JSON, which is also a basic string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            char if char.is_control() => {
                write!(out, "\\u{:04x}", u32::from(char)).expect("writing to a string cannot fail");
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
