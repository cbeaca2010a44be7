//! Options: a constant that describes them, and the fields that are made of the calls of an Init.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Type};

use super::{at, function, text};
use crate::model::{Calls, Default, Field, OptionField, Role, Value};
use crate::parse::{Known, Literal, as_arguments, is_constant, known, literal, source};
use crate::words::duration;

/// The fields that are options, with their places among these.
fn options(fields: &[Field]) -> Vec<(&Field, &OptionField)> {
    let options = fields.iter().filter_map(|field| match &field.role {
        Role::Option(option) => Some((field, &**option)),
        Role::State(_) | Role::Memory => None,
    });
    options.collect()
}

/// The constant: it holds no value of a type of the author.
pub(super) fn constant(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let options = options(fields);
    let all = options.iter().map(|(field, option)| data(field, option, &options, krate));
    quote!(&[#(#all),*])
}

/// Takes the values of every option. Only if nothing is wrong with any, it makes the defaults, and then the struct:
/// nothing that an author wrote runs for an Init that is refused, but what looks at its arguments.
///
/// The values are kept by the runtime meanwhile. Locals would cost rustc ten times as much, since each call
/// may panic, and then drops every local before it.
pub(super) fn from_options(fields: &[Field], krate: &TokenStream) -> TokenStream {
    let options = options(fields);
    let takes = options.iter().enumerate().map(|(place, (field, option))| {
        let (vtable, validate) = (vtable(field, option, krate), validate(option, krate));
        quote!(__udf_options.take(#place, &#vtable, #validate);)
    });
    let defaults = options.iter().enumerate().filter_map(|(place, (field, option))| {
        let vtable = vtable(field, option, krate);
        default(option, krate).map(|(method, code)| {
            let method = Ident::new(method, Span::call_site());
            quote!(__udf_options.#method(#place, &#vtable #code);)
        })
    });
    let mut place = 0_usize..;
    let values = fields.iter().map(|field| {
        let ident = &field.ident;
        let value = match &field.role {
            Role::Option(option) => {
                let (place, vtable) = (place.next(), vtable(field, option, krate));
                quote!(__udf_options.field(#place, &#vtable))
            }
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
    // Every default is made, so that all that are wrong are reported.
    quote! {
        #(#takes)*
        if !__udf_options.accepts() {
            return #krate::__private::None;
        }
        #(#defaults)*
        if !__udf_options.is_whole() {
            return #krate::__private::None;
        }
        #krate::__private::Some(Self { #(#values),* })
    }
}

/// The function of the runtime that knows how the field is made of calls.
fn vtable(field: &Field, option: &OptionField, krate: &TokenStream) -> TokenStream {
    let (ty, value) = (&field.ty, &option.value);
    let function = match (option.flag, &option.parse, option.calls) {
        (true, _, _) => function(krate, "flag", ty),
        (false, None, _) => function(krate, "option", quote!(#ty, _)),
        (false, Some(_), Calls::Once) => function(krate, "parsed", value),
        (false, Some(_), Calls::AtMostOnce) => function(krate, "parsed_option", value),
        (false, Some(_), Calls::Any) => function(krate, "parsed_vec", value),
    };
    quote!(#function())
}

/// How the default of an option is made: the method, and the code behind the field.
fn default(option: &OptionField, krate: &TokenStream) -> Option<(&'static str, TokenStream)> {
    match &option.default {
        Some(Default::OfType(key)) => {
            let default = at(key.span(), quote!(#krate::__private::own_default));
            Some(("default", quote!(, #default)))
        }
        Some(Default::Is(Value { written, .. }))
            if option.parse.is_some()
                || constant_literal(written, &option.value, krate).is_some() =>
        {
            Some(("default_of_data", quote!()))
        }
        Some(Default::Is(Value { code, .. })) => Some(("default", quote!(, || #code))),
        None => None,
    }
}

/// The check of each value by the author's function.
fn validate(option: &OptionField, krate: &TokenStream) -> TokenStream {
    let Some(path) = &option.validate else { return quote!(#krate::__private::None) };
    let verdict = at(path.span(), quote!(#krate::__private::verdict));
    let check = quote_spanned!(path.span()=> |__udf_value| #verdict(#path(__udf_value)));
    quote!(#krate::__private::Some(#check))
}

/// One option, as the builder of the runtime takes it.
fn data(
    field: &Field,
    option: &OptionField,
    options: &[(&Field, &OptionField)],
    krate: &TokenStream,
) -> TokenStream {
    let (ty, value, vtable) = (&field.ty, &option.value, vtable(field, option, krate));
    let (name, docs) = (option.name(), text(&option.help, krate));
    let mut data = quote!(#vtable.data(#name, #docs));
    let mut add = |method: &str, arguments: TokenStream| {
        let method = Ident::new(method, Span::call_site());
        data.extend(quote!(.#method(#arguments)));
    };
    if option.flag {
        add("is_flag", quote!());
    }
    if !option.aliases.is_empty() {
        let aliases = option.aliases.iter().map(|alias| &alias.value);
        add("aliases", quote!(&[#(#aliases),*]));
    }
    let shown = |code: &TokenStream| quote!(|| #vtable.show(|| #code));
    match &option.default {
        Some(Default::OfType(key)) => {
            let source = format!("{}::default()", source(value));
            match known(value) {
                Known::Other => add("default", quote!(#source)),
                _ => {
                    let default = at(key.span(), quote!(#krate::__private::own_default()));
                    let shown = shown(&default);
                    add("constant", quote!(#shown, #source));
                }
            }
        }
        Some(Default::Is(Value { code, .. })) if option.parse.is_some() => {
            add("default_text", code.clone());
        }
        Some(Default::Is(Value { code, written, .. })) => {
            let source = source(written);
            match (constant_literal(written, value, krate), is_constant(written)) {
                (Some(literal), _) => add("literal", literal),
                (None, true) => {
                    let shown = shown(code);
                    add("constant", quote!(#shown, #source));
                }
                (None, false) => add("default", quote!(#source)),
            }
        }
        None => {}
    }
    if let Some(Value { code, written, .. }) = &option.example {
        let example = match as_arguments(written, value, option.parse.is_some()) {
            Some(arguments) => {
                let arguments = arguments.iter().map(|(kind, written)| {
                    let (name, written) = match kind {
                        Literal::Bool => ("Bool", written.to_token_stream()),
                        Literal::Int(_) => ("Int", written.to_token_stream()),
                        Literal::Float(_) => ("Double", written.to_token_stream()),
                        Literal::String(_) | Literal::Char | Literal::Other => {
                            ("String", quote!(#krate::__private::argument_text(&#written)))
                        }
                    };
                    let name = Ident::new(name, Span::call_site());
                    quote!(#krate::__private::Value::#name(#written))
                });
                quote!(|| #krate::__private::Some(#krate::__private::Vec::from([#(#arguments),*])))
            }
            None => shown(code),
        };
        add("example", example);
    }
    if let Some(range) = &option.range {
        let (function, limits) = (function(krate, "range", quote!(#ty, _)), &range.code);
        add("range", quote!(|| #function(const { #limits })));
    }
    if let Some(len) = &option.len {
        // That of parsed text is the length of the text, whatever it is made into.
        let function = match (&option.parse, option.calls) {
            (Some(_), Calls::Once | Calls::AtMostOnce) => {
                function(krate, "len", quote!(#krate::__private::String))
            }
            _ => function(krate, "len", ty),
        };
        let limits = &len.code;
        add("len", quote!(|| #function(const { #limits })));
    }
    if option.validate.is_some() {
        add("validated", quote!());
    }
    for (method, others) in [("conflicts", &option.conflicts), ("requires", &option.requires)] {
        if !others.is_empty() {
            let named = options.iter().filter(|(field, _)| others.contains(&field.ident));
            let names = named.map(|(_, option)| option.name());
            add(method, quote!(&[#(#names),*]));
        }
    }
    if let Some(env) = &option.env {
        add("env", quote!(#env));
    }
    if option.secret.is_some() {
        add("secret", quote!());
    }
    if let Some(advice) = &option.deprecated {
        add("deprecated", quote!(#advice));
    }
    data
}

/// A literal of a type that is known, as data: functions that make values cost time to compile.
fn constant_literal(written: &Expr, ty: &Type, krate: &TokenStream) -> Option<TokenStream> {
    let (name, value) = match (known(ty), literal(written)?) {
        (Known::Bool, Literal::Bool) => ("Bool", written.to_token_stream()),
        (Known::Int(_) | Known::NonZero(_), Literal::Int(value)) => {
            let value = i64::try_from(value).ok()?;
            ("Int", quote!(#value))
        }
        (Known::Float, Literal::Int(value)) => {
            let value = value as f64;
            ("Double", quote!(#value))
        }
        (Known::Float, Literal::Float(value)) => ("Double", quote!(#value)),
        (Known::String | Known::Path, Literal::String(text)) => ("String", quote!(#text)),
        (Known::Duration, Literal::String(text)) => {
            let nanos = i64::try_from(duration::nanos(&text).ok()?).ok()?;
            ("Duration", quote!(#nanos))
        }
        _ => return None,
    };
    let name = Ident::new(name, Span::call_site());
    Some(quote!(#krate::__private::Literal::#name(#value)))
}

/// Uses of the identifiers in `conflicts` and `requires`, so that editors find and rename them.
pub(super) fn mentions(fields: &[Field]) -> TokenStream {
    let options = options(fields);
    let others =
        options.iter().flat_map(|(_, option)| option.conflicts.iter().chain(&option.requires));
    let mentions: Vec<_> = others.collect();
    match &mentions[..] {
        [] => TokenStream::new(),
        mentions => quote!(let _ = |__udf: &Self| { #(let _ = &__udf.#mentions;)* };),
    }
}
