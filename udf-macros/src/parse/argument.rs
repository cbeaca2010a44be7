//! Types that cannot be an argument of an option, in a field of a UDF and in a tuple struct with
//! `#[derive(OptionType)]`. rustc finds the types that these rules do not know.

use syn::Type;

use super::types::calls;
use crate::borrowed::{OWNED, borrows};
use crate::errors::Errors;
use crate::model::Calls;

/// Notes each type that cannot be an argument, or a tuple or an array of arguments.
pub(crate) fn argument(ty: &Type, errors: &mut Errors) {
    let message = match (calls(ty).0, ty) {
        (Calls::AtMostOnce, _) => {
            "a call has all of its arguments: write the type without `Option`; if a task may leave \
             the whole option out, the field of the UDF is an `Option`"
        }
        (Calls::Any, _) => {
            "a call has a fixed number of arguments: write an array, such as `[f64; 2]`; if a task \
             may call the option any number of times, the field of the UDF is a `Vec`"
        }
        (_, Type::Paren(inner)) => return argument(&inner.elem, errors),
        (_, Type::Group(inner)) => return argument(&inner.elem, errors),
        (_, Type::Array(array)) => return argument(&array.elem, errors),
        (_, Type::Tuple(tuple)) if tuple.elems.is_empty() => {
            "an option without arguments is `#[option(flag)]` and `bool`"
        }
        (_, Type::Tuple(tuple)) => {
            count(tuple, tuple.elems.len(), errors);
            return tuple.elems.iter().for_each(|ty| argument(ty, errors));
        }
        (_, Type::Path(path)) if path.path.is_ident("i128") || path.path.is_ident("u128") => {
            "Kapacitor's integers have 64 bits; write `i64`"
        }
        _ if is_unsized(ty) || borrows(ty, true) => {
            return errors.at(ty, format_args!("an option owns its value: {OWNED}"));
        }
        _ => return,
    };
    errors.at(ty, message);
}

/// Returns whether a type is known to have no size.
fn is_unsized(ty: &Type) -> bool {
    matches!(ty, Type::Slice(_) | Type::TraitObject(_))
        || matches!(ty, Type::Path(path) if path.path.is_ident("str"))
}

/// Notes more arguments than a call can have.
pub(super) fn count(tokens: impl quote::ToTokens, count: usize, errors: &mut Errors) {
    if count > 6 {
        errors.at(tokens, format_args!("a call has at most 6 arguments, not {count}"));
    }
}
