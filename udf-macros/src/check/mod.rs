//! Rules across attributes and fields.

mod names;
mod option;
mod relations;

use crate::errors::Errors;
use crate::model::{OptionField, Role, Udf};

/// Notes every rule that the model breaks.
pub(crate) fn check(udf: &Udf, errors: &mut Errors) {
    for lifetime in udf.generics.lifetimes() {
        let message = "a UDF lives as long as its task and owns its data: it cannot have lifetimes";
        errors.at(&lifetime.lifetime, message);
    }
    for field in &udf.fields {
        if let Role::Option(option) = &field.role {
            option::check(field, option, errors);
        }
    }
    names::check(udf, errors);
    relations::check(udf, errors);
}

impl Udf {
    /// The fields that are options.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&crate::model::Field, &OptionField)> {
        self.fields.iter().filter_map(|field| match &field.role {
            Role::Option(option) => Some((field, &**option)),
            Role::State(_) | Role::Memory => None,
        })
    }
}
