//! Types that cannot be an argument of an option, in a field of a UDF and in a struct with
//! `#[derive(OptionType)]`. rustc finds the types that these rules do not know.

use quote::ToTokens;
use syn::Type;

use super::types::calls;
use crate::borrowed::{OWNED, borrows};
use crate::errors::Errors;
use crate::model::Calls;

/// Notes each type that cannot be an argument, or a tuple or an array of arguments.
pub(crate) fn argument(ty: &Type, errors: &mut Errors) {
    match ty {
        Type::Paren(inner) => argument(&inner.elem, errors),
        Type::Group(inner) => argument(&inner.elem, errors),
        Type::Array(array) => argument(&array.elem, errors),
        Type::Tuple(tuple) if tuple.elems.is_empty() => {
            errors.at(ty, "for an option without arguments, write `#[option(flag)]` and `bool`");
        }
        Type::Tuple(tuple) => {
            count(tuple, tuple.elems.len(), errors);
            tuple.elems.iter().for_each(|ty| argument(ty, errors));
        }
        _ if calls(ty).0 != Calls::Once => {
            let message = "an argument cannot be an `Option` or a `Vec`: only the field itself can be \
                           an `Option` (a task may omit the option) or a `Vec` (a task may repeat it); \
                           for several arguments, write a tuple or an array";
            errors.at(ty, message);
        }
        Type::Path(path) if path.path.is_ident("i128") || path.path.is_ident("u128") => {
            errors.at(ty, "Kapacitor's integers have 64 bits; write `i64`");
        }
        _ if is_unsized(ty) || borrows(ty, true) => errors.at(ty, OWNED),
        _ => {}
    }
}

/// Returns whether a type is known to have no size.
fn is_unsized(ty: &Type) -> bool {
    matches!(ty, Type::Slice(_) | Type::TraitObject(_))
        || matches!(ty, Type::Path(path) if path.path.is_ident("str"))
}

/// Notes more arguments than a call can have.
pub(super) fn count(tokens: impl ToTokens, count: usize, errors: &mut Errors) {
    if count > 6 {
        errors.at(tokens, format_args!("an option has at most 6 arguments, not {count}"));
    }
}
