//! `range` and `len`: neither is empty, and the default and the example are within them. Only literals
//! are checked here; `cargo test` checks other values.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Expr;

use crate::errors::Errors;
use crate::model::{Default, OptionField, Range, Value};
use crate::parse::{Known, Literal, known, literal, plain, show};
use crate::words::duration;

pub(super) fn check(option: &OptionField, errors: &mut Errors) {
    if let Some(range) = &option.range {
        let lowest = match known(&option.value) {
            Known::Array(element) => lowest(&known(&element)),
            known => lowest(&known),
        };
        bounds(range, "range", lowest, option, errors);
    }
    if let Some(len) = &option.len {
        bounds(len, "len", Some(0), option, errors);
    }
}

/// Returns the least value of a type, if the type is known.
fn lowest(ty: &Known) -> Option<i128> {
    match ty {
        Known::Int(int) => Some(int.min),
        Known::NonZero(int) => Some(if int.min == 0 { 1 } else { int.min }),
        Known::Duration => Some(0),
        _ => None,
    }
}

/// A literal, for comparison.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

fn number(literal: &Literal) -> Option<Number> {
    match literal {
        Literal::Int(int) => Some(Number::Int(*int)),
        Literal::Float(float) => Some(Number::Float(*float)),
        Literal::String(text) => Some(Number::Int(duration::nanos(text).ok()?.into())),
        Literal::Bool(_) | Literal::Char(_) | Literal::Other => None,
    }
}

/// Compares literals. An integer becomes a float if the other literal is one.
fn less(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one < other,
        (Number::Float(one), Number::Float(other)) => one < other,
        (Number::Int(one), Number::Float(other)) => (one as f64) < other,
        (Number::Float(one), Number::Int(other)) => one < other as f64,
    }
}

/// The ends of a range that are literals.
struct Ends {
    min: Option<Number>,
    max: Option<Number>,
    inclusive: bool,
}

impl Ends {
    fn contain(&self, value: Number) -> bool {
        let above = self.max.is_some_and(|max| match self.inclusive {
            true => less(max, value),
            false => !less(value, max),
        });
        !above && !self.min.is_some_and(|min| less(value, min))
    }
}

/// Notes an empty range, and literals out of the range.
fn bounds(
    range: &Range,
    key: &str,
    lowest: Option<i128>,
    option: &OptionField,
    errors: &mut Errors,
) {
    let tokens = &range.written;
    let end = |end: &Option<Value>| number(&literal(&end.as_ref()?.written)?);
    let ends = Ends { min: end(&range.min), max: end(&range.max), inclusive: range.inclusive };
    if let Some(why) = empty(range, &ends, lowest) {
        errors.at(tokens, format_args!("nothing is within this `{key}`: {why}"));
        return;
    }
    for (what, literal, written) in literals(option) {
        let value = match (key, &literal) {
            ("len", Literal::String(text)) => Some(Number::Int(text.chars().count() as i128)),
            ("len", _) => None,
            _ => number(&literal),
        };
        if value.is_some_and(|value| !ends.contain(value)) {
            let range = show(tokens);
            errors.at(written, format_args!("its {what} is not within its `{key}`, {range}"));
        }
    }
}

/// Returns why a range is empty, if it is.
fn empty(range: &Range, ends: &Ends, lowest: Option<i128>) -> Option<String> {
    let max = ends.max?;
    let Some(first) = &range.min else {
        let lowest = lowest.filter(|lowest| !ends.contain(Number::Int(*lowest)))?;
        let lowest = match range.max.as_ref().map(|max| literal(&max.written)) {
            Some(Some(Literal::String(_))) => "\"0s\"".to_owned(),
            _ => lowest.to_string(),
        };
        return Some(format!("its values begin at {lowest}"));
    };
    let (min, last) = (ends.min?, range.max.as_ref()?.written.to_token_stream());
    let first = first.written.to_token_stream();
    if less(max, min) {
        let to = if range.inclusive { "..=" } else { ".." };
        Some(format!("it begins behind its end; did you mean `{last}{to}{first}`?"))
    } else if !range.inclusive && !less(min, max) {
        Some(format!("its end is not part of it; did you mean `{first}..={last}`?"))
    } else {
        None
    }
}

/// Returns the literals of the default and the example, and the tokens to edit. Each element of an array
/// is one.
fn literals(option: &OptionField) -> Vec<(&'static str, Literal, TokenStream)> {
    let of = |what, value: &Value| {
        let literals = elements(&value.written)
            .into_iter()
            .filter_map(move |one| Some((what, literal(one)?, one.to_token_stream())));
        literals.collect::<Vec<_>>()
    };
    let mut all = match &option.default {
        Some(Default::Is(value)) => of("default", value),
        Some(Default::OfType(key)) => {
            let value = match known(&option.value) {
                Known::Int(_) | Known::Float | Known::Duration => {
                    Some(("default, which is 0,", Literal::Int(0)))
                }
                Known::String => Some(("default, which is \"\",", Literal::String(String::new()))),
                _ => None,
            };
            value.map(|(what, value)| (what, value, key.to_token_stream())).into_iter().collect()
        }
        None => Vec::new(),
    };
    if let Some(example) = &option.example {
        all.extend(of("example", example));
    }
    all
}

fn elements(written: &Expr) -> Vec<&Expr> {
    match plain(written) {
        Expr::Array(array) => array.elems.iter().collect(),
        _ => vec![written],
    }
}
