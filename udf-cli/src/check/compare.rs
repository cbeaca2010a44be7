//! Compares the output of a UDF for some data with its output for other data.

use std::collections::BTreeMap;

use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::Context;
use super::fault::{Fault, is_data, kind};

/// Numbers count as equal below this relative difference, because sums depend on their order.
const TOLERANCE: f64 = 1e-9;

/// The data that the UDF sent.
pub(super) struct Output(Vec<Answer>);

impl Context {
    /// Sends `data` on a new connection and returns the output.
    pub(super) fn output(&self, data: Vec<Ask>) -> Result<Output, Fault> {
        let mut wire = self.started()?;
        for ask in data {
            wire.ask(ask);
        }
        wire.settle()?;
        // Another check reports a UDF that does not close.
        let _ = wire.drain();
        Ok(Output(wire.seen.iter().filter(|answer| is_data(answer)).cloned().collect()))
    }
}

impl Output {
    /// Returns the number of messages in the output.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the first difference from `other`. An integer equals a float of the same value.
    /// Fields that only `other` has are ignored.
    pub(super) fn difference(&self, other: &Output) -> Option<Difference> {
        self.difference_of(&[other])
    }

    /// Returns whether each value equals the value at the same place in one of the others.
    pub(super) fn is_of(&self, others: &[&Output]) -> bool {
        self.difference_of(others).is_none()
    }

    fn difference_of(&self, others: &[&Output]) -> Option<Difference> {
        let found = self.len();
        if let Some(expected) = others.iter().map(|other| other.len()).find(|len| *len != found) {
            return Some(Difference::Messages { found, expected });
        }
        (0..found).find_map(|at| {
            let others: Vec<_> = others.iter().map(|other| &other.0[at]).collect();
            difference(&self.0[at], &others)
        })
    }

    /// Returns whether both outputs are equal.
    pub(super) fn is(&self, other: &Output) -> bool {
        self.difference(other).is_none() && other.difference(self).is_none()
    }
}

/// How two outputs differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Difference {
    /// The number of messages differs.
    Messages { found: usize, expected: usize },
    /// The number in a field differs.
    Number { field: String, found: f64, expected: f64 },
    /// The text or boolean in a field differs, or the field is missing in the other output.
    Field(String),
    /// The kind, the time, the name or the tags differ.
    Series,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Difference::Messages { found, expected } => {
                write!(f, "{found} messages came back instead of {expected}")
            }
            Difference::Number { field, found, expected } => {
                write!(f, "`{field}` came back as {found} instead of {expected}")
            }
            Difference::Field(field) => write!(f, "`{field}` came back with another value"),
            Difference::Series => f.write_str("points with another time, name or group came back"),
        }
    }
}

/// Returns the time, the name and the tags of a message.
fn series(answer: &Answer) -> Option<(i64, &str, &BTreeMap<String, String>)> {
    Some(match answer {
        Answer::Begin(begin) => (0, &begin.name, &begin.tags),
        Answer::Point(point) => (point.time, &point.name, &point.tags),
        Answer::End(end) => (end.tmax, &end.name, &end.tags),
        _ => return None,
    })
}

fn difference(found: &Answer, others: &[&Answer]) -> Option<Difference> {
    if others.iter().any(|other| kind(found) != kind(other) || series(found) != series(other)) {
        return Some(Difference::Series);
    }
    let Answer::Point(point) = found else { return None };
    let points = |other: &&Answer| match other {
        Answer::Point(point) => Some(point.clone()),
        _ => None,
    };
    let others: Vec<_> = others.iter().filter_map(points).collect();
    for (field, found) in numbers(point) {
        let values: Vec<_> = others.iter().filter_map(|other| number(other, field)).collect();
        match values.first() {
            None => return Some(Difference::Field(field.clone())),
            Some(&expected) if !values.iter().any(|value| about(found, *value)) => {
                return Some(Difference::Number { field: field.clone(), found, expected });
            }
            Some(_) => {}
        }
    }
    let text = point.fields_string.iter().find(|(name, value)| {
        let mut texts = others.iter().filter_map(|other| other.fields_string.get(*name));
        !texts.any(|other| same_text(value, other))
    });
    let bool = point.fields_bool.iter().find(|(name, value)| {
        !others.iter().any(|other| other.fields_bool.get(*name) == Some(value))
    });
    let name = text.map(|(name, _)| name).or(bool.map(|(name, _)| name));
    name.map(|name| Difference::Field(name.clone()))
}

fn numbers(point: &Point) -> impl Iterator<Item = (&String, f64)> {
    let ints = point.fields_int.iter().map(|(name, value)| (name, *value as f64));
    ints.chain(point.fields_double.iter().map(|(name, value)| (name, *value)))
}

fn number(point: &Point, name: &str) -> Option<f64> {
    let int = point.fields_int.get(name).map(|value| *value as f64);
    int.or(point.fields_double.get(name).copied())
}

fn about(one: f64, other: f64) -> bool {
    one == other
        || (one.is_nan() && other.is_nan())
        || (one - other).abs() <= TOLERANCE * one.abs().max(other.abs())
}

/// Compares texts with the numbers in them: `10 %` equals `10.0 %`.
fn same_text(one: &str, other: &str) -> bool {
    one == other || with_whole_numbers(one) == with_whole_numbers(other)
}

/// Removes each `.0` at the end of a number.
fn with_whole_numbers(text: &str) -> String {
    let is_digit = |char: char| char.is_ascii_digit();
    let mut parts = text.split(".0");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if !out.ends_with(is_digit) || part.starts_with(is_digit) {
            out.push_str(".0");
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(ints: &[(&str, i64)], doubles: &[(&str, f64)]) -> Output {
        let owned = |name: &&str| (*name).to_owned();
        Output(vec![Answer::Point(Point {
            fields_int: ints.iter().map(|(name, value)| (owned(name), *value)).collect(),
            fields_double: doubles.iter().map(|(name, value)| (owned(name), *value)).collect(),
            ..Point::default()
        })])
    }

    #[test]
    fn an_integer_equals_a_float_of_the_same_value() {
        assert!(output(&[("a", 10)], &[]).is(&output(&[], &[("a", 10.0)])));
        assert!(output(&[], &[("a", 0.1 + 0.2)]).is(&output(&[], &[("a", 0.3)])));
        let difference = output(&[("a", 0)], &[]).difference(&output(&[], &[("a", 10.0)]));
        assert_eq!(
            difference.expect("the outputs differ").to_string(),
            "`a` came back as 0 instead of 10"
        );
    }

    #[test]
    fn a_text_with_an_integer_equals_one_with_a_float_of_the_same_value() {
        assert!(same_text("10 % of 3.0", "10.0 % of 3"));
        for (one, other) in
            [("1.05", "15"), ("10.05", "105"), ("v.0", "v"), (".0", ""), ("1.00", "1")]
        {
            assert!(!same_text(one, other), "{one} {other}");
        }
    }

    #[test]
    fn fields_of_the_other_alone_do_not_count() {
        let (less, more) = (output(&[("a", 1)], &[]), output(&[("a", 1)], &[("b", 0.0)]));
        assert_eq!(less.difference(&more), None);
        assert_eq!(more.difference(&less), Some(Difference::Field("b".to_owned())));
        assert!(!less.is(&more));
    }
}
