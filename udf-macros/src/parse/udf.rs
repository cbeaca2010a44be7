//! The struct of `#[udf]`: its arguments and its fields.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DataStruct, DeriveInput, Expr, ExprLit, Fields, Lifetime, Lit, Meta, Type};

use super::entries::{Entry, attribute, entries};
use super::{docs, option, plain, runtime, source, tables};
use crate::borrowed::lifetimes;
use crate::errors::Errors;
use crate::model::{At, Edge, Field, OnMissing, Role, Runtime, StateField, Tick, Udf, UdfArgs};
use crate::words::case::Case;
use crate::words::duration;
use crate::words::suggest::{any_of, did_you_mean};

/// The error for another item than a struct with named fields.
pub(crate) const A_STRUCT: &str = "`#[udf]` requires a struct with named fields: `struct Name { \
                                   field: Type }`";

/// Returns the model of the struct, without the parts that are invalid.
pub(crate) fn udf(input: DeriveInput, errors: &mut Errors) -> (Runtime, Udf) {
    let (runtime, args) = args(&input, errors);
    let fields = fields(&input, &args, errors);
    let help = docs(&input.attrs);
    (runtime, Udf { help, ident: input.ident, generics: input.generics, args, fields })
}

fn args(input: &DeriveInput, errors: &mut Errors) -> (Runtime, UdfArgs) {
    let hidden = input.attrs.iter().find(|attr| attr.path().is_ident("__udf"));
    let tokens = match hidden.map(|attr| &attr.meta) {
        Some(Meta::List(list)) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let entries = entries(tokens.clone(), tables::UDF, errors);
    let runtime = runtime(&entries, errors);
    let mut args = UdfArgs {
        wants: None,
        provides: None,
        on_missing: At { value: OnMissing::Skip, tokens: TokenStream::new() },
        tick: None,
        point: None,
        metrics: Vec::new(),
        rename_all: Case::Camel,
        name: None,
        at_least_one_of: entries.all("at_least_one_of").map(|entry| entry.idents(errors)).collect(),
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
                if let Some((value, tokens)) = one_of(entry, &known, errors) {
                    args.on_missing = At { value, tokens };
                }
            }
            "name" => args.name = entry.name(errors),
            "tick" => args.tick = tick(entry, errors),
            "metrics" => args.metrics = metrics(entry, errors),
            "point" => args.point = point(entry, errors),
            "rename_all" => {
                let case = rename_all(entry, Case::CALLABLE, errors);
                args.rename_all = case.unwrap_or(Case::Camel);
            }
            _ => {}
        }
    }
    let place = if tokens.is_empty() { input.ident.to_token_stream() } else { tokens };
    match (entries.may_have("wants"), entries.may_have("provides")) {
        (true, true) => {}
        (false, false) => {
            let message = "`wants` and `provides` are missing; write `wants = stream, provides = \
                           stream`, each `stream` or `batch`";
            errors.at(place, message);
        }
        (has_wants, _) => {
            let key = if has_wants { "provides" } else { "wants" };
            let message = format!("`{key}` is missing; write `{key} = stream` or `{key} = batch`");
            errors.at(place, message);
        }
    }
    (runtime, args)
}

fn edge(entry: &Entry, errors: &mut Errors) -> Option<Edge> {
    let known = [("stream", Edge::Stream), ("batch", Edge::Batch)];
    one_of(entry, &known, errors).map(|(edge, _)| edge)
}

/// Returns the value, which must be one of the known words, with or without quotes.
fn one_of<T: Copy>(
    entry: &Entry,
    known: &[(&str, T)],
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
    errors.at(value, format_args!("invalid `{}`: expected {all}, found `{word}`{near}", entry.key));
    None
}

/// Returns the case of `rename_all = "..."`.
pub(super) fn rename_all(
    entry: &Entry,
    known: &[(&str, Case)],
    errors: &mut Errors,
) -> Option<Case> {
    one_of(entry, known, errors).map(|(case, _)| case)
}

