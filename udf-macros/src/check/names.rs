//! Names: a TICKscript can call each of them, and no two are the same.

use crate::errors::Errors;
use crate::model::{At, Udf};
use crate::words::tickscript::why_not_callable;

pub(super) fn check(udf: &Udf, errors: &mut Errors) {
    if let Some(At { value: name, tokens }) = &udf.args.name
        && let Some(why) = why_not_callable(name)
    {
        errors.at(tokens, format_args!("a TICKscript cannot call `@{name}()`: {why}"));
    }
    let mut taken: Vec<(&str, &syn::Ident)> = Vec::new();
    for (field, option) in udf.options() {
        let names = option.name.iter().map(|name| ("name", name));
        let aliases = option.aliases.iter().map(|alias| ("alias", alias));
        for (key, At { value: name, tokens }) in names.chain(aliases) {
            if let Some(why) = why_not_callable(name) {
                let message = format!("a TICKscript cannot call `.{name}(...)`: {why}");
                errors.at(tokens, format_args!("{message}\nwrite `{key} = \"...\"`"));
                continue;
            }
            match taken.iter().find(|(taken, _)| taken == name) {
                None => taken.push((name, &field.ident)),
                Some((_, owner)) if **owner != field.ident => {
                    let message = format!(
                        "`{name}` is already the name of the option `{owner}`; write `name = \"...\"`"
                    );
                    errors.at(tokens, message);
                }
                Some(_) if key == "alias" => {
                    let message = "the option already has this name; remove the alias";
                    errors.at(tokens, message);
                }
                // rustc reports two fields of the same name.
                Some(_) => {}
            }
        }
    }
    let mut saved: Vec<(String, &syn::Ident)> = Vec::new();
    for (field, state) in udf.states() {
        for name in [Some(state.name.clone()), state.name_of_options()].into_iter().flatten() {
            let owner = saved.iter().find(|(saved, _)| *saved == name).map(|(_, owner)| *owner);
            if let Some(owner) = owner.filter(|owner| **owner != field.ident) {
                let message = format!("`{owner}` is already saved as `{name}`; write another name");
                errors.at(&field.ident, message);
            }
            saved.push((name, &field.ident));
        }
    }
}
