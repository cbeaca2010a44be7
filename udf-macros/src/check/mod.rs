//! Rules across attributes and fields.

mod bounds;
mod names;
mod option;
mod relations;

use quote::quote;
use syn::{Type, TypePath};

use crate::errors::Errors;
use crate::model::{Edge, Field, OnMissing, OptionField, Role, Udf, UdfArgs};
use crate::parse::{calls, show};

/// Notes every rule that the model breaks.
pub(crate) fn check(udf: &Udf, errors: &mut Errors) {
    for lifetime in udf.generics.lifetimes() {
        let message = "a UDF lives as long as its task and owns its data: it cannot have lifetimes";
        errors.at(&lifetime.lifetime, message);
    }
    on_missing(&udf.args, errors);
    for field in &udf.fields {
        ty(field, errors);
        if let Role::Option(option) = &field.role {
            option::check(field, option, errors);
        }
    }
    names::check(udf, errors);
    relations::check(udf, errors);
}

/// Types of fields that cannot be, whatever the fields are for.
fn ty(field: &Field, errors: &mut Errors) {
    let (_, value) = calls(&field.ty);
    match (owned(&value), &field.role) {
        (Some(owned), _) if field.unfit => {
            errors.at(value, format_args!("a UDF owns its data: write {owned}"));
        }
        (None, _) if field.unfit => {
            errors.at(&field.ty, "a UDF owns its data: write a type that borrows nothing");
        }
        (Some(owned), Role::Option(_)) => {
            errors.at(value, format_args!("an option owns its value; write {owned}"));
        }
        (Some(owned), Role::State(_)) => {
            errors.at(value, format_args!("state owns its data, to be restored; write {owned}"));
        }
        _ => {}
    }
}

/// The type that owns what this one borrows, or is without a size.
pub(crate) fn owned(ty: &Type) -> Option<String> {
    match ty {
        Type::Group(inner) => owned(&inner.elem),
        Type::Paren(inner) => owned(&inner.elem),
        Type::Reference(reference) => Some(owner(&reference.elem)),
        Type::Slice(_) => Some(owner(ty)),
        Type::Path(path) if path.path.is_ident("str") => Some(owner(ty)),
        Type::Path(path) if is_named(path, "Point") => {
            show(path).contains('\'').then(|| "`PointBuf`".to_owned())
        }
        _ => None,
    }
}

/// The type that owns a value of this type, which may have no size.
fn owner(ty: &Type) -> String {
    match ty {
        Type::Slice(slice) => {
            let elem = &slice.elem;
            show(quote!(Vec<#elem>))
        }
        Type::TraitObject(_) => show(quote!(Box<#ty>)),
        Type::Path(path) if is_named(path, "str") => "`String`".to_owned(),
        Type::Path(path) if is_named(path, "Path") => "`PathBuf`".to_owned(),
        Type::Path(path) if is_named(path, "OsStr") => "`OsString`".to_owned(),
        ty => owned(ty).unwrap_or_else(|| show(ty)),
    }
}

fn is_named(path: &TypePath, name: &str) -> bool {
    path.path.segments.last().is_some_and(|last| last.ident == name)
}

/// A point of a batch has no name of its own, and it cannot be sent alone where batches are provided.
fn on_missing(args: &UdfArgs, errors: &mut Errors) {
    let batches = [("wants", args.wants), ("provides", args.provides)]
        .into_iter()
        .find(|(_, edge)| *edge == Some(Edge::Batch));
    if let (OnMissing::Pass, Some((key, _))) = (args.on_missing.value, batches) {
        let message = format!(
            "`pass` sends the point on from a stream to a stream, but here is `{key} = batch`; \
             write `skip` or `fail`"
        );
        errors.at(&args.on_missing.tokens, message);
    }
}

impl Udf {
    /// The fields that are options.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&Field, &OptionField)> {
        self.fields.iter().filter_map(|field| match &field.role {
            Role::Option(option) => Some((field, &**option)),
            Role::State(_) | Role::Memory => None,
        })
    }
}
