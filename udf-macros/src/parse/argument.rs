//! Types that are known to be no argument of an option: in a field of a UDF, and in a tuple struct with
//! `#[derive(OptionType)]`.

use quote::quote;
use syn::Type;

use super::types::calls;
use super::value::show;
use crate::borrowed::owned;
use crate::errors::Errors;
use crate::model::Calls;

/// Notes what no argument, or tuple or array of arguments, can be.
pub(crate) fn argument(ty: &Type, errors: &mut Errors) {
    match (calls(ty), ty) {
        ((Calls::AtMostOnce, inner), _) => {
            let message = format!(
                "a call has all of its arguments: write {}; if the whole option may be left out, the field of \
                 the UDF is an `Option`",
                show(inner)
            );
            errors.at(ty, message);
        }
        ((Calls::Any, inner), _) => {
            let message = format!(
                "a call has a fixed number of arguments: write an array, such as {}; if the option is called any \
                 number of times, the field of the UDF is a `Vec`",
                array(&inner)
            );
            errors.at(ty, message);
        }
        (_, Type::Paren(inner)) => argument(&inner.elem, errors),
        (_, Type::Group(inner)) => argument(&inner.elem, errors),
        (_, Type::Array(array)) => argument(&array.elem, errors),
        (_, Type::Tuple(tuple)) if tuple.elems.is_empty() => {
            errors.at(tuple, "an option without arguments is `#[option(flag)]` and `bool`");
        }
        (_, Type::Tuple(tuple)) => {
            count(tuple, tuple.elems.len(), errors);
            tuple.elems.iter().for_each(|ty| argument(ty, errors));
        }
        (_, Type::Slice(slice)) => {
            let array = array(&slice.elem);
            errors
                .at(ty, format_args!("{} has no size; write an array, such as {array}", show(ty)));
        }
        (_, Type::TraitObject(_)) => {
            errors.at(ty, format_args!("{} cannot be an argument of an option", show(ty)));
        }
        (_, Type::Path(path)) if path.path.is_ident("i128") || path.path.is_ident("u128") => {
            errors.at(path, "Kapacitor's integers have 64 bits; write `i64`");
        }
        _ => {
            if let Some(owned) = owned(ty, true) {
                errors.at(ty, format_args!("an option owns its value; write {}", show(owned)));
            }
        }
    }
}

/// Notes more arguments than a call can have.
pub(super) fn count(tokens: impl quote::ToTokens, count: usize, errors: &mut Errors) {
    if count > 6 {
        errors.at(tokens, format_args!("a call has at most 6 arguments, not {count}"));
    }
}

/// An array of a type, as an example.
fn array(elem: &Type) -> String {
    show(quote!([#elem; 2]))
}
