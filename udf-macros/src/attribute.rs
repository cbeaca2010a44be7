//! `#[udf(...)]`: emits the item again, with a derive that sees its fields after `#[cfg]`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::DeriveInput;

use crate::errors::Errors;
use crate::parse::entries::entries;
use crate::parse::krate;
use crate::stand_in;

pub(crate) fn udf(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let kind = kind(&item);
    if let Some(second) = second_udf(&item) {
        errors.at(second, "`#[udf]` is there twice; keep one");
    } else if !matches!(&kind, Some(kind) if kind == "struct" || kind == "enum" || kind == "union")
    {
        let what = kind.map_or(item.clone(), ToTokens::into_token_stream);
        let what = if what.is_empty() { Span::call_site() } else { span(what) };
        errors.span(what, "`#[udf]` makes a UDF of a struct: its fields are the options");
    } else {
        return with_derive(&args, item);
    }
    let errors = errors.finish();
    quote!(#item #(#errors)*)
}

/// What is emitted for a struct: itself, with a derive, which finds every mistake in it.
fn with_derive(args: &TokenStream, item: TokenStream) -> TokenStream {
    // What is wrong with the arguments is told by the derive, which reads them again.
    let mut silent = Errors::new();
    let krate = krate(&entries(args.clone(), &mut silent), &mut silent);
    let _ = silent.finish();
    // What is no struct is told by rustc.
    let item = match syn::parse2::<DeriveInput>(item.clone()) {
        Ok(mut input) => {
            stand_in::stand_in(&mut input);
            input.into_token_stream()
        }
        Err(_) => item,
    };
    quote! {
        #[derive(#krate::__private::__Udf)]
        #[__udf(#args)]
        #item
    }
}

/// The keyword that says what kind of item it is.
fn kind(item: &TokenStream) -> Option<Ident> {
    const KINDS: [&str; 10] =
        ["struct", "enum", "union", "fn", "impl", "trait", "mod", "type", "const", "static"];
    item.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if KINDS.iter().any(|kind| ident == kind) => Some(ident),
        _ => None,
    })
}

/// The name of another `#[udf]` on the item.
fn second_udf(item: &TokenStream) -> Option<TokenTree> {
    let mut tokens = item.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let (TokenTree::Punct(punct), Some(TokenTree::Group(group))) = (&token, tokens.peek())
        else {
            continue;
        };
        let name = group.stream().into_iter().next();
        let is_udf = |name: &TokenTree| matches!(name, TokenTree::Ident(name) if name == "udf" || name == "__udf");
        if let ('#', Some(name)) = (punct.as_char(), name.filter(is_udf)) {
            return Some(name);
        }
    }
    None
}

fn span(tokens: TokenStream) -> Span {
    tokens.into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
