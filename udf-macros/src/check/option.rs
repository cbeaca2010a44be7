//! The attributes of one option, against its type and against each other.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Type, TypeReference};

use crate::errors::Errors;
use crate::model::{At, Calls, Default, Expr, Field, OptionField, Range};
use crate::parse::{Known, Literal, calls, known, literal, show};
use crate::words::duration;

pub(super) fn check(field: &Field, option: &OptionField, errors: &mut Errors) {
    if option.flag {
        flag(field, option, errors);
    } else if option.parse.is_some() {
        parse(field, option, errors);
    } else {
        ty(field, option, errors);
    }
    calls_and_default(field, option, errors);
    if let (Some(advice), true) = (&option.deprecated, option.required) {
        let message = "every task must call this option; one that is deprecated needs a default";
        errors.at(advice, message);
    }
    if let Some(range) = &option.range {
        bounds(range, "range", option, errors);
    }
    if let Some(len) = &option.len {
        bounds(len, "len", option, errors);
    }
}

fn flag(field: &Field, option: &OptionField, errors: &mut Errors) {
    if !matches!(known(&field.ty), Known::Bool | Known::Other) || option.calls != Calls::Once {
        let message =
            format!("a flag is true when it is called: it is bool, not {}", show(&field.ty));
        errors.at(&field.ty, message);
    }
    let others = [
        ("default", option.default.as_ref().map(|default| default.tokens.clone())),
        ("example", option.example.as_ref().map(|example| example.tokens.clone())),
        ("len", option.len.as_ref().map(|len| len.tokens.clone())),
        ("parse", option.parse.as_ref().map(ToTokens::to_token_stream)),
        ("range", option.range.as_ref().map(|range| range.tokens.clone())),
        ("validate", option.validate.as_ref().map(ToTokens::to_token_stream)),
    ];
    for (key, tokens) in others {
        if let Some(tokens) = tokens {
            let message = format!("a flag has no argument and is false by default: no `{key}`");
            errors.at(tokens, message);
        }
    }
}

fn parse(field: &Field, option: &OptionField, errors: &mut Errors) {
    if !matches!(known(&option.value), Known::Other) {
        let message = format!("{} is an option as it is; remove `parse`", show(&field.ty));
        errors.at(&option.parse, message);
    } else if let Some(range) = &option.range {
        let message = "what is parsed from text has no `range`; write `validate = path`";
        errors.at(&range.tokens, message);
    }
}

/// Types that are known to be none for an option.
fn ty(field: &Field, option: &OptionField, errors: &mut Errors) {
    let (inner_calls, _) = calls(&option.value);
    let outer = if option.calls == Calls::Any { "Vec" } else { "Option" };
    if option.calls != Calls::Once && inner_calls != Calls::Once {
        let message = match (option.calls, inner_calls) {
            (Calls::AtMostOnce, Calls::Any) => {
                "an option that is never called is an empty `Vec`; remove `Option`"
            }
            (Calls::AtMostOnce, _) => "an option is called or not: one `Option` is enough",
            (_, Calls::AtMostOnce) => "every element of the `Vec` is a call; remove `Option`",
            (_, _) => {
                "each call is one element: write `Vec<T>`; for several arguments in a call, \
                 T is a tuple or an array"
            }
        };
        errors.at(&field.ty, message);
        return;
    }
    match &option.value {
        // One whose lifetime was left out is told as that.
        Type::Reference(reference) if !field.borrows => {
            let message = format!("an option owns its value; write {}", owned(reference));
            errors.at(reference, message);
        }
        Type::Path(path) if path.path.is_ident("i128") || path.path.is_ident("u128") => {
            errors.at(path, "Kapacitor's integers have 64 bits; write `i64`");
        }
        Type::Path(path) if path.path.is_ident("str") => errors.at(path, "write `String`"),
        Type::Tuple(tuple) if tuple.elems.is_empty() => {
            let message = match option.calls {
                Calls::Once => {
                    "an option without arguments is `#[option(flag)]` and bool".to_owned()
                }
                _ => format!("an option without arguments is a flag, not `{outer}<()>`"),
            };
            errors.at(tuple, message);
        }
        Type::Tuple(tuple) if tuple.elems.len() > 6 => {
            let count = tuple.elems.len();
            errors.at(tuple, format_args!("a call has at most 6 arguments, not {count}"));
        }
        _ => {}
    }
}

