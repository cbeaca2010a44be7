//! From the model to code, or to a stub if there are errors. It cannot fail.
//!
//! Generated code names the hidden module of the runtime `__udf`, and nothing else by a path.

mod fields;
mod from_point;
mod option_type;
mod options;
mod state;
mod udf;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::DeriveInput;
use syn::spanned::Spanned;

use crate::errors::Errors;
use crate::model::{Doc, Runtime};
use crate::{check, parse};

/// Parses and checks an item. Emits its code, or its errors beside a stub.
fn derive<M>(
    item: TokenStream,
    parse: impl FnOnce(DeriveInput, &mut Errors) -> (Runtime, M),
    code: impl FnOnce(&M) -> TokenStream,
    stub: impl FnOnce(&M) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::new();
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let (Runtime(runtime), model) = parse(input, &mut errors);
    let errors = errors.into_code();
    let code = if errors.is_empty() { code(&model) } else { stub(&model) };
    quote! {
        #(#errors)*
        const _: () = {
            use #runtime::__private as __udf;
            #code
        };
    }
}

pub(crate) fn derive_udf(item: TokenStream) -> TokenStream {
    let parse = |input: DeriveInput, errors: &mut Errors| {
        let (runtime, model) = parse::udf(input, errors);
        check::check(&model, errors);
        (runtime, model)
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
fn never() -> TokenStream {
    quote!(__udf::never())
}

/// Returns the text of doc comments, a line for each.
fn text(docs: &Doc) -> TokenStream {
    match &docs[..] {
        [] => quote!(""),
        docs => quote!(__udf::concat!(#(#docs, "\n"),*)),
    }
}

/// Returns the name of the type that code is generated for. Its span is the derive's: a deprecated
/// type causes no warning in its own code.
fn name(ident: &Ident) -> Ident {
    let mut name = ident.clone();
    name.set_span(Span::call_site());
    name
}

/// Returns the path of a function of the runtime, with the span of a type: rustc reports errors of
/// the type there.
///
/// Locals do not get the span of a type: it may be the span of a `macro_rules!`, in which the local
/// is unknown.
fn function(name: &str, ty: impl ToTokens) -> TokenStream {
    let span = ty.span();
    let name = Ident::new(name, span);
    quote_spanned!(span=> __udf::#name::<#ty>)
}

/// Returns a local of generated code. Its name collides with no constant of the author.
fn local(at: usize) -> Ident {
    format_ident!("__udf_field_{at}", span = Span::mixed_site())
}
