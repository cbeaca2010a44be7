//! Options: the constant that describes them, and the fields that the calls of an Init become.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Type};

use super::{at, function, text};
use crate::model::{Calls, Default, Field, OptionField, Role, Value};
use crate::parse::{Known, Literal, as_arguments, is_constant, known, literal, source};
use crate::words::duration;

/// Returns the fields that are options.
fn options(fields: &[Field]) -> Vec<(&Field, &OptionField)> {
    let options = fields.iter().filter_map(|field| match &field.role {
        Role::Option(option) => Some((field, &**option)),
        Role::State(_) | Role::Memory => None,
    });
    options.collect()
}

/// Returns the constant. It holds no value of a type of the author.
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

/// Returns the function of the runtime that makes the field of the calls.
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

/// Returns the method that makes the default of an option, and its last arguments.
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

/// Returns the check of each value by the author's function.
fn validate(option: &OptionField, krate: &TokenStream) -> TokenStream {
    let Some(path) = &option.validate else { return quote!(#krate::__private::None) };
    let verdict = at(path.span(), quote!(#krate::__private::verdict));
    let check = quote_spanned!(path.span()=> |__udf_value| #verdict(#path(__udf_value)));
    quote!(#krate::__private::Some(#check))
}

/// Returns one option, built by the builder of the runtime.
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
        let arguments = as_arguments(written, value, option.parse.is_some());
        let arguments = arguments.and_then(|arguments| {
            let data = |literal| literal_data(literal, krate);
            arguments.iter().map(data).collect::<Option<Vec<_>>>()
        });
        let example = match arguments {
            Some(arguments) => {
                quote!(|| #krate::__private::Literal::values(&[#(#arguments),*]))
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
        // The length of parsed text is that of the text, whatever its type is.
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

/// Returns the literal of a known type as data. A function that makes the value would cost time to
/// compile.
fn constant_literal(written: &Expr, ty: &Type, krate: &TokenStream) -> Option<TokenStream> {
    let literal = match (known(ty), literal(written)?) {
        (Known::Bool, literal @ Literal::Bool(_))
        | (Known::Int(_) | Known::NonZero(_), literal @ Literal::Int(_))
        | (Known::Float, literal @ Literal::Float(_))
        | (Known::String | Known::Path | Known::Name, literal @ Literal::String(_)) => literal,
        (Known::Float, Literal::Int(value)) => Literal::Float(value as f64),
        (Known::Duration, Literal::String(text)) => {
            let nanos = i64::try_from(duration::nanos(&text).ok()?).ok()?;
            return Some(quote!(#krate::__private::Literal::Duration(#nanos)));
        }
        _ => return None,
    };
    literal_data(&literal, krate)
}

/// Returns a literal as a TICKscript writes it.
fn literal_data(literal: &Literal, krate: &TokenStream) -> Option<TokenStream> {
    let data = match literal {
        Literal::Bool(value) => quote!(Bool(#value)),
        Literal::Int(value) => {
            let value = i64::try_from(*value).ok()?;
            quote!(Int(#value))
        }
        Literal::Float(value) => quote!(Double(#value)),
        Literal::String(text) => quote!(String(#text)),
        Literal::Char(char) => {
            let text = char.to_string();
            quote!(String(#text))
        }
        Literal::Other => return None,
    };
    Some(quote!(#krate::__private::Literal::#data))
}

/// Returns uses of the identifiers in `conflicts` and `requires`, so that editors find and rename them.
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
