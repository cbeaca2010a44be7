//! Checks that `range` and `len` contain a value, the default and the example. Only literals are
//! checked here: `testing::check` checks computed values.

use std::cmp::Ordering;

use syn::Expr;

use crate::errors::Errors;
use crate::model::{Default, OptionField, Range, Value};
use crate::parse::{Literal, elements, literal};
use crate::words::duration;

pub(super) fn check(option: &OptionField, errors: &mut Errors) {
    for (key, range) in [("range", &option.range), ("len", &option.len)] {
        let Some(range) = range else { continue };
        let bound = |end: &Option<Value>| number(&end.as_ref()?.written, false);
        let (min, max) = (bound(&range.min), bound(&range.max));
        let contains = |value| contains(range, min, max, value);
        if min.zip(max).is_some_and(|(min, max)| is_empty(range, min, max)) {
            errors.at(&range.written, format_args!("no value is within `{}`", range.shown));
            continue;
        }
        let default = match &option.default {
            Some(Default::Is(value)) => Some(value),
            Some(Default::OfType(_)) | None => None,
        };
        for (name, value) in [("default", default), ("example", option.example.as_ref())] {
            let values = value.map_or(Vec::new(), |value| elements(&value.written));
            let is_outside =
                |one: &&Expr| number(one, key == "len").is_some_and(|value| !contains(value));
            for outside in values.into_iter().filter(is_outside) {
                errors.at(outside, format_args!("the {name} is not within `{}`", range.shown));
            }
        }
    }
}

/// A literal, for comparison.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

/// Returns the number that a literal stands for. For text, it is the number of characters, or the
/// nanoseconds of a duration.
fn number(written: &Expr, is_len: bool) -> Option<Number> {
    Some(match literal(written)? {
        Literal::String(text) if is_len => Number::Int(text.chars().count() as i128),
        Literal::String(text) => Number::Int(duration::nanos(&text).ok()?.into()),
        Literal::Int(int) if !is_len => Number::Int(int),
        Literal::Float(float) if !is_len => Number::Float(float),
        _ => return None,
    })
}

fn contains(range: &Range, min: Option<Number>, max: Option<Number>, value: Number) -> bool {
    let above = |min| match compare(value, min) {
        Ordering::Less => false,
        Ordering::Equal => !range.above,
        Ordering::Greater => true,
    };
    let below = |max| match compare(value, max) {
        Ordering::Less => true,
        Ordering::Equal => range.inclusive,
        Ordering::Greater => false,
    };
    min.is_none_or(above) && max.is_none_or(below)
}

fn is_empty(range: &Range, min: Number, max: Number) -> bool {
    match compare(min, max) {
        Ordering::Less => false,
        Ordering::Equal => range.above || !range.inclusive,
        Ordering::Greater => true,
    }
}

fn compare(one: Number, other: Number) -> Ordering {
    let float = |number| match number {
        Number::Int(int) => int as f64,
        Number::Float(float) => float,
    };
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one.cmp(&other),
        _ => float(one).total_cmp(&float(other)),
    }
}
