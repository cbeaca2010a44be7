//! `#[derive(FromPoint)]` and `#[derive(Fields)]`: structs that points are read into and made of.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Meta};

use super::entries::{Entry, entries, known_once};
use super::krate;
use super::types::calls;
use super::udf::rename_all;
use crate::errors::Errors;
use crate::model::{Calls, Member, Source, Typed};
use crate::words::case::Case;

/// What a member of a struct made of a point can be.
const SOURCES: [&str; 5] = ["field", "tag", "time", "group", "point"];

pub(crate) fn from_point(input: DeriveInput, errors: &mut Errors) -> Typed {
    let (krate, case) = container(&input, "point", errors);
    if let Some(second) = input.generics.lifetimes().nth(1) {
        let message = "all that is borrowed is borrowed from the point: one lifetime is enough";
        errors.at(&second.lifetime, message);
    }
    let mut members = Vec::new();
    for (ident, field) in named(&input, "a struct made of a point", errors) {
        let mut source = None;
        for attr in &field.attrs {
            let Some(kind) = SOURCES.into_iter().find(|known| attr.path().is_ident(known)) else {
                continue;
            };
            if source.is_some() {
                let message = "a member is one thing of the point: keep one of its attributes";
                errors.at(attr.path(), message);
                continue;
            }
            source = Some(self::source(kind, ident, attr, case, errors));
        }
        let source = source.unwrap_or_else(|| {
            let message = format!(
                "where does `{ident}` come from? \
                 write `#[field]`, `#[tag]`, `#[time]`, `#[group]` or `#[point]`"
            );
            errors.at(ident, message);
            Source::Point
        });
        let always = matches!(source, Source::Time | Source::Group | Source::Point);
        if always && calls(&field.ty).0 == Calls::AtMostOnce {
            let message = "every point has this: write the type without `Option`";
            errors.at(&field.ty, message);
        }
        members.push(Member { ident: ident.clone(), ty: field.ty.clone(), source });
    }
    Typed { ident: input.ident, generics: input.generics, krate, members }
}

pub(crate) fn fields(input: DeriveInput, errors: &mut Errors) -> Typed {
    let (krate, case) = container(&input, "fields", errors);
    let mut members: Vec<Member> = Vec::new();
    for (ident, field) in named(&input, "a struct whose members become fields", errors) {
        let is =
            |attr: &Attribute, names: &[&str]| names.iter().any(|name| attr.path().is_ident(name));
        if field.attrs.iter().any(|attr| is(attr, &["tag", "time", "group", "point"])) {
            // It is also made of a point, and this member is none of its fields.
            continue;
        }
        let (mut name, mut skip) = (None, None);
        for attr in field.attrs.iter().filter(|attr| is(attr, &["field"])) {
            let known = known_once(attribute(attr, errors), &["name", "skip"], &[], errors);
            for entry in known {
                if entry.key == "skip" {
                    entry.bare(errors);
                    skip = Some(entry.key.span());
                } else {
                    name = entry.text("name = \"mean\"", errors).or(name);
                }
            }
        }
        if let Some(span) = skip {
            if name.is_some() {
                errors.span(span, "a member that is skipped needs no `name`");
            }
            continue;
        }
        let span = name.as_ref().map_or(ident.span(), Spanned::span);
        let name = name.map_or_else(|| written(ident, case), |name| name.value());
        if name.is_empty() {
            errors.span(span, "the name of a field cannot be empty");
        }
        let source = Source::Field(name);
        if members.iter().any(|member| member.source == source) {
            errors.span(span, "another member becomes the field of this name");
        }
        members.push(Member { ident: ident.clone(), ty: field.ty.clone(), source });
    }
    if members.is_empty()
        && matches!(&input.data, Data::Struct(data) if !matches!(data.fields, Fields::Unnamed(_)))
    {
        let message = "no member of it becomes a field, and a point has at least one";
        errors.at(&input.ident, message);
    }
    Typed { ident: input.ident, generics: input.generics, krate, members }
}

/// The crate and the case of the names, from an attribute on the struct.
fn container(
    input: &DeriveInput,
    name: &str,
    errors: &mut Errors,
) -> (proc_macro2::TokenStream, Option<Case>) {
    let attrs = input.attrs.iter().filter(|attr| attr.path().is_ident(name));
    let entries: Vec<Entry> = attrs.flat_map(|attr| attribute(attr, errors)).collect();
    let entries = known_once(entries, &["crate", "rename_all"], &[], errors);
    let case = entries.iter().find(|entry| entry.key == "rename_all");
    let case = case.and_then(|entry| rename_all(entry, &Case::ALL, errors));
    (krate(&entries, errors), case)
}

fn attribute(attr: &Attribute, errors: &mut Errors) -> Vec<Entry> {
    match &attr.meta {
        Meta::Path(_) => Vec::new(),
        Meta::List(list) => entries(list.tokens.clone(), errors),
        Meta::NameValue(value) => {
            let name = attr.path().get_ident().map_or(String::new(), Ident::to_string);
            errors.span(value.eq_token.span, format_args!("expected `#[{name}(...)]`"));
            Vec::new()
        }
    }
}

/// The members, if they have names.
fn named<'i>(
    input: &'i DeriveInput,
    what: &str,
    errors: &mut Errors,
) -> Vec<(&'i Ident, &'i Field)> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) => {
                errors.at(fields, format_args!("{what} has named members"));
                Vec::new()
            }
            fields => fields.iter().filter_map(|f| f.ident.as_ref().map(|i| (i, f))).collect(),
        },
        Data::Enum(data) => {
            errors.at(data.enum_token, format_args!("expected {what}, not an enum"));
            Vec::new()
        }
        Data::Union(data) => {
            errors.at(data.union_token, format_args!("expected {what}, not a union"));
            Vec::new()
        }
    }
}

/// Fields and tags have their members' names, unless another case is asked for.
fn written(ident: &Ident, case: Option<Case>) -> String {
    let name = ident.unraw().to_string();
    case.map_or_else(|| name.clone(), |case| case.write(&name))
}

fn source(
    kind: &str,
    ident: &Ident,
    attr: &Attribute,
    case: Option<Case>,
    errors: &mut Errors,
) -> Source {
    let entries = attribute(attr, errors);
    let known: &[&str] = if matches!(kind, "field" | "tag") { &["name"] } else { &[] };
    if let ([], Some(entry)) = (known, entries.first()) {
        errors.at(&entry.key, format_args!("`#[{kind}]` has no arguments"));
        return plain(kind, String::new());
    }
    let entries = known_once(entries, known, &[], errors);
    let mut name = written(ident, case);
    for entry in &entries {
        if let Some(text) = entry.text("name = \"usage_user\"", errors) {
            name = text.value();
            if name.is_empty() {
                errors.at(text, format_args!("the name of a {kind} cannot be empty"));
            }
        }
    }
    plain(kind, name)
}

fn plain(kind: &str, name: String) -> Source {
    match kind {
        "field" => Source::Field(name),
        "tag" => Source::Tag(name),
        "time" => Source::Time,
        "group" => Source::Group,
        _ => Source::Point,
    }
}
