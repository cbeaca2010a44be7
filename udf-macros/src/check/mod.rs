//! Rules across attributes and fields.

mod bounds;
mod names;
mod option;
mod relations;

use crate::borrowed::owned;
use crate::errors::Errors;
use crate::model::{Edge, Field, OnMissing, OptionField, Role, Udf, UdfArgs};
use crate::parse::show;

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

/// Types of state and working memory that borrow; those of options are checked with their arguments.
fn ty(field: &Field, errors: &mut Errors) {
    let (owned, why) = match &field.role {
        Role::Option(_) => return,
        Role::State(_) => (owned(&field.ty, true), "state owns its data, to be restored"),
        Role::Memory => (owned(&field.ty, false), "a UDF owns its data"),
    };
    if let Some(owned) = owned {
        errors.at(&field.ty, format_args!("{why}: write {}", show(owned)));
    }
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
