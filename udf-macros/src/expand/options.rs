//! Options: the constant that describes them, and the fields that the calls of an Init become.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Type};

use super::{function, state, text};
use crate::model::{Calls, Default, Field, OptionField, Range, Role, StateField, Udf};
use crate::parse::{Known, Literal, elements, is_constant, known, literal, source};
use crate::words::duration;

/// Returns the constant. It holds no value of a type of the author.
pub(super) fn constant(model: &Udf) -> TokenStream {
    let all = model.options().map(|(field, option)| data(field, option, model));
    quote!(&[#(#all),*])
}

/// Makes the struct. The runtime has made the values of all options, and hands them out in the order
/// of the fields.
pub(super) fn from_options(model: &Udf) -> TokenStream {
    let values = model.fields.iter().map(|field| {
        let ident = &field.ident;
        let value = match &field.role {
            Role::Option(_) => quote!(__udf_options.field()),
            Role::State(StateField { name, .. }) => {
                let state = function("state", &field.ty);
                quote!(#state(#name).initial())
            }
            Role::Shared => {
                let shared = function("shared", &field.ty);
                quote!(#shared(__udf_options)?)
            }
            Role::Memory => {
                let memory = function("memory", &field.ty);
                quote!(#memory())
            }
        };
        quote!(#ident: #value)
    });
    let made = quote!(Self { #(#values),* });
    let local = Ident::new("__udf_made", Span::mixed_site());
    let limits = state::limits(model, &local);
    if limits.is_empty() {
        return quote!(__udf::Some(#made));
    }
    quote! {
        let mut #local = #made;
        #limits
        __udf::Some(#local)
    }
}

/// Returns the function of the runtime that makes the field of the calls.
fn vtable(field: &Field, option: &OptionField) -> TokenStream {
    let (ty, value) = (&field.ty, &option.value);
    let function = match (option.flag, &option.parse, option.calls) {
        (true, _, _) => function("flag", ty),
        (false, None, _) => function("option", quote!(#ty, _)),
        (false, Some(_), Calls::Once) => function("parsed", value),
        (false, Some(_), Calls::AtMostOnce) => function("parsed_option", value),
        (false, Some(_), Calls::Any) => function("parsed_vec", value),
    };
    quote!(#function())
}

/// Returns the method that adds the default to the data of the option.
fn default(field: &Field, option: &OptionField) -> Option<TokenStream> {
    let vtable = vtable(field, option);
    let value = match option.default.as_ref()? {
        Default::OfType(key) => {
            let source = format!("{}::default()", source(&option.value));
            let value = quote_spanned!(key.span()=> __udf::own_default);
            return Some(quote!(.default(|| #vtable.made(#value), #source)));
        }
        Default::Is(value) => value,
    };
    let (code, source) = (&value.code, source(&value.written));
    Some(match constant_literal(&value.written, &option.value) {
        _ if option.parse.is_some() => quote!(.default_text(#code)),
        Some(literal) => quote!(.literal(#literal)),
        None if is_constant(&value.written) => {
            quote!(.constant(|| #vtable.made(|| #code), #source))
        }
        None => quote!(.default(|| #vtable.made(|| #code), #source)),
    })
}

/// Returns one option, built by the builder of the runtime.
fn data(field: &Field, option: &OptionField, model: &Udf) -> TokenStream {
    let (ty, vtable, name, docs) =
        (&field.ty, vtable(field, option), option.name(), text(&option.help));
    let mut data = quote!(#vtable.data(#name, #docs));
    if option.flag {
        data.extend(quote!(.is_flag()));
    }
    if !option.aliases.is_empty() {
        let aliases = option.aliases.iter().map(|alias| &alias.value);
        data.extend(quote!(.aliases(&[#(#aliases),*])));
    }
    data.extend(default(field, option));
    if let Some(example) = &option.example {
        let code = &example.code;
        data.extend(match example_arguments(&example.written, option) {
            Some(arguments) => {
                quote!(.example(|| __udf::Literal::values(&[#(#arguments),*])))
            }
            None => quote!(.example(|| #vtable.show(|| #code))),
        });
    }
    if let Some(range) = &option.range {
        let (function, limits) = (function("range", quote!(#ty, _)), limits(range));
        data.extend(quote!(.range(|| #function(const { #limits }))));
    }
    if let Some(len) = &option.len {
        // The length of parsed text is that of the text, whatever its type is.
        let function = match (&option.parse, option.calls) {
            (Some(_), Calls::Once | Calls::AtMostOnce) => function("len", quote!(__udf::String)),
            _ => function("len", ty),
        };
        let limits = limits(len);
        data.extend(quote!(.len(|| #function(const { #limits }))));
    }
    if let Some(path) = &option.validate {
        let check = quote_spanned!(path.span()=> |__udf_value| __udf::verdict(#path(__udf_value)));
        data.extend(quote!(.validate(|__udf_value| #vtable.check(__udf_value, #check))));
    }
    data.extend(option.must_be.as_ref().map(|words| quote!(.must_be(#words))));
    data.extend(option.hidden.as_ref().map(|_| quote!(.hidden())));
    let names = |others: &[syn::Ident]| {
        let named = model.options().filter(|(field, _)| others.contains(&field.ident));
        named.map(|(_, option)| option.name().to_owned()).collect::<Vec<_>>()
    };
    if !option.conflicts.is_empty() {
        let names = names(&option.conflicts);
        data.extend(quote!(.conflicts(&[#(#names),*])));
    }
    if !option.requires.is_empty() {
        let names = names(&option.requires);
        data.extend(quote!(.requires(&[#(#names),*])));
    }
    let sets = model.args.at_least_one_of.iter().filter(|set| set.contains(&field.ident));
    let sets: Vec<_> = sets.map(|set| names(set)).map(|names| quote!(&[#(#names),*])).collect();
    if !sets.is_empty() {
        data.extend(quote!(.at_least_one_of(&[#(#sets),*])));
    }
    data.extend(option.env.as_ref().map(|env| quote!(.env(#env))));
    data.extend(option.secret.as_ref().map(|_| quote!(.secret())));
    data.extend(option.deprecated.as_ref().map(|advice| quote!(.deprecated(#advice))));
    data
}

/// Returns a range as an expression.
fn limits(range: &Range) -> TokenStream {
    let (min, max) =
        (range.min.as_ref().map(|min| &min.code), range.max.as_ref().map(|max| &max.code));
    let max_bound = if range.inclusive { quote!(Included) } else { quote!(Excluded) };
    match (min, max, range.above) {
        (None, None, _) => range.written.to_token_stream(),
        (Some(min), None, true) => quote!((__udf::Bound::Excluded(#min), __udf::Bound::Unbounded)),
        (Some(min), Some(max), true) => {
            quote!((__udf::Bound::Excluded(#min), __udf::Bound::#max_bound(#max)))
        }
        (min, max, _) if range.inclusive => quote!(#min..=#max),
        (min, max, _) => quote!(#min..#max),
    }
}

/// Returns the arguments that a TICKscript writes for an example, if the example is the text of a
/// parsed option, or literals for a type that is not known here.
fn example_arguments(written: &Expr, option: &OptionField) -> Option<Vec<TokenStream>> {
    if option.parse.is_none() && !matches!(known(&option.value), Known::Other) {
        return None;
    }
    elements(written).into_iter().map(|one| literal_data(&literal(one)?)).collect()
}

/// Returns the literal of a known type as data. A function that makes the value would cost time to
/// compile.
fn constant_literal(written: &Expr, ty: &Type) -> Option<TokenStream> {
    match (known(ty), literal(written)?) {
        (Known::Float | Known::Percent, Literal::Int(value)) => {
            literal_data(&Literal::Float(value as f64))
        }
        (Known::Duration, Literal::String(text)) => {
            let nanos = i64::try_from(duration::nanos(&text).ok()?).ok()?;
            Some(quote!(__udf::Literal::Duration(#nanos)))
        }
        (Known::Char | Known::Tuple(_) | Known::Array(_) | Known::Other, _) => None,
        (_, literal) => literal_data(&literal),
    }
}

/// Returns a literal as a TICKscript writes it.
fn literal_data(literal: &Literal) -> Option<TokenStream> {
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
    Some(quote!(__udf::Literal::#data))
}

/// Returns uses of the identifiers in relations. rustc reports unknown fields, and editors find and
/// rename them.
pub(super) fn mentions(model: &Udf) -> TokenStream {
    let others = model.options().flat_map(|(_, option)| [&option.conflicts, &option.requires]);
    let mentions: Vec<_> = others.chain(&model.args.at_least_one_of).flatten().collect();
    match &mentions[..] {
        [] => TokenStream::new(),
        mentions => quote!(let _ = |__udf_self: &Self| { #(let _ = &__udf_self.#mentions;)* };),
    }
}
