//! The rules of one option: its type, and its attributes.

use super::bounds;
use crate::errors::Errors;
use crate::model::{Calls, Field, OptionField};
use crate::parse::{Known, argument, known, show};

pub(super) fn check(field: &Field, option: &OptionField, errors: &mut Errors) {
    ty(field, option, errors);
    match (&option.default, option.calls) {
        (Some(default), Calls::Any) => {
            let message = "a `Vec` cannot have a `default`: without calls, it is empty";
            errors.at(default.tokens(), message);
        }
        (Some(_), Calls::AtMostOnce) => {
            let message = "an option with a `default` is never `None`; remove `Option`";
            errors.at(&field.ty, message);
        }
        _ => {}
    }
    if let (Some(advice), true) = (&option.deprecated, option.required) {
        errors.at(advice, "a required option cannot be deprecated; add a `default`");
    }
    if let (Some(hidden), true) = (&option.hidden, option.required) {
        errors.at(hidden, "a required option cannot be hidden; add a `default`");
    }
    if let (Some(words), None, None) = (&option.must_be, &option.validate, &option.parse) {
        errors.at(words, "`must_be` describes the rule of `validate` or `parse`; add one of them");
    }
    bounds::check(option, errors);
}

/// Notes types that cannot be an option.
fn ty(field: &Field, option: &OptionField, errors: &mut Errors) {
    let known = known(&option.value);
    if option.flag {
        if !matches!(known, Known::Bool | Known::Other) || option.calls != Calls::Once {
            let message = format!("the type of a flag is `bool`, not {}", show(&field.ty));
            errors.at(&field.ty, message);
        }
    } else if option.parse.is_none() {
        argument(&option.value, errors);
    } else if known.is_of_rust() {
        let message = format!("{} can be an option without `parse`; remove it", show(&field.ty));
        errors.at(&option.parse, message);
    } else if let Some(range) = &option.range {
        let message = "an option with `parse` cannot have a `range`; write `validate = path`";
        errors.at(&range.written, message);
    }
}
