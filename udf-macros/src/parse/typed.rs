//! `#[derive(FromPoint)]` and `#[derive(Fields)]`: structs that are read from a point or become fields.
//!
//! A struct may have both derives, and neither sees the other. Both report a common error at the same
//! span in the same words, and rustc shows it once.

use proc_macro2::{Ident, TokenStream};
use syn::{Data, DataStruct, DeriveInput, Field, Fields, Meta};

use super::entries::attribute;
use super::member::{self, SOURCES};
use super::udf::rename_all;
use super::{krate, tables};
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
    for (ident, field) in named(&input, errors) {
        let source = member::source(ident, field, case, errors);
        if let Some(source) = &source {
            member::from_point_type(source, &field.ty, &input, errors);
        }
        let source = source.unwrap_or(Source::Point);
        members.push(Member { ident: ident.clone(), ty: field.ty.clone(), source });
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
            // The struct also has `FromPoint`, and this member is not a field.
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
        members.push(Member { ident: (*ident).clone(), ty: field.ty.clone(), source });
    }
    if members.is_empty() && errors.count() == before {
        errors.at(&input.ident, "no member of it becomes a field, and a point has at least one");
    }
    Typed { ident: input.ident, generics: input.generics, krate, members }
}

/// Returns whether a member is another part of a point than a field.
fn of_a_point(field: &Field) -> bool {
    let others = SOURCES.iter().filter(|source| **source != "field");
    others.into_iter().any(|name| field.attrs.iter().any(|attr| attr.path().is_ident(name)))
}

/// Returns the crate and the case of names in the attribute on the struct. Notes attributes of members
/// on the struct.
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
    let Some(attr) = input.attrs.iter().find(|attr| attr.path().is_ident(name)) else {
        return (quote::quote!(::udf_runtime), None);
    };
    if let Meta::Path(path) = &attr.meta {
        errors.at(path, format_args!("expected `#[{name}(rename_all = \"camelCase\")]`"));
    }
    let entries = attribute(attr, tables::TYPED, errors);
    let case = entries.get("rename_all").and_then(|entry| rename_all(entry, Case::ALL, errors));
    (krate(&entries, errors), case)
}

/// Returns the named members.
fn named<'i>(input: &'i DeriveInput, errors: &mut Errors) -> Vec<(&'i Ident, &'i Field)> {
    let message = "expected a struct with named members: `struct Name { member: Type }`";
    match &input.data {
        Data::Struct(DataStruct { fields: Fields::Named(_) | Fields::Unit, .. }) => {}
        _ => errors.at(&input.ident, message),
    }
    let Data::Struct(data) = &input.data else { return Vec::new() };
    data.fields.iter().filter_map(|field| Some((field.ident.as_ref()?, field))).collect()
}
