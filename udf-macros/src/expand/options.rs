//! Options: each is taken out of the parser by its specification.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{at, function, local};
use crate::model::{Calls, Default, Expr, Field, OptionField, Range, Role};

/// Takes every option, then makes the struct if none was lacking.
pub(super) fn from_options(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let takes = fields.iter().enumerate().filter_map(|(place, field)| match &field.role {
        Role::Option(option) => {
            let (local, spec) = (local(place), spec(field, option, fields, krate));
            Some(quote!(let #local = __options.take(#spec);))
        }
        Role::State(_) | Role::Memory => None,
    });
    let values = fields.iter().enumerate().map(|(place, field)| {
        let (ident, local) = (&field.ident, local(place));
        let value = match &field.role {
            Role::Option(_) => quote!(#local?),
            Role::State(name) => {
                let state = function(krate, "state", &field.ty);
                quote!(#state(#name).initial())
            }
            Role::Memory => {
                let memory = function(krate, "memory", &field.ty);
                quote!(#memory())
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
    let (name, help) = (option.name(), &option.help);
    let (ty, value) = (&field.ty, &option.value);
    let make = match (option.flag, &option.parse, option.calls) {
        (true, _, _) => quote!(#krate::__private::flag),
        (false, None, _) => function(krate, "option", quote!(#ty, _)),
        (false, Some(_), Calls::Once) => function(krate, "parsed", value),
        (false, Some(_), Calls::AtMostOnce) => function(krate, "parsed_option", value),
        (false, Some(_), Calls::Any) => function(krate, "parsed_vec", value),
    };
    let mut spec = quote!(#make(#name, #help));
    if !option.aliases.is_empty() {
        let aliases = option.aliases.iter().map(|alias| &alias.value);
        spec.extend(quote!(.aliases(&[#(#aliases),*])));
    }
    let parsed = option.parse.is_some();
    if let Some(default) = &option.default {
        spec.extend(match &default.value {
            Default::OfType => {
                let default = at(default.tokens.span(), quote!(#krate::__private::own_default));
                quote!(.default(#default))
            }
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
        let range = function(krate, "range", quote!(#ty, _));
        spec.extend(quote!(.range(#range(#min, #max))));
    }
    if let Some(len) = &option.len {
        let (min, max) = bounds(&len.value, krate);
        // That of parsed text is the length of the text, whatever it is made into.
        let text = quote!(::std::string::String);
        let len = match (&option.parse, option.calls) {
            (Some(_), Calls::Once | Calls::AtMostOnce) => function(krate, "len", &text),
            _ => function(krate, "len", ty),
        };
        spec.extend(quote!(.len(#len(#min, #max))));
    }
    if let Some(path) = &option.validate {
        let verdict = at(path.span(), quote!(#krate::__private::verdict));
        spec.extend(quote_spanned! {path.span()=>
            .validate(|__value| #verdict(#path(__value)))
        });
    }
    for (method, others) in [("conflicts", &option.conflicts), ("requires", &option.requires)] {
        if !others.is_empty() {
            let method = Ident::new(method, Span::call_site());
            let names = fields.iter().filter_map(|field| match &field.role {
                Role::Option(option) if others.contains(&field.ident) => Some(option.name()),
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
