//! The members of structs with `FromPoint` and `Fields`: their parts of a point, and their types.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::{Attribute, DeriveInput, Field, Lifetime, Type};

use super::entries::{Entries, attribute};
use super::tables;
use super::types::calls;
use crate::borrowed::lifetimes;
use crate::errors::Errors;
use crate::model::{Calls, Source};
use crate::words::case::Case;

/// The attributes of members of a struct with `FromPoint`.
pub(super) const SOURCES: [&str; 5] = ["field", "tag", "time", "group", "point"];

/// Returns the part of a point that a member of a struct with `FromPoint` holds.
pub(super) fn source(
    ident: &Ident,
    field: &Field,
    case: Option<Case>,
    errors: &mut Errors,
) -> Option<Source> {
    let kinds = field.attrs.iter().filter_map(|attr| Some((kind(attr)?, attr)));
    let kinds: Vec<(&str, &Attribute)> = kinds.collect();
    let Some(((first, attr), others)) = kinds.split_first() else {
        let message = format!(
            "where does `{ident}` come from? write `#[field]`, `#[tag]`, `#[time]`, `#[group]` or `#[point]`"
        );
        errors.at(ident, message);
        return None;
    };
    for (kind, attr) in others.iter().filter(|(kind, _)| *kind != "field" || *first != "field") {
        match kind == first {
            true => twice(kind, attr, errors),
            false => {
                let message = "a member is one thing of the point: keep one of its attributes";
                errors.at(attr.path(), message);
            }
        }
    }
    Some(match *first {
        "field" => {
            let (name, skip) = field_attributes(field, errors);
            if let Some(skip) = skip {
                let message = "`skip` is for a struct with `Fields` alone: what is made of a point is \
                               not left out";
                errors.at(skip, message);
            }
            Source::Field(name.map_or_else(|| written(ident, case), |(name, _)| name))
        }
        "tag" => {
            let name = name(&attribute(attr, tables::TAG, errors), "tag", errors);
            Source::Tag(name.map_or_else(|| written(ident, case), |(name, _)| name))
        }
        kind => {
            let _ = attribute(attr, tables::NONE, errors);
            match kind {
                "time" => Source::Time,
                "group" => Source::Group,
                _ => Source::Point,
            }
        }
    })
}

fn kind(attr: &Attribute) -> Option<&'static str> {
    SOURCES.into_iter().find(|known| attr.path().is_ident(known))
}

fn twice(kind: &str, attr: &Attribute, errors: &mut Errors) {
    errors.at(attr.path(), format_args!("`#[{kind}]` is there twice; keep one"));
}

/// Returns the name of the field that a member becomes, and its span; `None` if the member is skipped.
pub(super) fn field_name(
    ident: &Ident,
    field: &Field,
    case: Option<Case>,
    errors: &mut Errors,
) -> Option<(String, Span)> {
    let (name, skip) = field_attributes(field, errors);
    match (name, skip) {
        (Some(_), Some(skip)) => {
            errors.at(skip, "a member that is skipped needs no `name`");
            None
        }
        (_, Some(_)) => None,
        (Some(name), None) => Some(name),
        (None, None) => Some((written(ident, case), ident.span())),
    }
}

/// Returns the name and the key `skip` in `#[field(...)]`.
fn field_attributes(field: &Field, errors: &mut Errors) -> (Option<(String, Span)>, Option<Ident>) {
    let mut attrs = field.attrs.iter().filter(|attr| attr.path().is_ident("field"));
    let first = attrs.next();
    attrs.for_each(|attr| twice("field", attr, errors));
    let Some(attr) = first else { return (None, None) };
    let entries = attribute(attr, tables::FIELD, errors);
    let skip = entries.get("skip").map(|entry| {
        entry.bare(errors);
        entry.key.clone()
    });
    (name(&entries, "field", errors), skip)
}

/// Returns the name of a field or a tag.
fn name(entries: &Entries, kind: &str, errors: &mut Errors) -> Option<(String, Span)> {
    let text = entries.text("name", errors)?;
    if text.value().is_empty() {
        errors.at(text, format_args!("the name of a {kind} cannot be empty"));
    }
    Some((text.value(), text.span()))
}

/// Returns the name of a member in the case of `rename_all`, or as it is.
fn written(ident: &Ident, case: Option<Case>) -> String {
    let name = ident.unraw().to_string();
    case.map_or_else(|| name.clone(), |case| case.write(&name))
}

/// Notes a type that cannot hold its part of a point.
pub(super) fn from_point_type(
    source: &Source,
    ty: &Type,
    input: &DeriveInput,
    errors: &mut Errors,
) {
    one_option(source, ty, errors);
    let (calls, inner) = calls(ty);
    let always = matches!(source, Source::Time | Source::Group | Source::Point);
    if always && calls == Calls::AtMostOnce {
        errors.at(ty, "every point has this: write the type without `Option`");
    }
    let ty = if calls == Calls::AtMostOnce { inner } else { ty.clone() };
    lives_too_long(&ty, input, errors);
}

/// Notes an `Option` of an `Option`.
pub(super) fn one_option(source: &Source, ty: &Type, errors: &mut Errors) {
    let (outer, inner) = calls(ty);
    let twice = outer == Calls::AtMostOnce && calls(&inner).0 == Calls::AtMostOnce;
    let what = match source {
        Source::Field(_) => "field",
        Source::Tag(_) => "tag",
        Source::Time | Source::Group | Source::Point => return,
    };
    if twice {
        errors.at(ty, format_args!("a {what} is there or not: one `Option` is enough"));
    }
}

/// Notes `'static`: a member can only borrow from the point.
fn lives_too_long(ty: &Type, input: &DeriveInput, errors: &mut Errors) {
    let is_static = |lifetime: &Lifetime| lifetime.ident == "static";
    let Some(lifetime) = lifetimes(ty).into_iter().find(is_static) else { return };
    if !input.generics.lifetimes().any(|known| is_static(&known.lifetime)) {
        let message = format!(
            "a borrow lasts as long as the point: write a lifetime, as in `struct {}<'p>`, or an \
             owned type, such as `String` or `PointBuf`",
            input.ident
        );
        errors.at(lifetime, message);
    }
}
