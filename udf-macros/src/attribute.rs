//! `#[udf(...)]`: emits the item again, with a derive that sees its fields after `#[cfg]`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Type, parse_quote};

use crate::borrowed::owned;
use crate::errors::Errors;
use crate::parse::{entries, krate, tables};

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

/// The struct itself, with a derive, which finds every error in it.
fn with_derive(args: &TokenStream, item: TokenStream) -> TokenStream {
    // The derive reads the arguments again and reports their errors.
    let mut silent = Errors::new();
    let krate = krate(&entries(args.clone(), tables::UDF, &mut silent), &mut silent);
    let _ = silent.finish();
    // What is no struct is refused by the derive.
    let item = match syn::parse2::<DeriveInput>(item.clone()) {
        Ok(mut input) => {
            own_fields(&mut input, &krate);
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

/// Gives fields that borrow the types that own the same, so that rustc does not ask for lifetimes. The derive is told
/// the type that was written, and reports it.
fn own_fields(input: &mut DeriveInput, krate: &TokenStream) {
    let Data::Struct(data) = &mut input.data else { return };
    for field in &mut data.fields {
        if let Some(owned) = owned(&field.ty, false) {
            let written = std::mem::replace(&mut field.ty, in_scope(&owned, krate));
            field.attrs.push(parse_quote!(#[__udf(#written)]));
        }
    }
}

/// The type with paths for names that the author may not have imported.
fn in_scope(ty: &Type, krate: &TokenStream) -> Type {
    let tokens = replaced(ty.to_token_stream(), &|name| match &*name.to_string() {
        "PointBuf" => Some(quote!(#krate::PointBuf)),
        "PathBuf" => Some(quote!(::std::path::PathBuf)),
        "OsString" => Some(quote!(::std::ffi::OsString)),
        _ => None,
    });
    syn::parse2(tokens).unwrap_or_else(|_| ty.clone())
}

fn replaced(tokens: TokenStream, path: &impl Fn(&Ident) -> Option<TokenStream>) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(name) => path(&name).unwrap_or_else(|| name.to_token_stream()),
        TokenTree::Group(group) => {
            TokenTree::from(Group::new(group.delimiter(), replaced(group.stream(), path))).into()
        }
        token => token.into(),
    });
    tokens.collect()
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