/// Returns the paths of counters and gauges.
fn metrics(entry: &Entry, errors: &mut Errors) -> Vec<Expr> {
    let all = entry.list(errors).into_iter().filter(|written| {
        let is_path = matches!(plain(written), Expr::Path(_));
        if !is_path {
            let message = "expected the name of a `static`: `metrics(HITS, MISSES)`, for \
                           `static HITS: Counter = Counter::new(\"hits_total\", \"...\");`";
            errors.at(written, message);
        }
        is_path
    });
    all.cloned().collect()
}

/// Returns the type of the points as it was written.
fn point(entry: &Entry, errors: &mut Errors) -> Option<Type> {
    let ty = entry.ty(errors)?;
    let named = |lifetime: &Lifetime| lifetime.ident != "_" && lifetime.ident != "static";
    if let Type::Reference(reference) = ty {
        let inner = source(&reference.elem);
        let message = format!("the handler already gets a reference; write `point = {inner}`");
        errors.at(ty, message);
    } else if let Some(lifetime) = lifetimes(ty).into_iter().find(named) {
        errors.at(lifetime, "a point lives only as long as the call of the handler; write `'_`");
    } else {
        return Some(ty.clone());
    }
    None
}

fn tick(entry: &Entry, errors: &mut Errors) -> Option<Tick> {
    let value = entry.value(errors)?;
    match plain(value) {
        Expr::Path(path) if path.path.get_ident().is_some() => {
            return path.path.get_ident().cloned().map(Tick::Field);
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => match duration::nanos(&text.value()) {
            // The runtime refuses such an interval in a field.
            Ok(..1_000_000) => errors.at(text, "`tick` must be at least \"1ms\""),
            Ok(value) => return Some(Tick::Is(At { value, tokens: text.to_token_stream() })),
            Err(message) => errors.at(text, message),
        },
        other => {
            let message = "`tick` takes an interval in quotes or the name of a field: \
                           `tick = \"10s\"` or `tick = every`";
            errors.at(other, message);
        }
    }
    None
}

fn fields(input: &DeriveInput, args: &UdfArgs, errors: &mut Errors) -> Vec<Field> {
    let none = syn::punctuated::Punctuated::new();
    let fields = match &input.data {
        Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) => &fields.named,
        Data::Struct(DataStruct { fields: Fields::Unit, .. }) => &none,
        _ => {
            errors.at(&input.ident, A_STRUCT);
            &none
        }
    };
    for name in ["option", "shared", "state"] {
        if let Some(attr) = input.attrs.iter().find(|attr| attr.path().is_ident(name)) {
            let message = format!(
                "`#[{name}]` belongs on a field; arguments of the whole UDF belong in `#[udf(...)]`"
            );
            errors.at(attr.path(), message);
        }
    }
    let mut all: Vec<Field> = Vec::new();
    for field in fields {
        // rustc reports two fields of the same name.
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
            "a field of a UDF cannot have a default value here; write `#[option(default = {})]`",
            source(value)
        );
        errors.at(value, message);
    }
    let mut role = Role::Memory;
    for attr in &field.attrs {
        let is = |name| attr.path().is_ident(name);
        let (is_option, is_shared) = (is("option"), is("shared"));
        if !is_option && !is_shared && !is("state") {
            continue;
        }
        if !matches!(role, Role::Memory) {
            let message = "a field can have only one `#[option]`, `#[shared]` or `#[state]`";
            errors.at(attr.path(), message);
            continue;
        }
        role = if is_option {
            let entries = attribute(attr, tables::OPTION, errors);
            Role::Option(Box::new(option::option(field, &ident, &entries, args, errors)))
        } else if is_shared {
            let _ = attribute(attr, tables::SHARED, errors);
            Role::Shared
        } else {
            let entries = attribute(attr, tables::STATE, errors);
            let name = entries.text("name", errors).map(syn::LitStr::value);
            let made_with = entries.get("made_with").map(|entry| entry.idents(errors));
            Role::State(StateField {
                name: name.unwrap_or_else(|| ident.unraw().to_string()),
                made_with: made_with.unwrap_or_default(),
                max: entries.get("max").and_then(|entry| entry.ident(errors)),
            })
        };
    }
    Some(Field { ident, ty: field.ty.clone(), role })
}
