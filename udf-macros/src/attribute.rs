//! `#[udf(...)]`: emits the item again, with a derive that sees its fields after `#[cfg]`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, GenericArgument, Lifetime, PathArguments, Type, parse_quote};

use crate::errors::Errors;
use crate::parse::entries::entries;
use crate::parse::krate;

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
        // What is wrong with the arguments is told by the derive, which reads them again.
        let mut silent = Errors::new();
        let krate = krate(&entries(args.clone(), &mut silent), &mut silent);
        let _ = silent.finish();
        let item = lifetimes_stated(item);
        return quote! {
            #[derive(#krate::__private::__Udf)]
            #[__udf(#args)]
            #item
        };
    }
    let errors = errors.finish();
    quote!(#item #(#errors)*)
}

/// The item with no lifetime left out: `&str` becomes `&'static str`, so that rustc does not ask for one, which a
/// UDF cannot have. Its field is marked for the derive, which tells what to write.
fn lifetimes_stated(item: TokenStream) -> TokenStream {
    let Ok(mut input) = syn::parse2::<DeriveInput>(item.clone()) else { return item };
    let Data::Struct(data) = &mut input.data else { return item };
    for field in &mut data.fields {
        if state_lifetimes(&mut field.ty) {
            field.attrs.push(parse_quote!(#[__udf(borrows)]));
        }
    }
    input.into_token_stream()
}

/// Whether a lifetime was left out, or was `'_`, where a struct cannot leave it out.
fn state_lifetimes(ty: &mut Type) -> bool {
    match ty {
        Type::Array(array) => state_lifetimes(&mut array.elem),
        Type::Group(group) => state_lifetimes(&mut group.elem),
        Type::Paren(paren) => state_lifetimes(&mut paren.elem),
        Type::Ptr(pointer) => state_lifetimes(&mut pointer.elem),
        Type::Slice(slice) => state_lifetimes(&mut slice.elem),
        Type::Tuple(tuple) => {
            tuple.elems.iter_mut().fold(false, |any, ty| state_lifetimes(ty) | any)
        }
        Type::Reference(reference) => {
            let span = reference.and_token.span();
            let lifetime = reference.lifetime.get_or_insert_with(|| Lifetime::new("'_", span));
            state_lifetime(lifetime) | state_lifetimes(&mut reference.elem)
        }
        Type::Path(path) => {
            let segments = path.path.segments.iter_mut();
            let arguments = segments.filter_map(|segment| match &mut segment.arguments {
                PathArguments::AngleBracketed(arguments) => Some(&mut arguments.args),
                _ => None,
            });
            arguments.flatten().fold(false, |any, argument| match argument {
                GenericArgument::Type(ty) => state_lifetimes(ty) | any,
                GenericArgument::Lifetime(lifetime) => state_lifetime(lifetime) | any,
                _ => any,
            })
        }
        _ => false,
    }
}

fn state_lifetime(lifetime: &mut Lifetime) -> bool {
    let left_out = lifetime.ident == "_";
    if left_out {
        lifetime.ident = Ident::new("static", lifetime.ident.span());
    }
    left_out
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
