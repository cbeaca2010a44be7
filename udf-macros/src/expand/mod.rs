//! From the model to code, or to stubs when something is wrong. It cannot fail.

mod fields;
mod from_point;
mod generics;
mod option_type;
mod options;
mod state;
mod udf;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::DeriveInput;
use syn::spanned::Spanned;

use crate::errors::Errors;
use crate::{check, parse};

/// Parses and checks an item; emits its code, or what is wrong with it and a stub, so that no second error
/// follows from the first.
fn derive<M>(
    item: TokenStream,
    parse: impl FnOnce(DeriveInput, &mut Errors) -> M,
    code: impl FnOnce(&M) -> TokenStream,
    stub: impl FnOnce(&M, &[TokenStream]) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::new();
    let input = match syn::parse2::<DeriveInput>(item.clone()) {
        Ok(input) => input,
        Err(error) => {
            // Rustc tells what is wrong. What else is, is told when that is mended.
            errors.unless_refused(&item, error);
            let refused = errors.finish();
            let stub = syn::parse2(hollow(item)).ok().map(|hollow| {
                let mut untold = Errors::new();
                let model = parse(hollow, &mut untold);
                let _ = untold.finish();
                stub(&model, &[])
            });
            return quote!(#(#refused)* #stub);
        }
    };
    let model = parse(input, &mut errors);
    match &errors.finish()[..] {
        [] => code(&model),
        errors => stub(&model, errors),
    }
}

pub(crate) fn derive_udf(item: TokenStream) -> TokenStream {
    let parse = |input: DeriveInput, errors: &mut Errors| {
        let model = parse::udf(input, errors);
        check::check(&model, errors);
        model
    };
    derive(item, parse, udf::code, udf::stub)
}

pub(crate) fn derive_option_type(item: TokenStream) -> TokenStream {
    derive(item, parse::option_type, option_type::code, option_type::stub)
}

pub(crate) fn derive_from_point(item: TokenStream) -> TokenStream {
    derive(item, parse::from_point, from_point::code, from_point::stub)
}

pub(crate) fn derive_fields(item: TokenStream) -> TokenStream {
    derive(item, parse::fields, fields::code, fields::stub)
}

/// What a function of a stub does: it cannot be built, should rustc have let what is wrong pass as a warning.
fn never() -> TokenStream {
    quote!(const { ::core::panic!("this type has a mistake, which a warning tells") })
}

/// An item without its members.
fn hollow(item: TokenStream) -> TokenStream {
    let hollow = item.into_iter().map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            Group::new(Delimiter::Brace, TokenStream::new()).into()
        }
        token => token,
    });
    hollow.collect()
}

/// The path of a function of the runtime, at the place of a type: what is wrong with that is told there.
///
/// Only paths are placed so. A local would be looked up as if it stood at that place, which may be
/// within a `macro_rules!` where it is not known.
fn function(krate: &TokenStream, name: &str, ty: impl ToTokens) -> TokenStream {
    let span = ty.span();
    let name = Ident::new(name, span);
    // A path that the author gives stays where it is written: if it is wrong, that is told once.
    let krate = match krate.to_string() == quote!(::udf_runtime).to_string() {
        true => at(span, krate.clone()),
        false => krate.clone(),
    };
    quote_spanned!(span=> #krate::__private::#name::<#ty>)
}

/// These tokens, as if they stood at another place.
fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    moved.collect()
}

/// A local that no name of the author can meet.
fn local(at: usize) -> Ident {
    format_ident!("__field_{at}", span = Span::mixed_site())
}
