//! The parameters of the struct that a derive is for, and its name.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Generics, Type, parse_quote};

use super::at;

/// The name of the type that code is generated for. It is used in the place of the derive: that it is deprecated
/// is no concern of its own code.
pub(super) fn name(ident: &Ident) -> TokenStream {
    at(Span::call_site(), ident.to_token_stream())
}

/// The type parameter that a type is.
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

/// Whether the author says something of a type parameter.
pub(super) fn is_bounded(parameter: &Ident, generics: &Generics) -> bool {
    let known = generics.type_params().find(|known| known.ident == *parameter);
    known.is_some_and(|known| !known.bounds.is_empty())
        || mentions(&generics.where_clause.to_token_stream(), &[parameter.to_string()])
}

/// Asks for a trait of a type, as the derives of the standard library do of type parameters.
pub(super) fn bound(generics: &mut Generics, ty: impl ToTokens, bound: &TokenStream) {
    generics.make_where_clause().predicates.push(parse_quote!(#ty: #bound));
}

/// Whether a type depends on parameters of the struct.
pub(super) fn depends(ty: &Type, generics: &Generics) -> bool {
    let lifetimes = generics.lifetimes().map(|known| known.lifetime.ident.to_string());
    let types = generics.type_params().map(|known| known.ident.to_string());
    let consts = generics.const_params().map(|known| known.ident.to_string());
    let names: Vec<String> = lifetimes.chain(types).chain(consts).collect();
    mentions(&ty.to_token_stream(), &names)
}

/// Whether one of the names is in the tokens.
pub(super) fn mentions(tokens: &TokenStream, names: &[String]) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.iter().any(|name| ident == name),
        TokenTree::Group(group) => mentions(&group.stream(), names),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
