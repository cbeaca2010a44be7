//! From the model to code, or to a stub if there are errors. It cannot fail.

mod fields;
mod from_point;
mod generics;
mod option_type;
mod options;
mod state;
mod udf;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::DeriveInput;
use syn::spanned::Spanned;

use crate::errors::Errors;
use crate::model::Doc;
use crate::{check, parse};

/// Parses and checks an item. Emits its code, or its errors beside a stub.
fn derive<M>(
    item: TokenStream,
    parse: impl FnOnce(DeriveInput, &mut Errors) -> M,
    code: impl FnOnce(&M) -> TokenStream,
    stub: impl FnOnce(&M) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::new();
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let model = parse(input, &mut errors);
    match &errors.finish()[..] {
        [] => code(&model),
        errors => {
            let stub = stub(&model);
            quote!(#(#errors)* #stub)
        }
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

/// Returns the body of a function of a stub.
fn never(krate: &TokenStream) -> TokenStream {
    quote!(#krate::__private::never())
}

/// Returns the text of doc comments, a line for each.
fn text(docs: &Doc, krate: &TokenStream) -> TokenStream {
    match &docs[..] {
        [] => quote!(""),
        docs => quote!(#krate::__private::concat!(#(#docs, "\n"),*)),
    }
}

/// Returns the path of a function of the runtime, with the span of a type: rustc reports errors of
/// the type there.
///
/// Locals have no such span. It may be that of a `macro_rules!`, in which the local is unknown.
fn function(krate: &TokenStream, name: &str, ty: impl ToTokens) -> TokenStream {
    let span = ty.span();
    let name = Ident::new(name, span);
    // A path in `crate = path` keeps its span: if it is invalid, rustc reports it once.
    let krate = match krate.to_string() == quote!(::udf_runtime).to_string() {
        true => at(span, krate.clone()),
        false => krate.clone(),
    };
    quote_spanned!(span=> #krate::__private::#name::<#ty>)
}

/// Returns the tokens with another span.
fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    moved.collect()
}

/// Returns a local of generated code. Its name collides with no constant of the author.
fn local(at: usize) -> Ident {
    format_ident!("__udf_field_{at}", span = Span::mixed_site())
}
