//! The members of a tuple struct with `#[derive(OptionType)]`, each an argument: types that are known to be none.

use quote::quote;
use syn::{DeriveInput, Type};

use super::refused::refused;
use super::types::calls;
use super::value::show;
use crate::check::owned;
use crate::errors::Errors;
use crate::model::Calls;

/// Notes what no argument can be. Only the `last` member can have no size: of others, rustc says so.
pub(super) fn argument(ty: &Type, last: bool, input: &DeriveInput, errors: &mut Errors) {
    let of = &input.ident;
    match (calls(ty), ty) {
        ((Calls::AtMostOnce, inner), _) => {
            let inner = show(inner);
            let message = format!(
                "a call has all of its arguments: write {inner} here, and `Option<{of}>` in the UDF if the \
                 option may be left out"
            );
            errors.at(ty, message);
        }
        ((Calls::Any, inner), _) => {
            let array = array(&inner);
            let message = format!(
                "a call has a fixed number of arguments: write an array, such as {array}; or `Vec<{of}>` in \
                 the UDF, for an option that is called any number of times"
            );
            errors.at(ty, message);
        }
        (_, Type::Paren(inner)) => argument(&inner.elem, last, input, errors),
        (_, Type::Group(inner)) => argument(&inner.elem, last, input, errors),
        (_, Type::Array(array)) => argument(&array.elem, false, input, errors),
        (_, Type::Tuple(tuple)) if tuple.elems.is_empty() => {
            let message =
                "this is no argument; an option without arguments is `#[option(flag)]` and bool";
            errors.at(tuple, message);
        }
        (_, Type::Tuple(tuple)) if tuple.elems.len() > 6 => {
            let count = tuple.elems.len();
            errors.at(tuple, format_args!("a call has at most 6 arguments, not {count}"));
        }
        (_, Type::Tuple(tuple)) => {
            tuple.elems.iter().for_each(|ty| argument(ty, false, input, errors));
        }
        (_, Type::Reference(reference)) => {
            let owned = match &*reference.elem {
                Type::Slice(slice) => array(&slice.elem),
                _ => owned(ty).unwrap_or_default(),
            };
            let message = format!("an option owns its value; write {owned}");
            match refused(ty, &input.generics) {
                true => errors.unless_refused(ty, message),
                false => errors.at(ty, message),
            }
        }
        _ if is_unsized(ty) => {
            let instead = match ty {
                Type::Slice(slice) => format!("; write an array, such as {}", array(&slice.elem)),
                Type::Path(_) => "; write `String`".to_owned(),
                _ => String::new(),
            };
            let message = format!("{} cannot be an argument of an option{instead}", show(ty));
            match last {
                true => errors.at(ty, message),
                false => errors.unless_refused(ty, message),
            }
        }
        (_, Type::Path(path)) if path.path.is_ident("i128") || path.path.is_ident("u128") => {
            errors.at(path, "Kapacitor's integers have 64 bits; write `i64`");
        }
        _ if refused(ty, &input.generics) => {
            errors
                .unless_refused(ty, "an option owns its value; write a type that borrows nothing");
        }
        _ => {}
    }
}

/// An array of a type, as an example.
fn array(elem: &Type) -> String {
    show(quote!([#elem; 2]))
}

/// Whether a value of this type has no size: then nothing can be implemented for a struct that ends with it.
pub(crate) fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Paren(inner) => is_unsized(&inner.elem),
        Type::Group(inner) => is_unsized(&inner.elem),
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}
