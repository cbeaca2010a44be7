//! `conflicts` and `requires`: both name options that a task may omit.

use proc_macro2::Ident;

use crate::errors::Errors;
use crate::model::{Field, OptionField, Role, Udf};

pub(super) fn check(udf: &Udf, errors: &mut Errors) {
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
    // rustc reports a field that is not there.
    let Some(target) = udf.fields.iter().find(|field| field.ident == *other) else { return };
    let Role::Option(target) = &target.role else {
        errors.at(other, format_args!("`{other}` is not an option; add `#[option]` to the field"));
        return;
    };
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
    for (name, option) in [(&field.ident, option), (other, &**target)] {
        if option.required {
            let message = format!(
                "`{name}` is required and cannot conflict with another option; add a `default`, or \
                 write its type as `Option<T>`"
            );
            errors.at(other, message);
        }
    }
}
