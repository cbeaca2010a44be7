//! `#[derive(FromPoint)]` and `#[derive(Fields)]`: structs that are read from a point or become
//! fields.
//!
//! A struct may have both derives, and neither sees the other. Both report a common error at the
//! same span in the same words, and rustc shows it once.

use syn::ext::IdentExt;
use syn::{Attribute, Data, DataStruct, DeriveInput, Field, Fields, Lifetime, LitStr, Meta, Type};

use super::entries::{Entries, attribute};
use super::runtime;
use super::tables::{self, Table};
use super::udf::rename_all;
use crate::borrowed::lifetimes;
use crate::errors::Errors;
use crate::model::{Member, Runtime, Source, Typed};
use crate::words::case::Case;

/// The attributes of members, and their arguments.
const SOURCES: [(&str, Table); 5] = [
    ("field", tables::FIELD),
    ("tag", tables::TAG),
    ("time", tables::NONE),
    ("group", tables::NONE),
    ("point", tables::NONE),
];

pub(crate) fn from_point(input: DeriveInput, errors: &mut Errors) -> (Runtime, Typed) {
    let (runtime, case) = container(&input, "point", errors);
    for other in input.generics.lifetimes().skip(1) {
        let message = "a struct with `FromPoint` can have only one lifetime, that of the point";
        errors.at(&other.lifetime, message);
    }
    let mut members = Vec::new();
    for field in named(&input, errors) {
        lives_too_long(&field.ty, &input, errors);
        members.extend(member(field, case, false, errors));
    }
    (runtime, Typed { ident: input.ident, generics: input.generics, members })
}

pub(crate) fn fields(input: DeriveInput, errors: &mut Errors) -> (Runtime, Typed) {
    let (runtime, case) = container(&input, "fields", errors);
    let before = errors.count();
    let mut members: Vec<Member> = Vec::new();
    for field in named(&input, errors) {
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("fields")) {
            let message =
                "`#[fields(...)]` belongs on the struct; write `#[field(...)]` on a member";
            errors.at(attr.path(), message);
        }
        // Without `FromPoint`, a member may have no attribute. With it, a member may be a tag.
        let member = member(field, case, true, errors);
        let Some(member) = member.filter(|member| matches!(member.source, Source::Field(_))) else {
            continue;
        };
        if members.iter().any(|other| other.source == member.source) {
            errors.at(&member.ident, "another member is already the field of this name");
        }
        members.push(member);
    }
    if members.is_empty() && errors.count() == before {
        errors.at(&input.ident, "the struct has no field; a point must have at least one");
    }
    (runtime, Typed { ident: input.ident, generics: input.generics, members })
}

/// Returns the member, unless it has an error or is skipped.
fn member(
    field: &Field,
    case: Option<Case>,
    becomes_fields: bool,
    errors: &mut Errors,
) -> Option<Member> {
    let ident = field.ident.clone()?;
    let mut attrs = field.attrs.iter().filter_map(|attr| Some((source(attr)?, attr)));
    let first = attrs.next();
    for (_, attr) in attrs {
        let message = "a member can have only one of `#[field]`, `#[tag]`, `#[time]`, `#[group]` and \
                       `#[point]`";
        errors.at(attr.path(), message);
    }
    let (source, entries) = match first {
        Some(((source, table), attr)) => (source, attribute(attr, table, errors)),
        None if becomes_fields => ("field", Entries::default()),
        None => {
            let message = format!(
                "`{ident}` needs one of `#[field]`, `#[tag]`, `#[time]`, `#[group]` and `#[point]`"
            );
            errors.at(&ident, message);
            return None;
        }
    };
    let name = entries.text("name", errors);
    if let Some(empty) = name.filter(|name| name.value().is_empty()) {
        errors.at(empty, format_args!("the name of a {source} must not be empty"));
    }
    if let Some(skip) = entries.bare("skip", errors) {
        if !becomes_fields {
            let message = "`skip` requires `Fields`; a struct with `FromPoint` reads every member";
            errors.at(skip, message);
        } else if name.is_some() {
            errors.at(skip, "a skipped member cannot have a `name`");
        }
        return None;
    }
    let written = ident.unraw().to_string();
    let renamed = case.map_or_else(|| written.clone(), |case| case.write(&written));
    let name = name.map_or(renamed, LitStr::value);
    let source = match source {
        "field" => Source::Field(name),
        "tag" => Source::Tag(name),
        "time" => Source::Time,
        "group" => Source::Group,
        _ => Source::Point,
    };
    Some(Member { ident, ty: field.ty.clone(), source })
}

fn source(attr: &Attribute) -> Option<(&'static str, Table)> {
    SOURCES.into_iter().find(|(name, _)| attr.path().is_ident(name))
}

/// Notes `'static`: a member can only borrow from the point.
fn lives_too_long(ty: &Type, input: &DeriveInput, errors: &mut Errors) {
    let is_static = |lifetime: &Lifetime| lifetime.ident == "static";
    if let Some(lifetime) = lifetimes(ty).into_iter().find(is_static) {
        let message = format!(
            "a member can borrow only from the point; write a lifetime, as in `struct {}<'p>`, or an \
             owned type, such as `String` or `PointBuf`",
            input.ident
        );
        errors.at(lifetime, message);
    }
}

/// Returns the crate and the case of names in the attribute on the struct. Reports attributes of
/// members on the struct.
fn container(input: &DeriveInput, name: &str, errors: &mut Errors) -> (Runtime, Option<Case>) {
    let mut entries = Entries::default();
    for attr in &input.attrs {
        if attr.path().is_ident(name) {
            if let Meta::Path(path) = &attr.meta {
                errors.at(path, format_args!("expected `#[{name}(rename_all = \"camelCase\")]`"));
            }
            entries = attribute(attr, tables::TYPED, errors);
        } else if let Some((name, _)) = source(attr).filter(|(name, _)| *name != "point") {
            let message = format!(
                "`#[{name}]` belongs on a member; on the struct, write `#[point(...)]` for `FromPoint` \
                 or `#[fields(...)]` for `Fields`"
            );
            errors.at(attr.path(), message);
        }
    }
    let case = entries.get("rename_all").and_then(|entry| rename_all(entry, Case::ALL, errors));
    (runtime(&entries, errors), case)
}

/// Returns the named members.
fn named<'i>(input: &'i DeriveInput, errors: &mut Errors) -> Vec<&'i Field> {
    match &input.data {
        Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) => {
            fields.named.iter().collect()
        }
        Data::Struct(DataStruct { fields: Fields::Unit, .. }) => Vec::new(),
        _ => {
            let message = "expected a struct with named members: `struct Name { member: Type }`";
            errors.at(&input.ident, message);
            Vec::new()
        }
    }
}
