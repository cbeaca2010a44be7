//! Options: each is taken out of the parser by its specification.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Generics;
use syn::spanned::Spanned;

use super::{at, function, generics, local};
use crate::model::{Calls, Default, Expr, Field, OptionField, Range, Role};
use crate::parse::{Known, known};

/// Takes every option, then makes the struct if none was lacking.
pub(super) fn from_options(fields: &[Field], of: &Generics, krate: &TokenStream) -> TokenStream {
    let takes = fields.iter().enumerate().filter_map(|(place, field)| match &field.role {
        Role::Option(option) => {
            let (checked, ty) = checked(place, field, option, of, krate);
            let (local, spec) = (local(place), spec(&ty, option, fields, krate));
            Some(quote!(#checked let #local = __options.take(#spec);))
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

/// The type of a field for its specification; of one that is not known, another name.
///
/// If it can be no option, it is told in the length of an array, of which rustc then knows that it is wrong: of
/// what has this name, nothing is told any more, as that it has no range.
fn checked(
    place: usize,
    field: &Field,
    option: &OptionField,
    of: &Generics,
    krate: &TokenStream,
) -> (TokenStream, TokenStream) {
    let ty = &field.ty;
    let is_known = !matches!(known(&option.value), Known::Other);
    if is_known || option.flag || option.parse.is_some() || generics::depends(ty, of) {
        return (TokenStream::new(), quote!(#ty));
    }
    let name = format_ident!("__Option{place}", span = Span::mixed_site());
    let check = function(krate, "can_be_option", ty);
    let checked = quote! {
        type #name = <[(); { #check(); 0 }] as #krate::__private::Checked<#ty>>::Type;
    };
    // At its place its range is told of, if it has none.
    (checked, at(ty.span(), name.into_token_stream()))
}

/// The specification of one option, as the runtime's builder takes it.
fn spec(
    ty: &TokenStream,
    option: &OptionField,
    fields: &[Field],
    krate: &TokenStream,
) -> TokenStream {
    let (name, help) = (option.name(), &option.help);
    let value = &option.value;
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
