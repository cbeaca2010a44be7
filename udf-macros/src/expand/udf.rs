//! The implementation of `Udf`.

use proc_macro2::{Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::model::{
    At, Calls, Default, Edge, Expr, Field, OnMissing, OptionField, Range, Role, Udf, UdfArgs,
};
use crate::words::case::Case;

pub(super) fn code(model: &Udf) -> TokenStream {
    let Udf { ident, generics, help, args, fields } = model;
    let krate = &args.krate;
    let name = Case::Snake.write(&ident.unraw().to_string());
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let tick = match args.tick {
        Some(nanos) => quote! {
            ::core::option::Option::Some(#krate::__private::Duration::from_nanos(#nanos))
        },
        None => quote!(::core::option::Option::None),
    };
    let on_missing = match args.on_missing {
        OnMissing::Skip => quote!(Skip),
        OnMissing::Pass => quote!(Pass),
        OnMissing::Fail => quote!(Fail),
    };
    let (wants, provides) = edges(args);
    let point = point(args);
    let handles = match args.wants.as_ref().map(|wants| wants.value) {
        Some(Edge::Batch) => quote!(handles_batches),
        Some(Edge::Stream) | None => quote!(handles_stream),
    };
    let handles = quote_spanned!(ident.span()=> #krate::__private::#handles::<Self>());
    let from_options = from_options(fields, krate);
    let (save, load) = (save(fields), load(fields, krate));
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #ident #ty_generics #where_clause {
            const NAME: &'static ::core::primitive::str = #name;
            const HELP: &'static ::core::primitive::str = #help;
            const TICK: ::core::option::Option<#krate::__private::Duration> = #tick;
            const ON_MISSING: #krate::__private::OnMissing =
                #krate::__private::OnMissing::#on_missing;
            type Wants = #wants;
            type Provides = #provides;
            type Input<'__point> = #point;
            fn from_options(
                __options: &mut #krate::__private::OptionParser,
            ) -> ::core::option::Option<Self> {
                #handles;
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

/// Stands in when something is wrong, so that no second error follows from the first.
pub(super) fn stub(model: &Udf) -> TokenStream {
    let Udf { ident, generics, args, .. } = model;
    let krate = &args.krate;
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let (wants, provides) = edges(args);
    let point = point(args);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #ident #ty_generics #where_clause {
            const NAME: &'static ::core::primitive::str = "";
            const HELP: &'static ::core::primitive::str = "";
            const TICK: ::core::option::Option<#krate::__private::Duration> =
                ::core::option::Option::None;
            const ON_MISSING: #krate::__private::OnMissing = #krate::__private::OnMissing::Skip;
            type Wants = #wants;
            type Provides = #provides;
            type Input<'__point> = #point;
            fn from_options(
                _: &mut #krate::__private::OptionParser,
            ) -> ::core::option::Option<Self> {
                ::core::unimplemented!()
            }
            fn save(
                &self,
                _: &mut #krate::__private::StateWriter,
            ) -> #krate::__private::Result<()> {
                ::core::unimplemented!()
            }
            fn load(
                &mut self,
                _: &mut #krate::__private::StateReader<'_>,
            ) -> #krate::__private::Result<()> {
                ::core::unimplemented!()
            }
        }
    }
}

/// The types of the edges; those that are not known are taken for what is likeliest.
fn edges(args: &UdfArgs) -> (TokenStream, TokenStream) {
    let krate = &args.krate;
    let edge = |edge: Option<&At<Edge>>| match edge.map(|edge| edge.value) {
        Some(Edge::Batch) => quote!(#krate::__private::Batch),
        Some(Edge::Stream) | None => quote!(#krate::__private::Stream),
    };
    let wants = args.wants.as_ref();
    (edge(wants), edge(args.provides.as_ref().or(wants)))
}

/// The type of the points, where `'_` is the lifetime of one.
fn point(args: &UdfArgs) -> TokenStream {
    let krate = &args.krate;
    match &args.point {
        None => quote!(#krate::__private::Point<'__point>),
        Some(tokens) => named_lifetime(tokens.clone()),
    }
}

fn named_lifetime(tokens: TokenStream) -> TokenStream {
    let mut tokens = tokens.into_iter().peekable();
    let mut named = TokenStream::new();
    while let Some(token) = tokens.next() {
        match (&token, tokens.peek()) {
            (TokenTree::Punct(quote), Some(TokenTree::Ident(name)))
                if quote.as_char() == '\'' && name == "_" =>
            {
                let span = name.span();
                tokens.next();
                let mut quote = Punct::new('\'', Spacing::Joint);
                quote.set_span(span);
                named.extend([TokenTree::Punct(quote), Ident::new("__point", span).into()]);
            }
            (TokenTree::Group(group), _) => {
                let inner = named_lifetime(group.stream());
                let mut group_again = Group::new(group.delimiter(), inner);
                group_again.set_span(group.span());
                named.extend([TokenTree::Group(group_again)]);
            }
            _ => named.extend([token]),
        }
    }
    named
}

/// A local that no name of the author can meet.
fn local(at: usize) -> Ident {
    format_ident!("__field_{at}", span = Span::mixed_site())
}

fn from_options(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let takes = fields.iter().enumerate().filter_map(|(at, field)| match &field.role {
        Role::Option(option) => {
            let (local, spec) = (local(at), spec(field, option, fields, krate));
            Some(quote!(let #local = __options.take(#spec);))
        }
        Role::State(_) | Role::Memory => None,
    });
    let values = fields.iter().enumerate().map(|(at, field)| {
        let (ident, local) = (&field.ident, local(at));
        let value = match &field.role {
            Role::Option(option) if option.flag.is_some() => quote!(#local?.0),
            Role::Option(option) if option.parse.is_some() => match option.calls {
                Calls::Once => quote!(#local?.into_value()),
                Calls::AtMostOnce => quote! {
                    ::core::option::Option::map(#local?, #krate::__private::Parsed::into_value)
                },
                Calls::Any => quote! {
                    ::core::iter::Iterator::collect(::core::iter::Iterator::map(
                        ::core::iter::IntoIterator::into_iter(#local?),
                        #krate::__private::Parsed::into_value,
                    ))
                },
            },
            Role::Option(_) => quote!(#local?),
            Role::State(_) | Role::Memory => {
                quote_spanned!(field.ty.span()=> ::core::default::Default::default())
            }
        };
        quote!(#ident: #value)
    });
    quote! {
        #(#takes)*
        ::core::option::Option::Some(Self { #(#values),* })
    }
}

/// The specification of one option, as the runtime's builder takes it.
fn spec(field: &Field, option: &OptionField, fields: &[Field], krate: &TokenStream) -> TokenStream {
    let (name, help) = (&option.name.value, &option.help);
    let (ty, value) = (&field.ty, &option.value);
    let ty = match (option.flag, option.parse) {
        (Some(_), _) => quote!(#krate::__private::Flag),
        (None, None) => quote!(#ty),
        (None, Some(_)) => {
            let parsed = quote_spanned!(value.span()=> #krate::__private::Parsed::<#value>);
            match option.calls {
                Calls::Once => parsed,
                Calls::AtMostOnce => quote!(::core::option::Option<#parsed>),
                Calls::Any => quote!(::std::vec::Vec<#parsed>),
            }
        }
    };
    let mut spec = quote_spanned! {field.ty.span()=>
        #krate::__private::OptionSpec::<#ty>::new(#name, #help)
    };
    if !option.aliases.is_empty() {
        let aliases = option.aliases.iter().map(|alias| &alias.value);
        spec.extend(quote!(.aliases(&[#(#aliases),*])));
    }
    let parsed = option.parse.is_some();
    if option.flag.is_some() {
        spec.extend(quote!(.default(|| #krate::__private::Flag(false))));
    }
    if let Some(default) = &option.default {
        spec.extend(match &default.value {
            Default::OfType => quote_spanned! {default.span=>
                .default(|| ::core::default::Default::default())
            },
            Default::Is(Expr { code, .. }) if parsed => quote!(.default_text(#code)),
            Default::Is(Expr { code, .. }) => quote!(.default(|| #code)),
        });
    }
    if let Some(example) = &option.example {
        let code = &example.value.code;
        spec.extend(match parsed {
            true => quote!(.example_text(#code)),
            false => quote!(.example(|| #code)),
        });
    }
    if let Some(range) = &option.range {
        let (min, max) = bounds(&range.value, krate);
        spec.extend(quote_spanned!(range.span=> .range(#min, #max)));
    }
    if let Some(len) = &option.len {
        let (min, max) = bounds(&len.value, krate);
        spec.extend(quote_spanned!(len.span=> .len(#min, #max)));
    }
    if let Some(path) = &option.validate {
        spec.extend(quote_spanned! {path.span()=>
            .validate(|__value| ::core::result::Result::map_err(
                #path(__value),
                ::core::convert::Into::into,
            ))
        });
    }
    for (method, others) in [("conflicts", &option.conflicts), ("requires", &option.requires)] {
        if !others.is_empty() {
            let method = Ident::new(method, Span::call_site());
            let names = fields.iter().filter_map(|field| match &field.role {
                Role::Option(option) if others.contains(&field.ident) => Some(&option.name.value),
                _ => None,
            });
            spec.extend(quote!(.#method(&[#(#names),*])));
        }
    }
    if let Some(advice) = &option.deprecated {
        spec.extend(quote!(.deprecated(#advice)));
    }
    spec
}

fn bounds(range: &Range, krate: &TokenStream) -> (TokenStream, TokenStream) {
    let unbounded = || quote!(#krate::__private::Bound::Unbounded);
    let min = range.min.as_ref().map_or_else(unbounded, |min| {
        let code = &min.code;
        quote!(#krate::__private::Bound::Included(#code))
    });
    let max = range.max.as_ref().map_or_else(unbounded, |max| {
        let code = &max.code;
        match range.inclusive {
            true => quote!(#krate::__private::Bound::Included(#code)),
            false => quote!(#krate::__private::Bound::Excluded(#code)),
        }
    });
    (min, max)
}

fn state(fields: &[Field]) -> impl Iterator<Item = (usize, &Field, &String)> {
    fields.iter().enumerate().filter_map(|(at, field)| match &field.role {
        Role::State(name) => Some((at, field, name)),
        Role::Option(_) | Role::Memory => None,
    })
}

fn save(fields: &[Field]) -> TokenStream {
    if state(fields).next().is_none() {
        return quote! {
            let _ = __state;
            ::core::result::Result::Ok(())
        };
    }
    let fields = state(fields).map(|(_, field, name)| {
        let (ident, ty) = (&field.ident, &field.ty);
        quote_spanned!(ty.span()=> __state.field::<#ty>(#name, &self.#ident)?;)
    });
    quote! {
        #(#fields)*
        ::core::result::Result::Ok(())
    }
}

/// Reads everything first and assigns after: an error changes nothing.
fn load(fields: &[Field], krate: &TokenStream) -> TokenStream {
    if state(fields).next().is_none() {
        return quote! {
            let _ = __state;
            ::core::result::Result::Ok(())
        };
    }
    let reads = state(fields).map(|(at, field, name)| {
        let (local, ty) = (local(at), &field.ty);
        quote_spanned!(ty.span()=> let #local = __state.field::<#ty>(#name)?;)
    });
    let sets = state(fields).map(|(at, field, _)| {
        let (local, ident) = (local(at), &field.ident);
        quote!(#krate::__private::Slot(&mut self.#ident).restore(#local);)
    });
    quote! {
        use #krate::__private::Restore as _;
        #(#reads)*
        #(#sets)*
        ::core::result::Result::Ok(())
    }
}
