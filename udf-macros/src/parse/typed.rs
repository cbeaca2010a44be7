//! `#[derive(FromPoint)]` and `#[derive(Fields)]`: structs that points are read into and made of.
//!
//! A struct may have both, and neither derive sees the other. So a mistake that both find is told by both in the same
//! words at the same place, which rustc shows once.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Data, DeriveInput, Field, Fields, Meta};

use super::entries::{Entry, entries, known_once};
use super::krate;
use super::member::{self, SOURCES};
use super::refused::refused;
use super::udf::rename_all;
use crate::errors::Errors;
use crate::model::{Member, Source, Typed};
use crate::words::case::Case;

pub(crate) fn from_point(input: DeriveInput, errors: &mut Errors) -> Typed {
    let (krate, case) = container(&input, "point", &["field", "tag", "time", "group"], errors);
    for other in input.generics.lifetimes().skip(1) {
        let message = "all that is borrowed is borrowed from the point: one lifetime is enough";
        errors.at(&other.lifetime, message);
    }
    let mut members = Vec::new();
    let all = named(&input, errors);
    for (place, (ident, field)) in all.iter().enumerate() {
        let source = member::source(ident, field, case, errors);
        if let Some(source) = &source {
            member::from_point_type(source, &field.ty, place + 1 == all.len(), &input, errors);
        }
        let source = source.unwrap_or(Source::Point);
        members.push(Member { ident: (*ident).clone(), ty: field.ty.clone(), source });
    }
    Typed { ident: input.ident, generics: input.generics, krate, members }
}

pub(crate) fn fields(input: DeriveInput, errors: &mut Errors) -> Typed {
    let (krate, case) = container(&input, "fields", &["field"], errors);
    let before = errors.count();
    let mut members: Vec<Member> = Vec::new();
    let all = named(&input, errors);
    for (ident, field) in &all {
        if of_a_point(field) {
            // It is also made of a point, and this member is none of its fields.
            continue;
        }
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("fields")) {
            let message = "`#[fields(...)]` is for the struct; a member has `#[field(...)]`";
            errors.at(attr.path(), message);
        }
        let Some((name, span)) = member::field_name(ident, field, case, errors) else { continue };
        let source = Source::Field(name);
        if members.iter().any(|member| member.source == source) {
            errors.span(span, "another member becomes the field of this name");
        }
        member::one_option(&source, &field.ty, errors);
        if refused(&field.ty, &input.generics) {
            errors.unless_refused(&field.ty, "this borrows: name a lifetime of the struct in it");
        }
        members.push(Member { ident: (*ident).clone(), ty: field.ty.clone(), source });
    }
    if members.is_empty() && errors.count() == before {
        let message = "no member of it becomes a field, and a point has at least one";
        match all.iter().any(|(_, field)| of_a_point(field)) {
            // Without `FromPoint`, their attributes are unknown.
            true => errors.unless_refused(&input.ident, message),
            false => errors.at(&input.ident, message),
        }
    }
    Typed { ident: input.ident, generics: input.generics, krate, members }
}

/// Whether a member is something else of a point than a field.
fn of_a_point(field: &Field) -> bool {
    let others = SOURCES.iter().filter(|source| **source != "field");
    others.into_iter().any(|name| field.attrs.iter().any(|attr| attr.path().is_ident(name)))
}

/// The crate and the case of the names, from an attribute on the struct; those of its members are misplaced there.
fn container(
    input: &DeriveInput,
    name: &str,
    of_members: &[&str],
    errors: &mut Errors,
) -> (TokenStream, Option<Case>) {
    for attr in &input.attrs {
        if let Some(name) = of_members.iter().find(|name| attr.path().is_ident(name)) {
            let message = format!(
                "`#[{name}]` is for members; a struct has `#[point(...)]` for `FromPoint`, and \
                 `#[fields(...)]` for `Fields`"
            );
            errors.at(attr.path(), message);
        }
    }
    let attrs = input.attrs.iter().filter(|attr| attr.path().is_ident(name));
    let entries: Vec<Entry> = attrs
        .flat_map(|attr| match &attr.meta {
            Meta::Path(path) => {
                let message = format!("expected `#[{name}(rename_all = \"camelCase\")]`");
                errors.at(path, message);
                Vec::new()
            }
            _ => attribute(attr, errors),
        })
        .collect();
    let entries = known_once(entries, &["crate", "rename_all"], &[], errors);
    let case = entries.iter().find(|entry| entry.key == "rename_all");
    let case = case.and_then(|entry| rename_all(entry, &Case::ALL, errors));
    (krate(&entries, errors), case)
}

/// What is in an attribute.
pub(super) fn attribute(attr: &Attribute, errors: &mut Errors) -> Vec<Entry> {
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
fn named<'i>(input: &'i DeriveInput, errors: &mut Errors) -> Vec<(&'i Ident, &'i Field)> {
    let message = "expected a struct with named members: `struct Name { member: Type }`";
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) => errors.at(fields, message),
            fields => {
                let named = fields.iter().filter_map(|f| f.ident.as_ref().map(|i| (i, f)));
                return named.collect();
            }
        },
        Data::Enum(data) => errors.at(data.enum_token, message),
        Data::Union(data) => errors.at(data.union_token, message),
    }
    Vec::new()
}
