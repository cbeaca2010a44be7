//! The implementation of `Udf`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{at, generics, never, options, state, text};
use crate::model::{At, Edge, OnMissing, Udf, UdfArgs};
use crate::words::case::Case;

pub(super) fn code(model: &Udf) -> TokenStream {
    let Udf { ident, help, args, fields, .. } = model;
    let krate = &args.krate;
    let help = text(help, krate);
    let name = Case::Snake.write(&ident.unraw().to_string());
    let (tick, on_tick) = match &args.tick {
        Some(At { value: nanos, tokens }) => {
            // A missing `impl Tick` is reported at the interval.
            let tick = at(tokens.span(), quote!(#krate::__private::tick::<Self>));
            (
                quote!(#krate::__private::Some(#krate::__private::Duration::from_nanos(#nanos))),
                Some(quote! {
                    fn on_tick(
                        &mut self,
                        __udf_out: &mut #krate::__private::Emitter<Self::Provides>,
                    ) -> #krate::__private::Result<()> {
                        #tick(self, __udf_out)
                    }
                }),
            )
        }
        None => (quote!(#krate::__private::None), None),
    };
    let ticks = on_tick.is_some().then(|| ticks(model));
    let on_missing = match args.on_missing.value {
        OnMissing::Skip => quote!(Skip),
        OnMissing::Pass => quote!(Pass),
        OnMissing::Fail => quote!(Fail),
    };
    let (constant, mentions) = (options::constant(fields, krate), options::mentions(fields));
    let from_options = options::from_options(fields, krate);
    let constants = quote! {
        const NAME: &'static #krate::__private::str = #name;
        const DOCS: &'static #krate::__private::str = #help;
        const OPTIONS: &'static [#krate::__private::OptionData] = #constant;
        const VERSION: #krate::__private::Option<&'static #krate::__private::str> =
            #krate::__private::option_env!("CARGO_PKG_VERSION");
        const TICK: #krate::__private::Option<#krate::__private::Duration> = #tick;
        const ON_MISSING: #krate::__private::OnMissing =
            #krate::__private::OnMissing::#on_missing;
        #on_tick
    };
    let from_options = quote!(#mentions #from_options);
    let (save, load) = (state::save(fields, krate), state::load(fields, krate));
    let implementation = implementation(model, &constants, &from_options, &save, &load);
    quote!(#implementation #ticks)
}

/// Stands in when something is wrong.
pub(super) fn stub(model: &Udf) -> TokenStream {
    let krate = &model.args.krate;
    let (never, ticks) = (never(krate), ticks(model));
    let constants = quote! {
        const NAME: &'static #krate::__private::str = "";
        const DOCS: &'static #krate::__private::str = "";
        const OPTIONS: &'static [#krate::__private::OptionData] = &[];
        const TICK: #krate::__private::Option<#krate::__private::Duration> =
            #krate::__private::None;
        const ON_MISSING: #krate::__private::OnMissing = #krate::__private::OnMissing::Skip;
    };
    let implementation = implementation(model, &constants, &never, &never, &never);
    quote!(#implementation #ticks)
}

fn implementation(
    model: &Udf,
    constants: &TokenStream,
    from_options: &TokenStream,
    save: &TokenStream,
    load: &TokenStream,
) -> TokenStream {
    let Udf { ident, args, .. } = model;
    let (krate, of) = (&args.krate, generics::name(ident));
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    // An edge that is missing is an error.
    let wants = at(ident.span(), edge(args.wants.unwrap_or(Edge::Stream), krate));
    let provides = edge(args.provides.unwrap_or(Edge::Stream), krate);
    let input = input(args, &quote!(#krate::__private::Point<'__udf_point>));
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #of #ty_generics #where_clause {
            type Wants = #wants;
            type Provides = #provides;
            #input
            #constants
            fn from_options(
                __udf_options: &mut #krate::__private::OptionParser,
            ) -> #krate::__private::Option<Self> {
                #from_options
            }
            fn save(
                &self,
                __udf_state: &mut #krate::__private::StateWriter,
            ) -> #krate::__private::Result<()> {
                #save
            }
            fn load(
                &mut self,
                __udf_state: &mut #krate::__private::StateReader<'_>,
            ) -> #krate::__private::Result<()> {
                #load
            }
        }
    }
}

/// Marks a UDF with an interval, without which it cannot implement `Tick`.
fn ticks(model: &Udf) -> TokenStream {
    let (krate, of) = (&model.args.krate, generics::name(&model.ident));
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Ticks for #of #ty_generics #where_clause {}
    }
}

/// The type that a handler is given: the one that was written, or `unwritten`.
fn input(args: &UdfArgs, unwritten: &TokenStream) -> TokenStream {
    match &args.point {
        Some(written) => {
            // At its place rustc tells when the type is private and the UDF is not.
            let point = point(written, &args.krate);
            quote_spanned!(written.span()=> type Input<'__udf_point> = #point;)
        }
        None => quote!(type Input<'__udf_point> = #unwritten;),
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
fn point(written: &Type, krate: &TokenStream) -> TokenStream {
    let tokens = written.to_token_stream();
    let first = tokens.span();
    let last = tokens.clone().into_iter().last().map_or(first, |token| token.span());
    let returns = at(last, krate.clone());
    let function = quote_spanned!(first=> <fn(&'__udf_point ()) ->);
    let output = quote_spanned!(last=> as #returns::__private::Returns>::Output);
    quote!(#function #tokens #output)
}