/// The type that owns what is borrowed here.
pub(super) fn owned(reference: &TypeReference) -> String {
    match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => "`String`".to_owned(),
        Type::Path(path) if path.path.is_ident("Path") => "`PathBuf`".to_owned(),
        Type::Slice(slice) => {
            let elem = &slice.elem;
            show(quote!(Vec<#elem>))
        }
        elem => show(elem),
    }
}

fn calls_and_default(field: &Field, option: &OptionField, errors: &mut Errors) {
    match (&option.default, option.calls) {
        (Some(default), Calls::Any) => {
            let message = "a `Vec` is empty when the option is never called: it has no `default`";
            errors.at(&default.tokens, message);
        }
        (Some(_), Calls::AtMostOnce) => {
            let message = "with a `default`, it is never `None`: write the type without `Option`";
            errors.at(&field.ty, message);
        }
        _ => {}
    }
    let has_len = option.calls == Calls::Any
        || option.parse.is_some()
        || matches!(known(&option.value), Known::String | Known::Other);
    if let (Some(len), false) = (&option.len, has_len || option.flag) {
        let message = format!(
            "`len` is for String (its characters) and Vec (how often it is called), not {}",
            show(&field.ty)
        );
        errors.at(&len.tokens, message);
    }
}

/// A literal end or value, for comparison.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

fn number(written: &TokenStream) -> Option<Number> {
    match literal(written)? {
        Literal::Int(int) => Some(Number::Int(int)),
        Literal::Float(float) => Some(Number::Float(float)),
        Literal::String(text) => Some(Number::Int(duration::nanos(&text).ok()?.into())),
        Literal::Bool | Literal::Char | Literal::Other => None,
    }
}

/// Compares literals; an integer is a float where the other is one.
fn less(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one < other,
        (Number::Float(one), Number::Float(other)) => one < other,
        (Number::Int(one), Number::Float(other)) => (one as f64) < other,
        (Number::Float(one), Number::Int(other)) => one < other as f64,
    }
}

/// Why a range with these ends leaves nothing, if it does.
fn empty(range: &Range, min: Option<Number>, max: Option<Number>) -> Option<String> {
    let (low, high) = (min?, max?);
    let (first, last) = (&range.min.as_ref()?.written, &range.max.as_ref()?.written);
    if less(high, low) {
        let to = if range.inclusive { "..=" } else { ".." };
        Some(format!("it begins behind its end; did you mean `{last}{to}{first}`?"))
    } else if !range.inclusive && !less(low, high) {
        Some(format!("its end is not part of it; did you mean `{first}..={last}`?"))
    } else {
        None
    }
}

/// Ends that leave nothing, and literals out of the range.
fn bounds(range: &At<Range>, key: &str, option: &OptionField, errors: &mut Errors) {
    let At { value: range, tokens } = range;
    let end = |end: &Option<Expr>| {
        end.as_ref().filter(|end| !end.wrong).and_then(|end| number(&end.written))
    };
    let (min, max) = (end(&range.min), end(&range.max));
    if let Some(why) = empty(range, min, max) {
        errors.at(tokens, format_args!("nothing is within this `{key}`: {why}"));
        return;
    }
    let default = option.default.as_ref().and_then(|default| match &default.value {
        Default::Is(expr) => Some(expr),
        Default::OfType => None,
    });
    let example = option.example.as_ref().map(|example| &example.value);
    for (what, value) in [("default", default), ("example", example)] {
        let Some(Expr { written, wrong: false, .. }) = value else { continue };
        let value = match (key, literal(written)) {
            ("len", Some(Literal::String(text))) => Number::Int(text.chars().count() as i128),
            ("range", _) => match number(written) {
                Some(value) => value,
                None => continue,
            },
            _ => continue,
        };
        let below = min.is_some_and(|min| less(value, min));
        let above = max.is_some_and(|max| match range.inclusive {
            true => less(max, value),
            false => !less(value, max),
        });
        if below || above {
            let range = show(tokens);
            errors.at(written, format_args!("its {what} is not within its `{key}`, {range}"));
        }
    }
}
