//! The attributes of one option, against its type and against each other.

use quote::ToTokens;

use super::bounds;
use crate::errors::Errors;
use crate::model::{Calls, Default, Field, OptionField};
use crate::parse::{Known, argument, calls, known, show};

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
    bounds::check(option, errors);
}

fn flag(field: &Field, option: &OptionField, errors: &mut Errors) {
    if !matches!(known(&field.ty), Known::Bool | Known::Other) || option.calls != Calls::Once {
        let message =
            format!("a flag is true when it is called: it is bool, not {}", show(&field.ty));
        errors.at(&field.ty, message);
    }
    let others = [
        ("default", option.default.as_ref().map(Default::tokens)),
        ("example", option.example.as_ref().map(|example| example.written.to_token_stream())),
        ("env", option.env.as_ref().map(ToTokens::to_token_stream)),
        ("secret", option.secret.as_ref().map(ToTokens::to_token_stream)),
        ("len", option.len.as_ref().map(|len| len.written.to_token_stream())),
        ("parse", option.parse.as_ref().map(ToTokens::to_token_stream)),
        ("range", option.range.as_ref().map(|range| range.written.to_token_stream())),
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
        errors.at(&range.written, message);
    }
}

/// Types that are known to be none for an option.
fn ty(field: &Field, option: &OptionField, errors: &mut Errors) {
    let (inner_calls, _) = calls(&option.value);
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
    argument(&option.value, errors);
}

fn calls_and_default(field: &Field, option: &OptionField, errors: &mut Errors) {
    match (&option.default, option.calls) {
        (Some(default), Calls::Any) => {
            let message = "a `Vec` is empty when the option is never called: it has no `default`";
            errors.at(default.tokens(), message);
        }
        (Some(_), Calls::AtMostOnce) => {
            let message = "with a `default`, it is never `None`: write the type without `Option`";
            errors.at(&field.ty, message);
        }
        _ => {}
    }
}
