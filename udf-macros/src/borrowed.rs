//! Types that borrow. rustc advises a lifetime for such a type, which a UDF cannot have.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Lifetime, Type};

/// The error for a type that borrows.
pub(crate) const OWNED: &str = "a UDF must own its data; write an owned type, such as `String` for \
                                text or `PointBuf` for a point";

/// Returns whether a type borrows. `static_too` says whether `'static` counts.
pub(crate) fn borrows(ty: &Type, static_too: bool) -> bool {
    lifetimes(ty).iter().any(|lifetime| static_too || lifetime.ident != "static")
}

/// Returns the lifetimes in a type, `'_` for each `&` without one.
pub(crate) fn lifetimes(ty: &Type) -> Vec<Lifetime> {
    let mut found = Vec::new();
    collect(ty.to_token_stream(), &mut found);
    found
}

fn is_quote(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == '\'')
}

fn collect(tokens: TokenStream, found: &mut Vec<Lifetime>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match (token, tokens.peek()) {
            // The arguments of `fn` and `dyn Fn` have lifetimes of their own.
            (TokenTree::Ident(word), _) if word == "fn" || word == "dyn" || word == "for" => return,
            (TokenTree::Punct(and), next) if and.as_char() == '&' && !is_quote(next) => {
                found.push(Lifetime::new("'_", and.span()));
            }
            (TokenTree::Punct(quote), Some(TokenTree::Ident(name))) if quote.as_char() == '\'' => {
                found.push(Lifetime::new(&format!("'{name}"), name.span()));
            }
            (TokenTree::Group(group), _) => collect(group.stream(), found),
            _ => {}
        }
    }
}
