//! Options: each is taken out of the parser by its specification.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Generics;
use syn::spanned::Spanned;

use super::{at, function, generics, local};
use crate::model::{Calls, Default, Expr, Field, OptionField, Range, Role};
use crate::parse::{Known, Literal, as_arguments, is_constant, known, source};

/// Takes every option. Only if nothing is wrong with any, it makes the fields, and then the struct: nothing
/// that an author wrote runs for an Init that is refused, and for those who only ask for the options.
pub(super) fn from_options(fields: &[Field], of: &Generics, krate: &TokenStream) -> TokenStream {
    let takes = fields.iter().enumerate().filter_map(|(place, field)| match &field.role {
        Role::Option(option) => {
            let (checked, ty) = checked(place, field, option, of, krate);
            let (local, spec) = (local(place), spec(&ty, option, fields, krate));
            Some(quote!(#checked let #local = __options.take(#spec);))
        }
        Role::State(_) | Role::Memory => None,
    });
    let options = || fields.iter().enumerate().filter(|(_, f)| matches!(f.role, Role::Option(_)));
    // Every default is made, so that all that are wrong are told.
    let makes = options().map(|(place, _)| {
        let local = local(place);
        quote!(let #local = #local.make(__options);)
    });
    let unwraps = options().map(|(place, _)| {
        let local = local(place);
        quote!(let #local = #local?;)
    });
    let values = fields.iter().enumerate().map(|(place, field)| {
        let (ident, local) = (&field.ident, local(place));
        let value = match &field.role {
            Role::Option(_) => quote!(#local),
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
        if !__options.accepts() {
            return ::core::option::Option::None;
        }
        #(#makes)*
        #(#unwraps)*
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
                let source = format!("{}::default()", source(value));
                match known(value) {
                    Known::Other => quote!(.default(#default, #source)),
                    _ => quote!(.constant(#default, #source)),
                }
            }
            Default::Is(Expr { code, .. }) if parsed => quote!(.default_text(#code)),
            Default::Is(Expr { code, written, .. }) => {
                let source = source(written);
                match is_constant(written) {
                    true => quote!(.constant(|| #code, #source)),
                    false => quote!(.default(|| #code, #source)),
                }
            }
        });
    }
    if let Some(example) = &option.example {
        let Expr { code, written, .. } = &example.value;
        spec.extend(match as_arguments(written, value, parsed) {
            Some(arguments) => {
                let arguments = arguments.iter().map(|(kind, written)| match kind {
                    Literal::Bool => quote!(#krate::__private::Value::Bool(#written)),
                    Literal::Int(_) => quote!(#krate::__private::Value::Int(#written)),
                    Literal::Float(_) => quote!(#krate::__private::Value::Double(#written)),
                    Literal::String(_) | Literal::Char | Literal::Other => quote! {
                        #krate::__private::Value::String(
                            ::std::string::ToString::to_string(&#written)
                        )
                    },
                });
                quote!(.example_arguments([#(#arguments),*]))
            }
            None => quote!(.example(|| #code)),
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
    // A range is data: in a `const`, rustc refuses what has to be computed.
    let min = range.min.as_ref().map_or_else(unbounded, |min| {
        let code = &min.code;
        quote!(#krate::__private::Bound::Included(const { #code }))
    });
    let max = range.max.as_ref().map_or_else(unbounded, |max| {
        let code = &max.code;
        match range.inclusive {
            true => quote!(#krate::__private::Bound::Included(const { #code })),
            false => quote!(#krate::__private::Bound::Excluded(const { #code })),
        }
    });
    (min, max)
}
