//! The implementation of `Udf`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{at, generics, never, options, state};
use crate::model::{Edge, OnMissing, Udf, UdfArgs};
use crate::words::case::Case;

pub(super) fn code(model: &Udf) -> TokenStream {
    let Udf { ident, help, args, fields, .. } = model;
    let krate = &args.krate;
    let name = Case::Snake.write(&ident.unraw().to_string());
    let of = generics::name(ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    let tick = match args.tick {
        Some(nanos) => quote! {
            ::core::option::Option::Some(#krate::__private::Duration::from_nanos(#nanos))
        },
        None => quote!(::core::option::Option::None),
    };
    let on_missing = match args.on_missing.value {
        OnMissing::Skip => quote!(Skip),
        OnMissing::Pass => quote!(Pass),
        OnMissing::Fail => quote!(Fail),
    };
    let edges = args.wants.zip(args.provides).expect("one that is missing is an error");
    let wants = at(ident.span(), edge(edges.0, krate));
    let provides = edge(edges.1, krate);
    let usual = quote!(#krate::__private::Point<'__point>);
    let input = input(args, &usual);
    let from_options = options::from_options(fields, &model.generics, krate);
    let (save, load) = (state::save(fields, krate), state::load(fields, krate));
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #of #ty_generics #where_clause {
            const NAME: &'static ::core::primitive::str = #name;
            const HELP: &'static ::core::primitive::str = #help;
            const VERSION: ::core::option::Option<&'static ::core::primitive::str> =
                ::core::option_env!("CARGO_PKG_VERSION");
            const TICK: ::core::option::Option<#krate::__private::Duration> = #tick;
            const ON_MISSING: #krate::__private::OnMissing =
                #krate::__private::OnMissing::#on_missing;
            type Wants = #wants;
            type Provides = #provides;
            #input
            fn from_options(
                __options: &mut #krate::__private::OptionParser,
            ) -> ::core::option::Option<Self> {
                #from_options
            }
            fn save(
                &self,
                __state: &mut #krate::__private::StateWriter,
            ) -> #krate::__private::Result<()> {
                #save
            }
            fn load(
                &mut self,
                __state: &mut #krate::__private::StateReader<'_>,
            ) -> #krate::__private::Result<()> {
                #load
            }
        }
    }
}

/// Stands in when something is wrong.
///
/// The last error is the length of an array, of which rustc then knows that it is wrong: whether that type,
/// and one that is named by it, fits anything is told no more. So what is not known fits every handler.
pub(super) fn stub(model: &Udf, errors: &[TokenStream]) -> TokenStream {
    let Udf { ident, args, .. } = model;
    let krate = &args.krate;
    let of = generics::name(ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    let wants = args.wants.map(|wants| edge(wants, krate));
    let unknown = quote!(<Self as #krate::__private::Udf>::Wants);
    let (wants, unwritten, others) = match errors.split_last() {
        Some((last, others)) => (quote!([(); #last]), unknown.clone(), others),
        None => {
            let wants = wants.unwrap_or_else(|| edge(Edge::Stream, krate));
            (wants, quote!(#krate::__private::Point<'__point>), errors)
        }
    };
    let provides = args.provides.map_or(unknown, |provides| edge(provides, krate));
    let (input, never) = (input(args, &unwritten), never());
    quote! {
        #(#others)*
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #of #ty_generics #where_clause {
            const NAME: &'static ::core::primitive::str = "";
            const HELP: &'static ::core::primitive::str = "";
            const TICK: ::core::option::Option<#krate::__private::Duration> =
                ::core::option::Option::None;
            const ON_MISSING: #krate::__private::OnMissing = #krate::__private::OnMissing::Skip;
            type Wants = #wants;
            type Provides = #provides;
            #input
            fn from_options(
                _: &mut #krate::__private::OptionParser,
            ) -> ::core::option::Option<Self> {
                #never
            }
            fn save(
                &self,
                _: &mut #krate::__private::StateWriter,
            ) -> #krate::__private::Result<()> {
                #never
            }
            fn load(
                &mut self,
                _: &mut #krate::__private::StateReader<'_>,
            ) -> #krate::__private::Result<()> {
                #never
            }
        }
    }
}

/// The type that a handler is given: the one that was written, or `unwritten`.
fn input(args: &UdfArgs, unwritten: &TokenStream) -> TokenStream {
    match &args.point {
        Some(written) => {
            // At its place rustc tells when the type is private and the UDF is not.
            let point = point(written, &args.krate);
            quote_spanned!(written.span()=> type Input<'__point> = #point;)
        }
        None => quote!(type Input<'__point> = #unwritten;),
    }
}

/// The type of an edge.
fn edge(edge: Edge, krate: &TokenStream) -> TokenStream {
    match edge {
        Edge::Stream => quote!(#krate::__private::Stream),
        Edge::Batch => quote!(#krate::__private::Batch),
    }
}

/// The type of the points. It is what a function returns: there, a lifetime that is left out, or is `'_`, is
/// that of the one argument.
fn point(written: &TokenStream, krate: &TokenStream) -> TokenStream {
    let first = written.span();
    let last = written.clone().into_iter().last().map_or(first, |token| token.span());
    let returns = at(last, krate.clone());
    let function = quote_spanned!(first=> <fn(&'__point ()) ->);
    let output = quote_spanned!(last=> as #returns::__private::Returns>::Output);
    quote!(#function #written #output)
}
