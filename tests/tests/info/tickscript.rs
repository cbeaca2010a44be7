//! Parses TICKscript as Kapacitor does.

use udf_proto::{OptionCall, Value};

/// Returns the calls of options in a TICKscript.
pub(crate) fn calls(tick: &str) -> Vec<OptionCall> {
    let live: String = tick
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("//"))
        .skip_while(|line| !line.starts_with("    @"))
        .skip(1)
        .take_while(|line| !line.starts_with("    |"))
        .collect();
    chain(&live)
}

/// Parses consecutive calls.
pub(crate) fn chain(text: &str) -> Vec<OptionCall> {
    let mut rest = text.trim_start();
    let mut calls = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest[1..].split_once('(').expect("a call has arguments");
        assert!(rest.starts_with('.') && name.chars().all(char::is_alphanumeric), "{rest}");
        let mut call = OptionCall { name: name.to_owned(), values: Vec::new() };
        rest = behind;
        while !rest.starts_with(')') {
            let value;
            (value, rest) = argument(rest.trim_start_matches(", "));
            call.values.push(value);
        }
        rest = rest[1..].trim_start();
        calls.push(call);
    }
    calls
}

fn argument(text: &str) -> (Value, &str) {
    if let Some(behind) = text.strip_prefix("'''") {
        let (text, rest) = behind.split_once("'''").expect("the text ends");
        return (Value::from(text), rest);
    }
    if let Some(behind) = text.strip_prefix('\'') {
        let quotes = behind.match_indices('\'').map(|(at, _)| at);
        let end = quotes.into_iter().find(|&at| !behind[..at].ends_with('\\'));
        let (text, rest) = behind.split_at(end.expect("the text ends"));
        return (Value::String(text.replace("\\'", "'")), &rest[1..]);
    }
    let end = text.find([',', ')']).expect("an argument ends");
    let (word, rest) = text.split_at(end);
    let unit =
        word.trim_start_matches(['-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let number = &word[..word.len() - unit.len()];
    let value = match (word, unit) {
        ("TRUE", _) => Value::Bool(true),
        ("FALSE", _) => Value::Bool(false),
        (_, "") if number.contains('.') => Value::Double(number.parse().expect("a DOUBLE")),
        (_, "") => Value::Int(number.parse().expect("an INT")),
        (_, unit) => {
            let units = [("ns", 1), ("u", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
            let longer = [("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];
            let longer = longer.map(|(unit, seconds)| (unit, seconds * 1_000_000_000));
            let mut all = units.into_iter().chain(longer);
            let (_, nanos) = all.find(|&(name, _)| name == unit).expect("a unit of TICKscript");
            Value::Duration(number.parse::<i64>().expect("a DURATION") * nanos)
        }
    };
    (value, rest)
}
