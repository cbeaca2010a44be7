//! `conflicts` and `requires`: both name options that a task may omit.

use proc_macro2::Ident;

use crate::errors::Errors;
use crate::model::{Field, OptionField, Role, Udf};
use crate::words::suggest::{any_of, did_you_mean};

pub(super) fn check(udf: &Udf, errors: &mut Errors) {
    for (field, option) in udf.options() {
        for (key, others) in [("conflicts", &option.conflicts), ("requires", &option.requires)] {
            for (at, other) in others.iter().enumerate() {
                if others[..at].contains(other) {
                    errors.at(other, format_args!("`{other}` is there twice; keep one"));
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
        errors.at(other, format_args!("`{key}` names another option, not its own"));
        return;
    }
    let target = match udf.fields.iter().find(|field| field.ident == *other).map(|f| &f.role) {
        Some(Role::Option(target)) => target,
        Some(Role::State(_) | Role::Memory) => {
            errors.at(other, format_args!("`{other}` is a field, but not an option"));
            return;
        }
        None => {
            let names: Vec<String> = udf
                .options()
                .map(|(known, _)| known.ident.to_string())
                .filter(|known| field.ident != known)
                .collect();
            let names = || names.iter().map(|name| &**name);
            let near = did_you_mean(&other.to_string(), names());
            let all = match names().count() {
                0 => "there is no other option".to_owned(),
                _ => format!("expected {}", any_of(names())),
            };
            errors.at(other, format_args!("there is no field `{other}`{near}\n{all}"));
            return;
        }
    };
    if key == "requires" {
        let excluded = option.conflicts.contains(other) || target.conflicts.contains(&field.ident);
        if excluded {
            let message = format!(
                "`{}` and `{other}` exclude each other by `conflicts`; keep that or `requires`",
                field.ident
            );
            errors.at(other, message);
            return;
        }
    }
    if key == "conflicts" {
        for (name, option) in [(&field.ident, option), (other, &**target)] {
            if option.required {
                let message = format!(
                    "`{name}` must be called always, so nothing can exclude it; give it a default, \
                     or write `Option`"
                );
                errors.at(other, message);
            }
        }
    } else if target.required {
        let message = format!("`{other}` must be called always; `requires` adds nothing");
        errors.at(other, message);
    } else if option.required {
        let message = format!(
            "`{}` must be called always, so `{other}` must be, too; write that without `Option` and \
             `default`, or remove `requires`",
            field.ident
        );
        errors.at(other, message);
    }
}
