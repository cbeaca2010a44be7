//! The implementation of `Udf`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{at, generics, never, options, state, text};
use crate::model::{At, Edge, OnMissing, Udf};
use crate::words::case::Case;

pub(super) fn code(model: &Udf) -> TokenStream {
    let Udf { ident, help, args, fields, .. } = model;
    let krate = &args.krate;
    let (name, help) = (Case::Snake.write(&ident.unraw().to_string()), text(help, krate));
    let tick = args.tick.as_ref().map(|At { value: nanos, tokens }| {
        // rustc reports a missing `impl Tick` at the interval.
        let tick = at(tokens.span(), quote!(#krate::__private::tick::<Self>));
        quote! {
            const TICK: #krate::__private::Option<#krate::__private::Duration> =
                #krate::__private::Some(#krate::__private::Duration::from_nanos(#nanos));
            fn on_tick(
                &mut self,
                __udf_out: &mut #krate::__private::Emitter<Self::Provides>,
            ) -> #krate::__private::Result<()> {
                #tick(self, __udf_out)
            }
        }
    });
    let ticks = tick.is_some().then(|| ticks(model));
    let on_missing = match args.on_missing.value {
        OnMissing::Skip => quote!(Skip),
        OnMissing::Pass => quote!(Pass),
        OnMissing::Fail => quote!(Fail),
    };
    let (options, mentions) = (options::constant(fields, krate), options::mentions(fields));
    let from_options = options::from_options(fields, krate);
    let state = state::code(fields, krate);
    let items = quote! {
        const NAME: &'static #krate::__private::str = #name;
        const DOCS: &'static #krate::__private::str = #help;
        const OPTIONS: &'static [#krate::__private::OptionData] = #options;
        const VERSION: #krate::__private::Option<&'static #krate::__private::str> =
            #krate::__private::option_env!("CARGO_PKG_VERSION");
        const ON_MISSING: #krate::__private::OnMissing =
            #krate::__private::OnMissing::#on_missing;
        #tick
        #state
    };
    let implementation = implementation(model, &items, &quote!(#mentions #from_options));
    quote!(#implementation #ticks)
}

/// Returns the implementation for a struct with errors.
pub(super) fn stub(model: &Udf) -> TokenStream {
    let krate = &model.args.krate;
    let name = quote!(const NAME: &'static #krate::__private::str = "";);
    let implementation = implementation(model, &name, &never(krate));
    let ticks = ticks(model);
    quote!(#implementation #ticks)
}

fn implementation(model: &Udf, items: &TokenStream, from_options: &TokenStream) -> TokenStream {
    let Udf { ident, args, .. } = model;
    let (krate, of) = (&args.krate, generics::name(ident));
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    // A missing edge is an error already.
    let wants = at(ident.span(), edge(args.wants.unwrap_or(Edge::Stream), krate));
    let provides = edge(args.provides.unwrap_or(Edge::Stream), krate);
    let input = match &args.point {
        Some(written) => {
            // rustc reports at the written type that it is private and the UDF is not.
            let point = point(written, krate);
            quote_spanned!(written.span()=> type Input<'__udf_point> = #point;)
        }
        None => quote!(type Input<'__udf_point> = #krate::__private::Point<'__udf_point>;),
    };
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #of #ty_generics #where_clause {
            type Wants = #wants;
            type Provides = #provides;
            #input
            #items
            fn from_options(
                __udf_options: &mut #krate::__private::OptionParser,
            ) -> #krate::__private::Option<Self> {
                #from_options
            }
        }
    }
}

/// Marks a UDF with an interval: only such a UDF can implement `Tick`.
fn ticks(model: &Udf) -> TokenStream {
    let (krate, of) = (&model.args.krate, generics::name(&model.ident));
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Ticks for #of #ty_generics #where_clause {}
    }
}

/// Returns the type of an edge.
fn edge(edge: Edge, krate: &TokenStream) -> TokenStream {
    match edge {
        Edge::Stream => quote!(#krate::__private::Stream),
        Edge::Batch => quote!(#krate::__private::Batch),
    }
}

/// Returns the type of the points, as the return type of a function: there, `'_` and a lifetime that
/// is left out stand for the lifetime of the argument.
fn point(written: &Type, krate: &TokenStream) -> TokenStream {
    let tokens = written.to_token_stream();
    let first = tokens.span();
    let last = tokens.clone().into_iter().last().map_or(first, |token| token.span());
    let returns = at(last, krate.clone());
    let function = quote_spanned!(first=> <fn(&'__udf_point ()) ->);
    let output = quote_spanned!(last=> as #returns::__private::Returns>::Output);
    quote!(#function #tokens #output)
}
