//! Rules across attributes and fields.

mod bounds;
mod names;
mod option;
mod relations;

use crate::borrowed::{OWNED, borrows};
use crate::errors::Errors;
use crate::model::{Edge, Field, OnMissing, Role, Tick, Udf, UdfArgs};

/// Reports every rule that the model breaks.
pub(crate) fn check(udf: &Udf, errors: &mut Errors) {
    for lifetime in udf.generics.lifetimes() {
        errors.at(&lifetime.lifetime, OWNED);
    }
    on_missing(&udf.args, errors);
    tick(udf, errors);
    for field in &udf.fields {
        ty(field, errors);
        if let Role::Option(option) = &field.role {
            option::check(field, option, errors);
        }
    }
    names::check(udf, errors);
    relations::check(udf, errors);
}

/// Notes an interval of ticks in a field with `#[state]`: it is read before a snapshot is restored.
fn tick(udf: &Udf, errors: &mut Errors) {
    let Some(Tick::Field(name)) = &udf.args.tick else { return };
    let field = udf.fields.iter().find(|field| field.ident == *name);
    if let Some(Field { role: Role::State(_), .. }) = field {
        let message = format!(
            "`{name}` is state, which is restored after the interval is read; remove `#[state]` and set \
             the field in `init`, or make it an `#[option]`"
        );
        errors.at(name, message);
    }
}

/// Notes types of state and working memory that borrow. The types of options are checked as
/// arguments.
fn ty(field: &Field, errors: &mut Errors) {
    let static_too = match &field.role {
        Role::Option(_) => return,
        Role::State(_) | Role::Shared => true,
        Role::Memory => false,
    };
    if borrows(&field.ty, static_too) {
        errors.at(&field.ty, OWNED);
    }
}

/// Reports `pass` with batches: a point of a batch has no name, and cannot be sent outside of a
/// batch.
fn on_missing(args: &UdfArgs, errors: &mut Errors) {
    let batches = [("wants", args.wants), ("provides", args.provides)]
        .into_iter()
        .find(|(_, edge)| *edge == Some(Edge::Batch));
    if let (OnMissing::Pass, Some((key, _))) = (args.on_missing.value, batches) {
        let message = format!(
            "`pass` requires `wants = stream` and `provides = stream`, not `{key} = batch`; write \
             `skip` or `fail`"
        );
        errors.at(&args.on_missing.tokens, message);
    }
}
