//! The implementation of `Udf`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{function, name, never, options, state, text};
use crate::model::{At, Edge, OnMissing, Role, Tick, Udf};
use crate::words::case::Case;

pub(super) fn code(model: &Udf) -> TokenStream {
    let Udf { ident, help, args, .. } = model;
    let name = match &args.name {
        Some(name) => name.value.clone(),
        None => Case::Snake.write(&ident.unraw().to_string()),
    };
    let help = text(help);
    let tick = args.tick.as_ref().map(|tick| self::tick(tick, model));
    let ticks = tick.is_some().then(|| ticks(model));
    let on_missing = match args.on_missing.value {
        OnMissing::Skip => quote!(Skip),
        OnMissing::Pass => quote!(Pass),
        OnMissing::Fail => quote!(Fail),
    };
    let (options, mentions) = (options::constant(model), options::mentions(model));
    let from_options = options::from_options(model);
    let state = state::code(model);
    let (shared, metrics) = (shared(model), metrics(model));
    let items = quote! {
        const NAME: &'static __udf::str = #name;
        const DOCS: &'static __udf::str = #help;
        const OPTIONS: &'static [__udf::OptionData] = #options;
        const VERSION: __udf::Option<&'static __udf::str> =
            __udf::option_env!("CARGO_PKG_VERSION");
        const ON_MISSING: __udf::OnMissing =
            __udf::OnMissing::#on_missing;
        #tick
        #metrics
        #shared
        #state
    };
    let implementation = implementation(model, &items, &quote!(#mentions #from_options));
    quote!(#implementation #ticks)
}

/// Returns the types of the `#[shared]` fields.
fn shared(model: &Udf) -> Option<TokenStream> {
    let shared = model.fields.iter().filter(|field| matches!(field.role, Role::Shared));
    let types: Vec<_> = shared.map(|field| function("shared_type", &field.ty)).collect();
    (!types.is_empty())
        .then(|| quote!(const SHARED: &'static [__udf::SharedType] = &[#(#types()),*];))
}

/// Returns the counters and gauges of the author.
fn metrics(model: &Udf) -> Option<TokenStream> {
    let metrics = &model.args.metrics;
    (!metrics.is_empty()).then(|| {
        // rustc reports at the name that a `static` is not a metric.
        let all = metrics.iter().map(|path| quote_spanned!(path.span()=> &#path));
        quote!(const METRICS: &'static [&'static dyn __udf::Metric] = &[#(#all),*];)
    })
}

fn tick(tick: &Tick, model: &Udf) -> TokenStream {
    let (span, every, source) = match tick {
        Tick::Is(At { value: nanos, tokens }) => {
            let every = quote!(__udf::Some(__udf::Duration::from_nanos(#nanos)));
            (tokens.span(), every, None)
        }
        Tick::Field(field) => {
            let option = model.options().find(|(it, _)| it.ident == *field);
            let source = match option {
                Some((_, option)) => format!("`.{}`", option.name()),
                None => format!("the field `{}`", field.unraw()),
            };
            // rustc reports at the name that there is no such field, or that it has another type.
            let every = quote_spanned!(field.span()=> __udf::interval(&self.#field));
            (field.span(), every, Some(source))
        }
    };
    let source = source.map(|source| {
        quote!(
            const TICK_SOURCE: &'static __udf::str = #source;
        )
    });
    // rustc reports a missing `impl Tick` at the interval.
    let tick = quote_spanned!(span=> __udf::tick::<Self>);
    quote! {
        #source
        fn tick_every(&self) -> __udf::Option<__udf::Duration> {
            #every
        }
        fn on_tick(
            &mut self,
            __udf_out: &mut __udf::Emitter<Self::Provides>,
        ) -> __udf::Result<()> {
            #tick(self, __udf_out)
        }
    }
}

/// Returns the implementation for a struct with errors.
pub(super) fn stub(model: &Udf) -> TokenStream {
    let name = quote!(
        const NAME: &'static __udf::str = "";
    );
    let implementation = implementation(model, &name, &never());
    let ticks = ticks(model);
    quote!(#implementation #ticks)
}

fn implementation(model: &Udf, items: &TokenStream, from_options: &TokenStream) -> TokenStream {
    let Udf { ident, args, .. } = model;
    let of = name(ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    let wants = edge(args.wants, ident.span());
    let provides = edge(args.provides, Span::call_site());
    let input = match &args.point {
        Some(written) => {
            // rustc reports at the written type that it is private and the UDF is not.
            let point = point(written);
            quote_spanned!(written.span()=> type Input<'__udf_point> = #point;)
        }
        None => quote!(
            type Input<'__udf_point> = __udf::Point<'__udf_point>;
        ),
    };
    quote! {
        #[automatically_derived]
        impl #impl_generics __udf::Udf for #of #ty_generics #where_clause {
            type Wants = #wants;
            type Provides = #provides;
            #input
            #items
            fn from_options(
                __udf_options: &mut __udf::OptionParser,
            ) -> __udf::Option<Self> {
                #from_options
            }
        }
    }
}

/// Marks a UDF with an interval: only such a UDF can implement `Tick`.
fn ticks(model: &Udf) -> TokenStream {
    let of = name(&model.ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics __udf::Ticks for #of #ty_generics #where_clause {}
    }
}

/// Returns the type of an edge. `None` is an error already.
fn edge(edge: Option<Edge>, span: Span) -> TokenStream {
    match edge {
        Some(Edge::Batch) => quote_spanned!(span=> __udf::Batch),
        Some(Edge::Stream) | None => quote_spanned!(span=> __udf::Stream),
    }
}

/// Returns the type of the points, as the return type of a function. There, `'_` and an omitted
/// lifetime stand for the lifetime of the argument.
fn point(written: &Type) -> TokenStream {
    let tokens = written.to_token_stream();
    let first = tokens.span();
    let last = tokens.clone().into_iter().last().map_or(first, |token| token.span());
    let function = quote_spanned!(first=> <fn(&'__udf_point ()) ->);
    let output = quote_spanned!(last=> as __udf::Returns>::Output);
    quote!(#function #tokens #output)
}
