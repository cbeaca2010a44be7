//! Keys that name options. Those of `conflicts`, `requires` and `at_least_one_of` are options that a
//! task may omit.

use proc_macro2::Ident;

use crate::errors::Errors;
use crate::model::{Field, OptionField, Role, Udf};
use crate::words::suggest::did_you_mean;

pub(super) fn check(udf: &Udf, errors: &mut Errors) {
    for set in &udf.args.at_least_one_of {
        if let [only] = &set[..] {
            errors.at(only, "`at_least_one_of` needs two options or more");
        }
        for (at, other) in set.iter().enumerate() {
            if set[..at].contains(other) {
                errors.at(other, format_args!("duplicate `{other}`; remove one"));
            } else if target(udf, other, errors).is_some_and(|option| option.required) {
                errors.at(other, format_args!("`{other}` is required, so every task calls it"));
            }
        }
    }
    for (field, option) in udf.options() {
        for (key, others) in [("conflicts", &option.conflicts), ("requires", &option.requires)] {
            for (at, other) in others.iter().enumerate() {
                if others[..at].contains(other) {
                    errors.at(other, format_args!("duplicate `{other}`; remove one"));
                } else {
                    relation(udf, field, option, key, other, errors);
                }
            }
        }
    }
    for (_, state) in udf.states() {
        for (at, name) in state.made_with.iter().enumerate() {
            if state.made_with[..at].contains(name) {
                errors.at(name, format_args!("duplicate `{name}`; remove one"));
            } else if existing(udf, name, errors).is_some_and(|option| option.secret.is_some()) {
                let message =
                    format!("`{name}` is secret, and a snapshot would show it; remove it");
                errors.at(name, message);
            }
        }
        if let Some(name) = &state.max {
            existing(udf, name, errors);
        }
    }
}

/// Returns the option of a field. The field is used more than once, so rustc would report more than
/// once that it is not there.
fn existing<'u>(udf: &'u Udf, name: &Ident, errors: &mut Errors) -> Option<&'u OptionField> {
    if !udf.fields.iter().any(|field| field.ident == *name) {
        let known: Vec<_> = udf.options().map(|(field, _)| field.ident.to_string()).collect();
        let near = did_you_mean(&name.to_string(), known.iter().map(String::as_str));
        errors.at(name, format_args!("there is no option `{name}`{near}"));
    }
    target(udf, name, errors)
}

fn relation(
    udf: &Udf,
    field: &Field,
    option: &OptionField,
    key: &str,
    other: &Ident,
    errors: &mut Errors,
) {
    if *other == field.ident {
        errors.at(other, format_args!("an option cannot be in its own `{key}`"));
        return;
    }
    let Some(target) = target(udf, other, errors) else { return };
    if key == "requires" {
        let excluded = option.conflicts.contains(other) || target.conflicts.contains(&field.ident);
        if excluded {
            let message = format!(
                "`{}` and `{other}` conflict, so neither can require the other; remove `requires` or \
                 `conflicts`",
                field.ident
            );
            errors.at(other, message);
        }
        return;
    }
    for (name, option) in [(&field.ident, option), (other, target)] {
        if option.required {
            let message = format!(
                "`{name}` is required and cannot conflict with another option; add a `default`, or \
                 write its type as `Option<T>`"
            );
            errors.at(other, message);
        }
    }
}

/// Returns the option of a field. rustc reports a field that is not there.
fn target<'u>(udf: &'u Udf, name: &Ident, errors: &mut Errors) -> Option<&'u OptionField> {
    let field = udf.fields.iter().find(|field| field.ident == *name)?;
    if let Role::Option(option) = &field.role {
        return Some(option);
    }
    errors.at(name, format_args!("`{name}` is not an option; add `#[option]` to the field"));
    None
}
