//! Names: TICKscript must be able to call them, and no two may be the same.

use crate::errors::Errors;
use crate::model::{At, Role, Udf};
use crate::words::tickscript::why_not_callable;

pub(super) fn check(udf: &Udf, errors: &mut Errors) {
    let mut taken: Vec<(&str, String)> = Vec::new();
    for (field, option) in udf.options() {
        for At { value: name, tokens } in option.name.iter().chain(&option.aliases) {
            if let Some(why) = why_not_callable(name) {
                let message = format!("a TICKscript cannot call `.{name}(...)`: {why}");
                errors.at(tokens, format_args!("{message}\nwrite `name = \"...\"`"));
                continue;
            }
            if let Some((_, owner)) = taken.iter().find(|(taken, _)| taken == name) {
                let message = format!("the name `{name}` is taken by the option of `{owner}`");
                errors.at(tokens, format_args!("{message}; write `name = \"...\"` for one"));
                continue;
            }
            taken.push((name, field.ident.to_string()));
        }
    }
    let mut saved: Vec<(&str, &syn::Ident)> = Vec::new();
    for field in &udf.fields {
        let Role::State(name) = &field.role else { continue };
        if let Some((_, owner)) = saved.iter().find(|(saved, _)| saved == name) {
            let message = format!("the state `{name}` is that of `{owner}` already");
            errors.at(&field.ident, message);
        }
        saved.push((name, &field.ident));
    }
}
