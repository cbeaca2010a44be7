//! The generics and the name of the type of a derive.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Generics, Type, parse_quote};

use super::at;

/// Returns the name of the type that code is generated for. Its span is the derive's: a deprecated
/// type causes no warning in its own code.
pub(super) fn name(ident: &Ident) -> TokenStream {
    at(Span::call_site(), ident.to_token_stream())
}

/// Returns the type parameter that a type is, if it is one.
pub(super) fn parameter<'t>(ty: &'t Type, generics: &Generics) -> Option<&'t Ident> {
    match ty {
        Type::Group(inner) => parameter(&inner.elem, generics),
        Type::Paren(inner) => parameter(&inner.elem, generics),
        Type::Path(path) if path.qself.is_none() => {
            let ident = path.path.get_ident()?;
            generics.type_params().any(|known| known.ident == *ident).then_some(ident)
        }
        _ => None,
    }
}

/// Returns whether the author wrote a bound of a type parameter.
pub(super) fn is_bounded(parameter: &Ident, generics: &Generics) -> bool {
    let known = generics.type_params().find(|known| known.ident == *parameter);
    known.is_some_and(|known| !known.bounds.is_empty())
        || mentions(&generics.where_clause.to_token_stream(), parameter)
}

/// Adds a trait as a bound of a type.
pub(super) fn bound(generics: &mut Generics, ty: impl ToTokens, bound: &TokenStream) {
    generics.make_where_clause().predicates.push(parse_quote!(#ty: #bound));
}

/// Returns the generics with a trait as a bound of every type parameter, as the derives of the
/// standard library have it.
pub(super) fn with_bound(generics: &Generics, bound: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#bound));
    }
    generics
}

/// Returns whether the name is in the tokens.
fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
