//! The struct of `#[udf]`: its arguments and its fields.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Expr, ExprLit, Fields, Lifetime, Lit, Meta, Type};

use super::entries::{Entry, attribute, entries};
use super::{docs, krate, option, plain, show, tables};
use crate::errors::Errors;
use crate::model::{At, Edge, Field, OnMissing, Role, Udf, UdfArgs};
use crate::words::case::Case;
use crate::words::duration;
use crate::words::suggest::{any_of, did_you_mean};

/// The model of the struct; as much of it as can be understood.
pub(crate) fn udf(input: DeriveInput, errors: &mut Errors) -> Udf {
    let args = args(&input, errors);
    let fields = fields(&input, &args, errors);
    Udf { help: docs(&input.attrs), ident: input.ident, generics: input.generics, args, fields }
}

fn args(input: &DeriveInput, errors: &mut Errors) -> UdfArgs {
    let hidden = input.attrs.iter().find(|attr| attr.path().is_ident("__udf"));
    let tokens = match hidden.map(|attr| &attr.meta) {
        Some(Meta::List(list)) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let entries = entries(tokens.clone(), tables::UDF, errors);
    let krate = krate(&entries, errors);
    let mut args = UdfArgs {
        wants: None,
        provides: None,
        on_missing: At { value: OnMissing::Skip, tokens: TokenStream::new() },
        tick: None,
        point: None,
        rename_all: Case::Camel,
        krate,
    };
    for entry in entries.iter() {
        match &*entry.key.to_string() {
            "wants" => args.wants = edge(entry, errors),
            "provides" => args.provides = edge(entry, errors),
            "on_missing" => {
                let known = [
                    ("skip", OnMissing::Skip),
                    ("pass", OnMissing::Pass),
                    ("fail", OnMissing::Fail),
                ];
                let meaning = "\n`skip` leaves a point out that lacks a field, `pass` sends it on \
                               as it came, `fail` ends the task";
                if let Some((value, tokens)) = one_of(entry, &known, meaning, errors) {
                    args.on_missing = At { value, tokens };
                }
            }
            "tick" => args.tick = tick(entry, errors),
            "point" => args.point = point(entry, errors),
            "rename_all" => {
                let case = rename_all(entry, Case::CALLABLE, errors);
                args.rename_all = case.unwrap_or(Case::Camel);
            }
            _ => {}
        }
    }
    let missing: Vec<&str> =
        ["wants", "provides"].into_iter().filter(|key| !entries.may_have(key)).collect();
    if !missing.is_empty() {
        let message = match &missing[..] {
            [one] => format!("`{one}` is missing: write `{one} = stream` or `{one} = batch`"),
            _ => "`wants` and `provides` are missing: write `#[udf(wants = stream, provides = stream)]`, \
                  each `stream` or `batch`"
                .to_owned(),
        };
        match tokens.is_empty() {
            true => errors.span(Span::call_site(), message),
            false => errors.at(tokens, message),
        }
    }
    args
}

fn edge(entry: &Entry, errors: &mut Errors) -> Option<Edge> {
    let known = [("stream", Edge::Stream), ("batch", Edge::Batch)];
    one_of(entry, &known, "", errors).map(|(edge, _)| edge)
}

/// The one of some words that is the value, in quotes or without. An error ends with their `meaning`.
fn one_of<T: Copy>(
    entry: &Entry,
    known: &[(&str, T)],
    meaning: &str,
    errors: &mut Errors,
) -> Option<(T, TokenStream)> {
    let value = entry.value(errors)?;
    let word = match plain(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        other => other.to_token_stream().to_string(),
    };
    if let Some((_, found)) = known.iter().find(|(name, _)| *name == word) {
        return Some((*found, value.to_token_stream()));
    }
    let near = did_you_mean(&word, known.iter().map(|(name, _)| *name));
    let all = any_of(known.iter().map(|(name, _)| *name));
    errors.at(value, format_args!("`{}` is {all}, not `{word}`{near}{meaning}", entry.key));
    None
}

/// The case of `rename_all = "..."`.
pub(crate) fn rename_all(
    entry: &Entry,
    known: &[(&str, Case)],
    errors: &mut Errors,
) -> Option<Case> {
    let text = entry.text(errors)?;
    let name = text.value();
    if let Some((_, case)) = known.iter().find(|(known, _)| *known == name) {
        return Some(*case);
    }
    let near = did_you_mean(&name, known.iter().map(|(known, _)| *known));
    let all = any_of(known.iter().map(|(known, _)| *known));
    errors.at(text, format_args!("unknown case `{name}`{near}\nexpected {all}"));
    None
}

/// The type of the points, as it was written.
fn point(entry: &Entry, errors: &mut Errors) -> Option<Type> {
    let ty = entry.ty(errors)?;
    if let Type::Reference(reference) = ty {
        let inner = show(&reference.elem);
        let message = "a handler is given a reference to it already: write `point = ";
        errors.at(ty, message.to_owned() + inner.trim_start_matches('`'));
    } else if let Some(lifetime) = named_lifetime(&ty.to_token_stream()) {
        errors.at(lifetime, "a point lives as long as the call it is handed to: write `'_`");
    } else {
        return Some(ty.clone());
    }
    None
}

/// A lifetime with a name, which nothing has declared.
fn named_lifetime(ty: &TokenStream) -> Option<Lifetime> {
    let mut tokens = ty.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        match (&token, tokens.peek()) {
            // What follows has lifetimes of its own.
            (TokenTree::Ident(word), _) if word == "for" || word == "dyn" => return None,
            (TokenTree::Punct(quote), Some(TokenTree::Ident(name)))
                if quote.as_char() == '\'' && name != "_" && name != "static" =>
            {
                return Some(Lifetime::new(&format!("'{name}"), name.span()));
            }
            _ => {}
        }
    }
    None
}

