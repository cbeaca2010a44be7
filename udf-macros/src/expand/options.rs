//! Options: each is taken out of the parser by its specification.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{at, function, local, text};
use crate::model::{Calls, Default, Field, OptionField, Role, Value};
use crate::parse::{Known, Literal, as_arguments, is_constant, known, source};

/// Takes every option. Only if nothing is wrong with any, it makes the fields, and then the struct: nothing
/// that an author wrote runs for an Init that is refused, and for those who only ask for the options.
pub(super) fn from_options(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let takes = fields.iter().enumerate().filter_map(|(place, field)| match &field.role {
        Role::Option(option) => {
            let (local, spec) = (local(place), spec(field, option, fields, krate));
            Some(quote!(let #local = __udf_options.take(#spec);))
        }
        Role::State(_) | Role::Memory => None,
    });
    let options = || fields.iter().enumerate().filter(|(_, f)| matches!(f.role, Role::Option(_)));
    // Every default is made, so that all that are wrong are told.
    let makes = options().map(|(place, _)| {
        let local = local(place);
        quote!(let #local = #local.make(__udf_options);)
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
        if !__udf_options.accepts() {
            return #krate::__private::None;
        }
        #(#makes)*
        #(#unwraps)*
        #krate::__private::Some(Self { #(#values),* })
    }
}

/// The specification of one option, as the runtime's builder takes it.
fn spec(field: &Field, option: &OptionField, fields: &[Field], krate: &TokenStream) -> TokenStream {
    let ty = &field.ty;
    let (name, help) = (option.name(), text(&option.help, krate));
    let value = &option.value;
    let make = match (option.flag, &option.parse, option.calls) {
        (true, _, _) => function(krate, "flag", ty),
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
        spec.extend(match default {
            Default::OfType(key) => {
                let default = at(key.span(), quote!(#krate::__private::own_default));
                let source = format!("{}::default()", source(value));
                match known(value) {
                    Known::Other => quote!(.default(#default, #source)),
                    _ => quote!(.constant(#default, #source)),
                }
            }
            Default::Is(Value { code, .. }) if parsed => quote!(.default_text(#code)),
            Default::Is(Value { code, written, .. }) => {
                let source = source(written);
                match is_constant(written) {
                    true => quote!(.constant(|| #code, #source)),
                    false => quote!(.default(|| #code, #source)),
                }
            }
        });
    }
    if let Some(example) = &option.example {
        let Value { code, written, .. } = example;
        spec.extend(match as_arguments(written, value, parsed) {
            Some(arguments) => {
                let arguments = arguments.iter().map(|(kind, written)| match kind {
                    Literal::Bool => quote!(#krate::__private::Value::Bool(#written)),
                    Literal::Int(_) => quote!(#krate::__private::Value::Int(#written)),
                    Literal::Float(_) => quote!(#krate::__private::Value::Double(#written)),
                    Literal::String(_) | Literal::Char | Literal::Other => quote! {
                        #krate::__private::Value::String(
                            #krate::__private::argument_text(&#written)
                        )
                    },
                });
                quote!(.example_arguments([#(#arguments),*]))
            }
            None => quote!(.example(|| #code)),
        });
    }
    if let Some(range) = &option.range {
        let (range, limits) = (function(krate, "range", quote!(#ty, _)), &range.code);
        spec.extend(quote!(.range(#range(const { #limits }))));
    }
    if let Some(len) = &option.len {
        let limits = &len.code;
        // That of parsed text is the length of the text, whatever it is made into.
        let text = quote!(#krate::__private::String);
        let len = match (&option.parse, option.calls) {
            (Some(_), Calls::Once | Calls::AtMostOnce) => function(krate, "len", &text),
            _ => function(krate, "len", ty),
        };
        spec.extend(quote!(.len(#len(const { #limits }))));
    }
    if let Some(path) = &option.validate {
        let verdict = at(path.span(), quote!(#krate::__private::verdict));
        spec.extend(quote_spanned! {path.span()=>
            .validate(|__udf_value| #verdict(#path(__udf_value)))
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
