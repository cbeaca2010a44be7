//! The rules of one option: its type, and its attributes.

use super::bounds;
use crate::errors::Errors;
use crate::model::{Calls, Field, OptionField};
use crate::parse::{Known, argument, calls, known, show};

pub(super) fn check(field: &Field, option: &OptionField, errors: &mut Errors) {
    if option.flag {
        if !matches!(known(&field.ty), Known::Bool | Known::Other) || option.calls != Calls::Once {
            let message = format!("a flag is a `bool`, not {}", show(&field.ty));
            errors.at(&field.ty, message);
        }
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

fn parse(field: &Field, option: &OptionField, errors: &mut Errors) {
    if !matches!(known(&option.value), Known::Other) {
        let message = format!("{} is an option as it is; remove `parse`", show(&field.ty));
        errors.at(&option.parse, message);
    } else if let Some(range) = &option.range {
        let message = "what is parsed from text has no `range`; write `validate = path`";
        errors.at(&range.written, message);
    }
}

/// Notes types that cannot be an option.
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