fn tick(entry: &Entry, errors: &mut Errors) -> Option<At<u64>> {
    let text = entry.text(errors)?;
    match duration::nanos(&text.value()) {
        Ok(0) => errors.at(text, "`tick` must be longer than 0"),
        Ok(value) => return Some(At { value, tokens: text.to_token_stream() }),
        Err(message) => errors.at(text, message),
    }
    None
}

fn fields(input: &DeriveInput, args: &UdfArgs, errors: &mut Errors) -> Vec<Field> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            Fields::Unit => return Vec::new(),
            Fields::Unnamed(fields) => {
                let message = "a UDF has named fields, whose names are those of its options: \
                               `struct Name { field: Type }`";
                errors.at(fields, message);
                return Vec::new();
            }
        },
        Data::Enum(data) => {
            let message = "`#[udf]` makes a UDF of a struct: its fields are the options";
            errors.at(data.enum_token, message);
            return Vec::new();
        }
        Data::Union(data) => {
            let message = "`#[udf]` makes a UDF of a struct: its fields are the options";
            errors.at(data.union_token, message);
            return Vec::new();
        }
    };
    for name in ["option", "state"] {
        if let Some(attr) = input.attrs.iter().find(|attr| attr.path().is_ident(name)) {
            let message = format!(
                "`#[{name}]` belongs on a field; what holds for the whole UDF is in `#[udf(...)]`"
            );
            errors.at(attr.path(), message);
        }
    }
    let mut all: Vec<Field> = Vec::new();
    for field in fields {
        // Rustc tells of two that have one name.
        if !all.iter().any(|known| field.ident.as_ref() == Some(&known.ident)) {
            all.extend(self::field(field, args, errors));
        }
    }
    all
}

fn field(field: &syn::Field, args: &UdfArgs, errors: &mut Errors) -> Option<Field> {
    let ident = field.ident.clone()?;
    if let Some((_, value)) = &field.default {
        let message = format!(
            "a UDF takes the default of a field out of its attribute: write `#[option(default = {})]`",
            super::source(value)
        );
        errors.at(value, message);
    }
    let mut role = Role::Memory;
    for attr in &field.attrs {
        let is_option = attr.path().is_ident("option");
        if !is_option && !attr.path().is_ident("state") {
            continue;
        }
        match &role {
            Role::Memory => {}
            Role::Option(_) if is_option => {
                errors.at(attr.path(), "`#[option]` is there twice; write one, `#[option(a, b)]`");
                continue;
            }
            Role::State(_) if !is_option => {
                errors.at(attr.path(), "`#[state]` is there twice; keep one");
                continue;
            }
            _ => {
                let message = "a field is an option, which every Init sets, or state, which \
                               snapshots keep: `#[option]` and `#[state]` exclude each other";
                errors.at(attr.path(), message);
                continue;
            }
        }
        role = if is_option {
            let entries = attribute(attr, tables::OPTION, errors);
            Role::Option(Box::new(option::option(field, &ident, &entries, args, errors)))
        } else {
            let entries = attribute(attr, tables::STATE, errors);
            let name = entries.text("name", errors).map(syn::LitStr::value);
            Role::State(name.unwrap_or_else(|| ident.unraw().to_string()))
        };
    }
    Some(Field { ident, ty: field.ty.clone(), role })
}
